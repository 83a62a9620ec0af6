/* SPDX-License-Identifier: BSD-2-Clause */
/* See boot/files.h. */
#include "boot/files.h"

#include <string.h>

#include "boot/firmware.h"
#include "boot/unpack.h"
#include "include/log.h"
#include "mm/frame.h"
#include "vmm/guest_file.h"

#define GUEST_MAX_BYTES MIB(256)
#define DISK_MAX_BYTES  GIB(4)

static void log_no_memory(const char *name, size_t size)
{
	uint64_t largest, free = firmware_free_memory(&largest);

	log_fatal("file %s: out of memory: it has %lu KiB, and the machine %lu KiB that are free, %lu KiB of them in one piece",
		  name, align_up(size, KIB(1)) >> 10, free >> 10, largest >> 10);
}

enum err files_cannot_read(const char *name, enum err err, uint64_t max, size_t size)
{
	if (err == ERR_RANGE)
		log_fatal("file %s: it has more than the %lu KiB that it may have", name, max >> 10);
	else if (err == ERR_NO_MEMORY && size > 0)
		log_no_memory(name, size);
	else
		log_fatal("file %s: %s", name, err_name(err));
	return err;
}

static bool is_read(const struct guest_image *image, const char *name)
{
	return image->bytes && strcmp(image->name, name) == 0;
}

/* The file of this name, if it is there already: of the first `n` VMs, or among the disks of the next one. */
static const struct guest_image *find_read(const struct machine_vm *vms, const char *name, unsigned n)
{
	for (unsigned i = 0; i <= n; i++) {
		if (i < n && is_read(&vms[i].image, name))
			return &vms[i].image;
		if (i < n && is_read(&vms[i].initrd, name))
			return &vms[i].initrd;
		for (unsigned disk = 0; disk < VM_DISKS_MAX; disk++)
			if (is_read(&vms[i].disk[disk], name))
				return &vms[i].disk[disk];
	}
	return NULL;
}

/* Read a file for the VM of number `n`, if there is to be one; a file that several VMs have is read once. */
static enum err read_file(const struct machine *machine, unsigned n, const char *name, uint64_t max, struct guest_image *image)
{
	const struct guest_image *same = find_read(machine->vm, name, n);
	enum err err;

	image->name = name;
	if (name[0] == '\0')
		return ERR_OK;
	if (same) {
		*image = *same;
		return ERR_OK;
	}
	err = firmware_read_file(name, max, &image->bytes, &image->size);
	return err == ERR_OK ? ERR_OK : files_cannot_read(name, err, max, image->size);
}

/* The disks of the VM of number `n`. */
static enum err read_disks(struct machine *machine, unsigned n)
{
	struct machine_vm *vm = &machine->vm[n];
	enum err err = ERR_OK;

	for (unsigned i = 0; i < vm->options.disks && err == ERR_OK; i++) {
		err = read_file(machine, n, vm->options.disk[i].file, DISK_MAX_BYTES, &vm->disk[i]);
		if (err == ERR_OK && vm->disk[i].size < VIRTIO_BLK_SECTOR) {
			log_fatal("disk %s: it has less than a sector of %u bytes", vm->options.disk[i].file, VIRTIO_BLK_SECTOR);
			err = ERR_INVALID;
		}
	}
	vm->options.disk_files = vm->disk;
	return err;
}

enum err files_read(struct machine *machine)
{
	enum err err = ERR_OK;

	for (unsigned i = 0; i < machine->count && err == ERR_OK; i++) {
		struct machine_vm *vm = &machine->vm[i];

		err = read_file(machine, i, vm->options.guest, GUEST_MAX_BYTES, &vm->image);
		if (err == ERR_OK)
			err = read_file(machine, i, vm->options.initrd, GUEST_MAX_BYTES, &vm->initrd);
		if (err == ERR_OK)
			err = read_disks(machine, i);
	}
	if (err == ERR_OK)
		unpack_kernels(machine);
	return err;
}

static struct ram_range range_of(const struct guest_image *file, uint64_t offset, uint64_t size)
{
	return (struct ram_range){ HPA((uintptr_t)file->bytes + offset), align_up(size, PAGE_SIZE) };
}

/* What cannot be adopted is copied into guests. */
static void adopt(struct guest_image *file)
{
	file->frames = file->bytes && frame_adopt(range_of(file, 0, file->size)) == ERR_OK;
}

/* Its holes become free memory. */
static void adopt_unpacked(struct guest_image *file)
{
	enum err err = ERR_OK;
	bool hole;

	if (!file || file->frames)
		return;
	for (uint64_t at = 0, size; at < file->size && err == ERR_OK; at += size) {
		size = guest_file_run(file, at, file->size - at, &hole);
		err = hole ? frame_add(range_of(file, at, size)) : frame_adopt(range_of(file, at, size));
	}
	file->frames = err == ERR_OK;
}

void files_adopt(struct machine *machine)
{
	for (unsigned i = 0; i < machine->count; i++) {
		struct machine_vm *vm = &machine->vm[i];

		adopt_unpacked(vm->image.unpacked);
		if (!vm->image.unpacked)
			adopt(&vm->image);
		adopt(&vm->initrd);
		for (unsigned disk = 0; disk < vm->options.disks; disk++)
			adopt(&vm->disk[disk]);
	}
}

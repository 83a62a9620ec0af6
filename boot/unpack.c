/* SPDX-License-Identifier: BSD-2-Clause */
/* See boot/unpack.h. */
#include "boot/unpack.h"

#include <string.h>

#include "boot/firmware.h"
#include "include/arch/virt.h"
#include "include/log.h"

/* What is kept of a packed kernel: the unpacked one, which pages of that are zeros, and the beginning of the file. */
struct kept {
	struct guest_image kernel;
	uint8_t bytes[];
};

static size_t holes_bytes(size_t size)
{
	return align_up(align_up(size, PAGE_SIZE) / PAGE_SIZE, 8) / 8;
}

static bool is_zero(const uint64_t *words, size_t bytes)
{
	for (size_t i = 0; i < bytes / sizeof(*words); i++)
		if (words[i] != 0)
			return false;
	return true;
}

static void find_holes(const char *bytes, size_t size, uint8_t *holes)
{
	memset(holes, 0, holes_bytes(size));
	for (size_t at = 0; at < size; at += PAGE_SIZE)
		if (is_zero((const void *)(bytes + at), PAGE_SIZE))
			holes[at / PAGE_SIZE / 8] |= (uint8_t)(1u << at / PAGE_SIZE % 8);
}

/* With memory for all of it, unpack. `kernel` and `kept` are of the size that they need. */
static enum err unpack_into(const struct guest_image *file, const struct packed_kernel *packed, char *kernel, void *work,
			    struct kept *kept)
{
	size_t used;
	enum err err = arch_kernel_loader(file->bytes, file->size)->unpack(file->bytes, packed, kernel, work, &used);

	if (err != ERR_OK)
		return err;
	memset(kernel + used, 0, align_up(used, PAGE_SIZE) - used);
	find_holes(kernel, used, kept->bytes);
	memcpy(kept->bytes + holes_bytes(packed->unpacked), file->bytes, packed->head);
	kept->kernel = (struct guest_image){ .name = file->name, .bytes = kernel, .size = used, .holes = kept->bytes };
	return ERR_OK;
}

static void *alloc(size_t bytes)
{
	return firmware_alloc_pages(align_up(bytes, PAGE_SIZE) / PAGE_SIZE);
}

static void free_unless_null(const void *memory)
{
	if (memory)
		firmware_free_pages(memory);
}

/* Fills in `*unpacked`, what takes the place of the file. Errors: as for struct kernel_loader, ERR_NO_MEMORY. */
static enum err unpack(const struct guest_image *file, const struct packed_kernel *packed, struct guest_image *unpacked)
{
	const size_t head_at = holes_bytes(packed->unpacked);
	char *kernel = firmware_alloc_file(packed->unpacked);
	struct kept *kept = alloc(sizeof(*kept) + head_at + packed->head);
	void *work = alloc(packed->work);
	enum err err = kernel && kept && work ? unpack_into(file, packed, kernel, work, kept) : ERR_NO_MEMORY;

	free_unless_null(work);
	if (err == ERR_OK) {
		*unpacked = (struct guest_image){
			.name = file->name, .bytes = kept->bytes + head_at, .size = packed->head, .unpacked = &kept->kernel
		};
		return ERR_OK;
	}
	free_unless_null(kernel);
	free_unless_null(kept);
	return err;
}

static bool is_of(const struct guest_image *image, const void *bytes)
{
	return image->bytes == bytes;
}

static bool is_needed(const struct machine *machine, const void *bytes)
{
	for (unsigned i = 0; i < machine->count; i++) {
		const struct machine_vm *vm = &machine->vm[i];

		if (is_of(&vm->image, bytes) || is_of(&vm->initrd, bytes))
			return true;
		for (unsigned disk = 0; disk < vm->options.disks; disk++)
			if (is_of(&vm->disk[disk], bytes))
				return true;
	}
	return false;
}

/* Let all VMs that may have `file` unpacked have `image` in its place. */
static void replace(struct machine *machine, const struct guest_image *file, const struct guest_image *image)
{
	const void *bytes = file->bytes; /* of one of those that are replaced */

	for (unsigned i = 0; i < machine->count; i++)
		if (is_of(&machine->vm[i].image, bytes) && !machine->vm[i].options.packed)
			machine->vm[i].image = *image;
	if (!is_needed(machine, bytes))
		firmware_free_pages(bytes);
}

static void unpack_file(struct machine *machine, const struct guest_image *file)
{
	const struct kernel_loader *loader = arch_kernel_loader(file->bytes, file->size);
	struct packed_kernel packed;
	struct guest_image image = *file;
	enum err err;

	if (!loader || !loader->find_packed || !loader->find_packed(file->bytes, file->size, &packed))
		return;
	err = unpack(file, &packed, &image);
	image.damaged = err == ERR_CORRUPT;
	if (err == ERR_OK || err == ERR_CORRUPT)
		replace(machine, file, &image);
	if (err == ERR_NO_MEMORY)
		log_warn("boot: file %s: there is no memory to unpack its kernel once for all: each guest does that for itself",
			 file->name);
}

/* Has an earlier VM had the same file tried? */
static bool was_tried(const struct machine *machine, unsigned n)
{
	const void *bytes = machine->vm[n].image.bytes;

	for (unsigned i = 0; i < n; i++)
		if (is_of(&machine->vm[i].image, bytes) && !machine->vm[i].options.packed)
			return true;
	return false;
}

void unpack_kernels(struct machine *machine)
{
	for (unsigned i = 0; i < machine->count; i++) {
		const struct machine_vm *vm = &machine->vm[i];

		if (vm->image.bytes && !vm->options.packed && !was_tried(machine, i))
			unpack_file(machine, &vm->image);
	}
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* The virtio devices of a VM. */
#include "vmm/vm_virtio.h"

#include "mm/frame.h"
#include "vmm/blocks.h"
#include "vmm/disks.h"

_Static_assert(GUEST_VIRTIO_STEP >= VIRTIO_REGISTERS, "one does not lie on another");

static void discarded(struct device_table *table, uint64_t gpa, uint64_t size)
{
	blocks_discarded(CONTAINER_OF(table, struct vm, devices), GPA(gpa), size);
}

static void attach(struct vm *vm)
{
	vm->devices.memory = &vm->as;
	vm->devices.discarded = discarded;
	device_add(&vm->devices, &vm->balloon.virtio.device);
	device_add(&vm->devices, &vm->rng.virtio.device);
	for (unsigned i = 0; i < vm->options.disks; i++)
		device_add(&vm->devices, &vm->disk[i].virtio.device);
	if (vm->options.virtio_console)
		device_add(&vm->devices, &vm->virtio_console.virtio.device);
}

static uint64_t base_of(enum vm_virtio number)
{
	return GUEST_VIRTIO_BASE + number * GUEST_VIRTIO_STEP;
}

static unsigned line_of(enum vm_virtio number)
{
	return GUEST_VIRTIO_LINE + number;
}

/* --- Disks ----------------------------------------------------------------------------------------------------------- */

uint64_t vm_virtio_memory(const struct vm *vm)
{
	return align_up(vm->options.disks * sizeof(struct virtio_blk), PAGE_SIZE);
}

/* What is in them is undefined. */
static enum err alloc_disks(struct vm *vm)
{
	hpa_t memory;
	enum err err = ERR_OK;

	if (vm->options.disks == 0)
		return ERR_OK;
	err = frame_alloc_count(FRAME_CALL, vm_virtio_memory(vm) / PAGE_SIZE, &memory);
	if (err == ERR_OK)
		vm->disk = frame_ptr(memory);
	return err;
}

void vm_virtio_free(struct vm *vm)
{
	if (vm->disk)
		frame_free_count(HPA((uintptr_t)vm->disk - frame_phys_to_virt), vm_virtio_memory(vm) / PAGE_SIZE);
	vm->disk = NULL;
}

/* By the end of a file's path the guest can know its disk. */
static const char *file_name(const char *path)
{
	const char *name = path;

	for (; *path; path++)
		if (*path == '\\' || *path == '/')
			name = path + 1;
	return name;
}

static void init_disks(struct vm *vm)
{
	for (unsigned i = 0; i < vm->options.disks; i++)
		virtio_blk_init(&vm->disk[i], disks_window(vm, i), disks_size(vm, i), vm->options.disk[i].read_only,
				file_name(vm->options.disk[i].file), base_of(VM_VIRTIO_DISK + i), line_of(VM_VIRTIO_DISK + i));
}

/* --- All of them ----------------------------------------------------------------------------------------------------- */

enum err vm_virtio_init(struct vm *vm)
{
	enum err err = alloc_disks(vm);

	if (err != ERR_OK)
		return err;
	balloon_init(&vm->balloon, base_of(VM_VIRTIO_BALLOON), line_of(VM_VIRTIO_BALLOON));
	virtio_rng_init(&vm->rng, base_of(VM_VIRTIO_RNG), line_of(VM_VIRTIO_RNG));
	init_disks(vm);
	virtio_console_init(&vm->virtio_console, base_of(VM_VIRTIO_CONSOLE), line_of(VM_VIRTIO_CONSOLE));
	attach(vm);
	return ERR_OK;
}

enum err vm_virtio_fork(struct vm *child, const struct vm *parent)
{
	enum err err = alloc_disks(child);

	if (err != ERR_OK)
		return err;
	child->balloon = parent->balloon;
	child->balloon.reported = child->balloon.inflated = 0; /* it counts its own */
	child->rng = parent->rng;
	child->virtio_console = parent->virtio_console;
	for (unsigned i = 0; i < child->options.disks; i++)
		child->disk[i] = parent->disk[i];
	child->devices.wants = parent->devices.wants;
	attach(child);
	return ERR_OK;
}

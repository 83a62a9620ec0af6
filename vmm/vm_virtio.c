/* SPDX-License-Identifier: BSD-2-Clause */
/* The virtio devices of a VM. */
#include "vmm/vm_virtio.h"

#include "vmm/blocks.h"

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
}

static uint64_t base_of(enum vm_virtio number)
{
	return GUEST_VIRTIO_BASE + number * GUEST_VIRTIO_STEP;
}

static unsigned line_of(enum vm_virtio number)
{
	return GUEST_VIRTIO_LINE + number;
}

void vm_virtio_init(struct vm *vm)
{
	balloon_init(&vm->balloon, base_of(VM_VIRTIO_BALLOON), line_of(VM_VIRTIO_BALLOON));
	virtio_rng_init(&vm->rng, base_of(VM_VIRTIO_RNG), line_of(VM_VIRTIO_RNG));
	attach(vm);
}

void vm_virtio_fork(struct vm *child, const struct vm *parent)
{
	child->balloon = parent->balloon;
	child->balloon.reported = child->balloon.inflated = 0; /* it counts its own */
	child->rng = parent->rng;
	child->devices.wants = parent->devices.wants;
	attach(child);
}

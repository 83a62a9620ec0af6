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
}

void vm_virtio_init(struct vm *vm)
{
	balloon_init(&vm->balloon, GUEST_VIRTIO_BASE + VM_VIRTIO_BALLOON * GUEST_VIRTIO_STEP,
		     GUEST_VIRTIO_LINE + VM_VIRTIO_BALLOON);
	attach(vm);
}

void vm_virtio_fork(struct vm *child, const struct vm *parent)
{
	child->balloon = parent->balloon;
	child->balloon.reported = child->balloon.inflated = 0; /* it counts its own */
	child->devices.wants = parent->devices.wants;
	attach(child);
}

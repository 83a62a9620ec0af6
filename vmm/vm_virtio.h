/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The virtio devices of a VM, on every ISA: which it has, and where. Number n is at GUEST_VIRTIO_BASE + n * GUEST_VIRTIO_STEP and
 * drives line GUEST_VIRTIO_LINE + n (vmm/<isa>/arch_vm.h); docs/guest-abi.md lists them.
 */
#ifndef NESTLING_VMM_VM_VIRTIO_H
#define NESTLING_VMM_VM_VIRTIO_H

#include "vmm/vm.h"

enum vm_virtio {
	VM_VIRTIO_BALLOON,
	VM_VIRTIO_RNG,
	VM_VIRTIO_DISK, /* the first of VM_DISKS_MAX */
	VM_VIRTIO_CONSOLE = VM_VIRTIO_DISK + VM_DISKS_MAX,
	VM_VIRTIO_DEVICES,
};

/*
 * Give the VM its devices, behind those of the ISA; or copies of the parent's, with what they have in hand. Errors: ERR_NO_MEMORY:
 * it has none.
 */
MUST_CHECK enum err vm_virtio_init(struct vm *vm);
MUST_CHECK enum err vm_virtio_fork(struct vm *child, const struct vm *parent);
/* Free what is not in struct vm itself, and is as large as vm_virtio_memory says, in bytes. */
void vm_virtio_free(struct vm *vm);
uint64_t vm_virtio_memory(const struct vm *vm);

#endif

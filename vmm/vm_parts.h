/* SPDX-License-Identifier: BSD-2-Clause */
/* Of what a VM consists: for those who make one, new (vmm/vm.c) or as a copy (vmm/fork.c). */
#ifndef NESTLING_VMM_VM_PARTS_H
#define NESTLING_VMM_VM_PARTS_H

#include "vmm/vm.h"

/* A structure that is all zero but for what it is part of. Errors: ERR_NO_MEMORY. vm_free_zeroed frees it. */
MUST_CHECK enum err vm_alloc(struct fork_tree *tree, struct vm **out);
void vm_free_zeroed(void *memory, uint64_t size);

/* All of the vCPUs that its options tell of, off. Errors: ERR_NO_MEMORY, those of arch_vcpu_init; none is left then. */
MUST_CHECK enum err vm_new_vcpus(struct vm *vm);
void vm_free_vcpus(struct vm *vm);

/* Add the devices that the VMs of all ISAs have, behind the ISA's own, which are accessed more often. */
void vm_add_devices(struct vm *vm);

/* Count the VM's own structures as a cost of its space. Errors: ERR_NO_MEMORY: its limit is reached. */
MUST_CHECK enum err vm_charge(struct vm *vm);

/* Why there is no memory: "the host has 12 KiB free", or the VM's own limit. */
const char *vm_shortage_text(struct vm *vm, char *text, size_t size);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The id of a VM's generation ("VMGenID"): 16 random bytes in a page of its memory, which its kernel was told of. A fork has
 * others, and an interrupt tells its kernel of that, which then stops going on with random numbers that its parent makes, too.
 * Sources: Microsoft, "Virtual Machine Generation ID"; Linux Documentation/devicetree/bindings/rng/microsoft,vmgenid.yaml.
 *
 * Only a kernel has that page, at GUEST_GENERATION_PAGE, and the line, GUEST_GENERATION_LINE, by edge (vmm/<isa>/arch_vm.h): all
 * other programs have all of their RAM to themselves. It is memory, since kernels read it by whatever instruction.
 */
#ifndef NESTLING_VMM_GENERATION_H
#define NESTLING_VMM_GENERATION_H

#include "vmm/vm.h"

#define GENERATION_SIZE 16

/* Was the VM given one? */
static inline bool generation_is_there(const struct vm *vm)
{
	return vm->generation.raw != 0;
}

/* Its program is a kernel: its boot data tell of the page. */
static inline void generation_expect(struct vm *vm)
{
	vm->generation = GPA(GUEST_GENERATION_PAGE);
}

/* Write a new id, if it has one. Errors: ERR_NO_MEMORY: there is none for the page. */
MUST_CHECK enum err generation_renew(struct vm *vm);

/* Interrupt a fork that has been given an id. None of its vCPUs was started, and none of them waits. */
void generation_tell(struct vm *child);

#endif

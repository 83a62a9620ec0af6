/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A VM is forked: the child is as the parent is at that moment, and its memory is the parent's until either side writes. One vCPU
 * of the parent makes it, in pieces, while all others are stopped (vmm/stop.h); nobody else knows the child meanwhile.
 *
 *     vcpu->child:  NULL ──► outcome VM_RUNNING ──► NULL: it is in the fork tree
 *                     ▲          │ no memory, or the parent has ended
 *                     └── VM_REFUSED: it is freed in pieces
 */
#ifndef NESTLING_VMM_FORK_H
#define NESTLING_VMM_FORK_H

#include "vmm/vm.h"

/*
 * Make a fork of the VM of `vcpu`, which is resident here, or a piece of it. True: this is to be called again when the vCPU has
 * left its CPU as vcpu->leave says. False: it is done, and the caller lets the others go (sched_continue_others). `*child` is the
 * fork, which counts its own exits and whose vCPUs go on where their originals were once fork_start is called; the caller may
 * change before what the copy of `vcpu` does. NULL: there is no memory for it, or the VM has ended; nothing was changed.
 */
bool fork_piece(struct vcpu *vcpu, struct vm **child);

/* Let it run. It may have ended, and be gone, when this returns. */
void fork_start(struct vm *child);

/*
 * Have `count` forks made of a VM without its guest's doing, one after the other, between which it does not run; a line tells of
 * each, or why there is none. If it is paused, it stays so; the forks run. For anybody, as sched_ask. False: it is being stopped
 * for something else, or has ended. When it is done, or the VM is gone, fork_is_asked is false.
 */
bool fork_ask(struct vm *vm, unsigned count);
static inline bool fork_is_asked(const struct vm *vm)
{
	return __atomic_load_n(&vm->errand, __ATOMIC_ACQUIRE);
}

#endif

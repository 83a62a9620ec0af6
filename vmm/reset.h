/* SPDX-License-Identifier: BSD-2-Clause */
/* A guest's reboot: what vm_reset has asked for. */
#ifndef NESTLING_VMM_RESET_H
#define NESTLING_VMM_RESET_H

#include "vmm/vm.h"

/*
 * Make the VM, which has stopped with VM_RESET, anew: nothing of its memory, its devices and its vCPUs survives, and its program
 * and initrd are loaded again. It keeps its numbers, its name, its place in the fork tree with those who wait for its end, and the
 * time that it has used; VMs that were forked from it go on with what they share. Its outcome says what has become of it:
 * VM_RUNNING; or it has ended, VM_NO_MEMORY or VM_REFUSED, and if it has no vCPU then, none of it was made.
 */
void reset_rebuild(struct vm *vm);

/*
 * Let it run. A guest that does nothing but reboot must not use up the host's time: between two starts there is as much time as
 * RESETS_A_SECOND leaves.
 */
#define RESETS_A_SECOND 10
void reset_start(struct vm *vm);

#endif

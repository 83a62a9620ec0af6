/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The VMs that live, forks among them, in the order of their numbers; and which of them has the keyboard: the first one that
 * starts, and when that has ended the next one; or who was chosen.
 *
 * Who gets a VM here holds the lock of this list, which comes before a VM's locks: the VM cannot go until it is put.
 */
#ifndef NESTLING_VMM_VMS_H
#define NESTLING_VMM_VMS_H

#include "vmm/vm.h"

/* A VM is about to run. */
void vms_add(struct vm *vm);

/*
 * It has ended, and nothing runs it any more. One that is made anew (VM_RESET) keeps its place, but nobody gets it before
 * vms_add.
 */
void vms_remove(struct vm *vm);

/* Is there more than one? Without the lock, as a hint. */
bool vms_are_several(void);

/* The VM of the lowest number from `number` on, of those that are not being made anew; NULL: there is none, and nothing to put. */
struct vm *vms_get(unsigned number);

/* The VM that has the keyboard; NULL: there is none, or it is being made anew, and there is nothing to put. */
struct vm *vms_get_typed(void);

/*
 * The same, those that are being made anew (`absent`) among them: of such a one only number, name and options are to be looked at.
 */
struct vm *vms_get_any(unsigned number);
struct vm *vms_get_typed_any(void);

void vms_put(void);

/* All VMs that do not wait for another one's end have been started, or refused. Are they? The latter without the lock. */
void vms_complete(void);
bool vms_are_complete(void);

/* Has a VM that has been got the keyboard? Give it to it. */
bool vms_is_typed(const struct vm *vm);
void vms_choose(struct vm *vm);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* A guest's code, through its own page tables, as they are now. */
#ifndef NESTLING_VMM_X86_64_GUEST_WALK_H
#define NESTLING_VMM_X86_64_GUEST_WALK_H

#include "vmm/vm.h"

struct guest_paging guest_paging(struct vcpu *vcpu);

/* Copy up to `size` bytes of code at `gva` as the guest's page tables map them now. Returns how many were there. */
size_t peek_guest(struct vcpu *vcpu, gva_t gva, uint8_t *bytes, size_t size);

/*
 * Read the move between memory and a register that is at the linear address `at`, in a segment of `bits`, into vcpu->arch.mmio.
 * Drivers access devices by the same few instructions all the time: the code is read anew each time, since it may change, and
 * decoded if it is not what was decoded last. False: it is none.
 */
bool guest_move(struct vcpu *vcpu, const struct guest_paging *paging, gva_t at, unsigned bits);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* What the world switch, which C code calls, calls back. */
#ifndef NESTLING_ARCH_AARCH64_WORLD_SWITCH_H
#define NESTLING_ARCH_AARCH64_WORLD_SWITCH_H

#include "include/types.h"

struct vcpu;

/*
 * The fast path of an exit (include/arch/virt.h, arch_vcpu_run), by a synchronous exception. 0: the guest is entered again; all
 * else is what vm_handle_exit gets as `left`. The second is for those classes in whose syndrome bit 31 is set: aborts, and what is
 * rare.
 */
unsigned vcpu_exit(struct vcpu *vcpu, uint64_t esr);
unsigned vcpu_exit_abort(struct vcpu *vcpu, uint64_t esr, uint64_t far, uint64_t hpfar);

/* The same where HPFAR_EL2 is of an address below RAM, with all registers saved. LEFT_LOADED: as 0, and all are to be loaded. */
unsigned vcpu_exit_device(struct vcpu *vcpu, uint64_t esr, uint64_t far, uint64_t hpfar);

/* The same by another of EL2's vectors. */
unsigned vcpu_exit_interrupt(struct vcpu *vcpu, uint64_t vector);

#endif

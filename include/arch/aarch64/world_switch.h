/* SPDX-License-Identifier: BSD-2-Clause */
/* What the world switch, which C code calls, calls back. */
#ifndef NESTLING_ARCH_AARCH64_WORLD_SWITCH_H
#define NESTLING_ARCH_AARCH64_WORLD_SWITCH_H

#include "include/types.h"

struct vcpu;

/*
 * The fast path of an exit (include/arch/virt.h, arch_vcpu_run), by one of EL2's vectors. 0: the guest is entered again; all else
 * is what vm_handle_exit gets as `left`.
 */
unsigned vcpu_exit(struct vcpu *vcpu, uint64_t vector);

/* After that, of a trapped MSR or MRS. True: it has been served, and the guest is entered again. */
bool vcpu_exit_sysreg(struct vcpu *vcpu);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* What the world switch, which C code calls, calls back. */
#ifndef NESTLING_ARCH_AARCH64_WORLD_SWITCH_H
#define NESTLING_ARCH_AARCH64_WORLD_SWITCH_H

#include "include/types.h"

struct vcpu;

/*
 * The fast path of an exit (include/arch/virt.h, arch_vcpu_run), by a synchronous exception. 0: the guest is entered again; all
 * else is what vm_handle_exit gets as `left`.
 */
unsigned vcpu_exit(struct vcpu *vcpu, uint64_t esr);

/* The same by another of EL2's vectors, which is never 0. */
unsigned vcpu_exit_interrupt(struct vcpu *vcpu, uint64_t vector);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* What is logged, by log_err, of a run that ends badly. Nothing here changes the guest. */
#ifndef NESTLING_VMM_POST_MORTEM_H
#define NESTLING_VMM_POST_MORTEM_H

#include "vmm/vm.h"

/*
 * Log the guest's registers, its areas, the walk of `gpa` (NULL: there is no address at fault), the last exits, and what it has
 * printed last. Consecutive similar exits share one line; only the last few lines are logged, or all of them under --trace.
 */
void post_mortem(struct vcpu *vcpu, const gpa_t *gpa);

/* The same of a kernel that has said why it cannot go on: with all of that as far as it is remembered. */
void post_mortem_of_kernel(struct vcpu *vcpu);

/*
 * Of a panic of the hypervisor: the last exits of the vCPU that is resident on this CPU, and the walk of the address at fault if
 * the last one was a fault. Its registers may be in the CPU still.
 */
void post_mortem_of_panic(void);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* The end of a VM whose time_max is used up. */
#ifndef NESTLING_VMM_TIME_OUT_H
#define NESTLING_VMM_TIME_OUT_H

#include "vmm/vm.h"

/* End the VM with VM_TIMED_OUT; what the vCPU was doing, which runs, or is in a call, is logged. */
void vm_time_out(struct vcpu *vcpu);

#endif

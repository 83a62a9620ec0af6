/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A vCPU that waits where nobody else wants its CPU *rests*: it stays RUNNING and resident there, while the CPU sleeps. So nothing
 * of it is saved and loaded, and it is in no list.
 */
#ifndef NESTLING_VMM_REST_H
#define NESTLING_VMM_REST_H

#include "vmm/cpu.h"
#include "vmm/vm.h"

/*
 * Let this CPU sleep until it is interrupted, `until` at the latest, or do some work that has waited for that, and take the
 * interrupts. Returns how long it was. What has come before is seen: cpu->idle is set.
 */
uint64_t cpu_sleep(struct cpu *cpu, uint64_t until);

/* The resident vCPU waits, as LEAVE_WAIT has it: rest. True: it has been woken, and goes on; else it is to leave the CPU. */
bool vcpu_rest(struct cpu *cpu, struct vcpu *vcpu);

/*
 * One vCPU less that can run, with vm.lock. If the others that can all rest without a deadline, one of them is to leave its CPU:
 * the last one of all sees to what becomes of the VM.
 */
void vcpu_disturb_last(struct vm *vm);

#endif

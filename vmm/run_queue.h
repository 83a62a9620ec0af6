/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The queues of vCPUs that are ready, and how a vCPU comes there. What runs them is vmm/sched.h; this is apart from it, since what
 * serves a vCPU's exits may start and wake others.
 *
 * Locks, in this order: vm.lock, then the lock of one CPU's queue.
 */
#ifndef NESTLING_VMM_RUN_QUEUE_H
#define NESTLING_VMM_RUN_QUEUE_H

#include "vmm/cpu.h"
#include "vmm/vm.h"

/* --- For everybody ---------------------------------------------------------------------------------------------------- */

/* Can the VM be run on a CPU that is there: does its `pin` name one? */
bool sched_can_run(const struct vm_options *options);

/* VCPU_OFF to VCPU_CLAIMED: the caller may set its state and then start it. False: it is not off, or its VM has ended. */
bool sched_claim(struct vcpu *vcpu);

/* VCPU_CLAIMED to VCPU_READY, or the first vCPU of a new VM. Its entry state has been set. */
void sched_start(struct vcpu *vcpu);

/* The same, but it waits until `when`, of arch_clock. */
void sched_start_later(struct vcpu *vcpu, uint64_t when);

/* vm_end, by somebody who is none of the VM's vCPUs. Those that run are still to be interrupted: shootdown_kick. */
void sched_end(struct vm *vm, enum vm_outcome outcome);

/* Queue all vCPUs of a forked VM that are READY but in no queue yet. */
void sched_start_fork(struct vm *child);

/* vCPU: VCPU_WAITING to VCPU_READY. One that is about to wait will not; any other is left as it is. Any CPU. */
void sched_wake(struct vcpu *vcpu);

/*
 * What is pending for a vCPU has changed: have it call arch_vcpu_deliver before it enters its guest the next time, and soon. One
 * that waits is woken; one that runs on another CPU is interrupted. Any CPU; with the lock of the VM's devices held, or not.
 */
void sched_notify(struct vcpu *vcpu);

/* --- For the scheduler ------------------------------------------------------------------------------------------------ */

/* VMs that can run without another VM's end; atomic. */
extern uint64_t sched_awake;

/* The CPU with the least to do on which the vCPU may run; the one where it ran last, if no other has less. */
struct cpu *run_queue_place(const struct vcpu *vcpu);

/* Add a vCPU to the end of a CPU's queue; and have the CPU look at it, if it sleeps. */
void run_queue_add(struct cpu *cpu, struct vcpu *vcpu);
void run_queue_add_and_tell(struct cpu *cpu, struct vcpu *vcpu);

/* Take the first vCPU of a queue that may run on `cpu`; of the queues of all other CPUs. NULL: there is none. */
struct vcpu *run_queue_take(struct cpu *from, const struct cpu *cpu);
struct vcpu *run_queue_take_from_others(const struct cpu *cpu);

/* Take one of the VM's vCPUs that wait out of that, with vm.lock. False: none does. */
bool run_queue_wake_one(struct vm *vm);

/* vCPUs that wait on a CPU with a deadline: add one, take it out if it is there (both with vm.lock), wake all whose time has come.
 */
void timed_add(struct cpu *cpu, struct vcpu *vcpu);
void timed_remove(struct vcpu *vcpu);
void timed_wake_first(struct cpu *cpu, uint64_t now);
static inline void timed_wake(struct cpu *cpu, uint64_t now)
{
	if (__atomic_load_n(&cpu->timed, __ATOMIC_RELAXED))
		timed_wake_first(cpu, now);
}
/* The earliest deadline of these; NEVER. */
uint64_t timed_first(struct cpu *cpu);
static inline uint64_t timed_next(struct cpu *cpu)
{
	return __atomic_load_n(&cpu->timed, __ATOMIC_RELAXED) ? timed_first(cpu) : NEVER;
}

#endif

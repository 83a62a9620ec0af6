/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The scheduler: which vCPU runs on which CPU, and for how long.
 *
 * Each CPU has a queue of vCPUs that are ready, and gives each a slice in turn. A CPU whose queue is empty takes from others. vCPUs
 * that wait are in no queue. Of a vCPU that leaves its CPU everything is saved before any other CPU can take it.
 *
 *                sched_start            sched_run            slice over, YIELD, held
 *      VCPU_OFF ────────────► VCPU_READY ────────► VCPU_RUNNING ────────────────────► VCPU_READY
 *          ▲                      ▲   sched_wake        │ │
 *          │                      └──── VCPU_WAITING ◄──┘ │
 *          └──────────────────────────────────────────────┘
 *
 * Locks, in this order: vm.lock, then the lock of one CPU's queue.
 */
#ifndef NESTLING_VMM_SCHED_H
#define NESTLING_VMM_SCHED_H

#include "include/arch/virt.h"
#include "vmm/run_queue.h"

/* Set the slice, in microseconds, and let cpu_count CPUs run vCPUs. Called once, before anything below. */
void sched_init(uint64_t slice);

/*
 * Run vCPUs on this CPU, until sched_stop has been called. On each CPU, on its own stack.
 */
void sched_run(void);

/* Have sched_run return on all CPUs as soon as they have nothing to run. */
void sched_stop(void);

/* Make a VM known to the scheduler, before its first vCPU is started: its limit of time, and that it can run. */
void sched_add(struct vm *vm);

/* sched_claim and sched_start for a vCPU that is to begin at `entry` with `argument`. Errors: ERR_EXISTS (it is not off). */
MUST_CHECK static inline enum err sched_start_at(struct vcpu *vcpu, struct vcpu *by, uint64_t entry, uint64_t argument)
{
	if (!sched_claim(vcpu))
		return ERR_EXISTS;
	arch_vcpu_start(vcpu, by, entry, argument);
	sched_start(vcpu);
	return ERR_OK;
}

/* Is the VM's time_max used up? For a call that is served in pieces, between two of them: whoever finds it so ends the VM. */
static inline bool sched_time_is_up(const struct vcpu *vcpu)
{
	return __atomic_load_n(&vcpu->vm->cpu_time, __ATOMIC_RELAXED) >= vcpu->vm->time_max;
}

/* Microseconds that the vCPUs of the VM of `vcpu`, which asks, have run so far; those of others up to their last interrupt. */
uint64_t sched_cpu_time(const struct vcpu *vcpu);

/* The same for any VM, up to the last interrupt of each vCPU. */
uint64_t sched_vm_time(const struct vm *vm);

/*
 * In the exit of a vCPU by a host interrupt: take the interrupts. SCHED_TIME_OUT: the VM's time is used up; the caller ends it.
 * Otherwise vcpu->leave says whether the vCPU leaves the CPU.
 */
enum sched_interrupted { SCHED_GO_ON, SCHED_TIME_OUT };
enum sched_interrupted sched_interrupt(struct vcpu *vcpu);

/* Must the vCPU leave the CPU at the end of its exit? */
static inline bool sched_leaves(const struct vcpu *vcpu)
{
	const struct vm *vm = vcpu->vm;
	const struct vcpu *stopper = __atomic_load_n(&vm->stopper, __ATOMIC_RELAXED);

	return vcpu->leave != LEAVE_NOT || !vm_is_running(vm) || (stopper && stopper != vcpu);
}

static inline bool vcpu_has_attention(const struct vcpu *vcpu)
{
	return __atomic_load_n(&vcpu->attention, __ATOMIC_RELAXED);
}

/* Before the guest is entered: see to what sched_notify has told of. */
static inline void vcpu_attend(struct vcpu *vcpu)
{
	if (vcpu_has_attention(vcpu) && __atomic_exchange_n(&vcpu->attention, 0, __ATOMIC_ACQUIRE))
		arch_vcpu_deliver(vcpu);
}

/*
 * Have a CPU call `what` soon, with no vCPU resident and no lock held: before the next vCPU gets a CPU, at the latest when the
 * slice of this CPU ends. One at a time.
 */
void sched_call(void (*what)(void));

#endif

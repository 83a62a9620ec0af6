/* SPDX-License-Identifier: BSD-2-Clause */
/* The vCPUs of a VM are stopped, and let go. */
#include "vmm/stop.h"

#include "include/arch/cpu.h"
#include "vmm/run_queue.h"
#include "vmm/shootdown.h"

static bool stop_for(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;
	bool mine;

	spin_lock(&vm->lock);
	mine = !vm->stopper && vm_is_running(vm);
	if (mine)
		__atomic_store_n(&vm->stopper, vcpu, __ATOMIC_SEQ_CST);
	spin_unlock(&vm->lock);
	if (mine)
		shootdown_kick(vm);
	return mine;
}

bool sched_stop_others(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;

	if (__atomic_load_n(&vm->stopper, __ATOMIC_RELAXED) != vcpu && !stop_for(vcpu)) {
		vcpu->leave = LEAVE_HELD;
		return false;
	}
	while (__atomic_load_n(&vm->running, __ATOMIC_ACQUIRE) > 1) {
		shootdown_serve();
		arch_cpu_pause();
	}
	return true;
}

/* Those that are held are queued again; with vm.lock. */
static void queue_held(struct vm *vm)
{
	struct vcpu *held = vm->held, *next;

	vm->held = NULL;
	for (; held; held = next) {
		next = held->next;
		run_queue_add_and_tell(run_queue_place(held), held);
	}
}

static void let_go(struct vm *vm)
{
	spin_lock(&vm->lock);
	__atomic_store_n(&vm->stopper, NULL, __ATOMIC_RELAXED);
	queue_held(vm);
	spin_unlock(&vm->lock);
}

void sched_continue_others(struct vcpu *vcpu)
{
	let_go(vcpu->vm);
}

bool sched_pause(struct vm *vm)
{
	bool mine;

	spin_lock(&vm->lock);
	mine = !vm->stopper || vm_is_paused(vm);
	if (mine)
		__atomic_store_n(&vm->stopper, VM_PAUSER, __ATOMIC_SEQ_CST);
	spin_unlock(&vm->lock);
	if (mine)
		shootdown_kick(vm);
	return mine;
}

void sched_go_on(struct vm *vm)
{
	if (vm_is_paused(vm))
		let_go(vm);
}

bool sched_ask(struct vm *vm, void (*what)(struct vcpu *vcpu), unsigned times)
{
	bool mine;

	spin_lock(&vm->lock);
	mine = (!vm->stopper || vm_is_paused(vm)) && vm_is_running(vm);
	if (mine) {
		vm->pauses_again = vm_is_paused(vm);
		vm->errand_times = times;
		__atomic_store_n(&vm->errand, what, __ATOMIC_RELAXED);
		__atomic_store_n(&vm->stopper, VM_ERRAND, __ATOMIC_SEQ_CST);
		queue_held(vm);
		if (vm->active == 0)
			run_queue_wake_one(vm);
	}
	spin_unlock(&vm->lock);
	if (mine)
		shootdown_kick(vm);
	if (mine && arch_this_cpu()->resident && arch_this_cpu()->resident->vm == vm)
		arch_ipi_send(arch_this_cpu()); /* it may be in an exit that does not look whether it is to leave */
	return mine;
}

/* If the VM was paused this vCPU is held, as the others are, when it leaves its CPU, which is now. */
void sched_asked(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;
	bool pauses;

	vcpu->again = vcpu->resume;
	vcpu->resume = NULL;
	if (vcpu->again)
		vcpu->leave = LEAVE_PIECE; /* the guest is not entered before that has been called */
	spin_lock(&vm->lock);
	pauses = vm->pauses_again && vm_is_running(vm); /* of one that has ended all are to leave */
	__atomic_store_n(&vm->stopper, pauses ? VM_PAUSER : NULL, __ATOMIC_RELAXED);
	if (!pauses)
		queue_held(vm);
	__atomic_store_n(&vm->errand, NULL, __ATOMIC_RELEASE);
	spin_unlock(&vm->lock);
}

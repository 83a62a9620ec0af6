/* SPDX-License-Identifier: BSD-2-Clause */
/* vCPUs that wait in their CPU: see vmm/rest.h. */
#include "vmm/rest.h"

#include "include/arch/cpu.h"
#include "include/arch/virt.h"
#include "vmm/keyboard.h"
#include "vmm/run_queue.h"
#include "vmm/shootdown.h"
#include "vmm/tidy.h"

uint64_t cpu_sleep(struct cpu *cpu, uint64_t until)
{
	uint64_t from = arch_clock(), look = keyboard_watch(), time;

	until = min_u64(timed_next(cpu), until);
	if (!tidy_vms(from, until)) {
		arch_timer_set(min_u64(look, until));
		arch_cpu_wait();
	}
	if (arch_interrupts_take() & CPU_EVENT_GUEST && cpu->resident)
		__atomic_store_n(&cpu->resident->attention, 1, __ATOMIC_RELAXED);
	keyboard_unwatch(look);
	time = arch_clock() - from;
	cpu->idle_ticks += time;
	return time;
}

/* Do the VM's vCPUs that can run all rest? With vm.lock. An unfinished line of its console may be a question then. */
static void look_at_line(struct vm *vm)
{
	if (vm->resting == vm->active)
		console_stream_flush(&vm->console);
}

/* The last one that is awake must not rest without a deadline: nobody would see that the VM has halted. */
static bool lie_down(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;
	bool endless = vcpu->wake_at == NEVER, rests;

	spin_lock(&vm->lock);
	rests = !endless || vm->active > vm->endless + 1;
	if (rests) {
		vcpu->resting = true;
		STORE_RELAXED(vcpu->disturbed, false);
		STORE_RELAXED(vm->resting, vm->resting + 1);
		vm->endless += endless;
		look_at_line(vm);
	}
	spin_unlock(&vm->lock);
	return rests;
}

/*
 * `over`: its time has come. True: it goes on, and who wakes it later wakes one that runs. Else it leaves, and is ready at once if
 * it has been woken.
 */
static bool get_up(struct vcpu *vcpu, bool over, bool disturbed)
{
	struct vm *vm = vcpu->vm;
	bool goes_on;

	spin_lock(&vm->lock);
	vcpu->resting = false;
	STORE_RELAXED(vm->resting, vm->resting - 1);
	vm->endless -= vcpu->wake_at == NEVER;
	goes_on = (over || vcpu->woken) && !disturbed;
	if (goes_on)
		STORE_RELAXED(vcpu->woken, false);
	spin_unlock(&vm->lock);
	return goes_on;
}

static bool is_woken(const struct vcpu *vcpu)
{
	return __atomic_load_n(&vcpu->woken, __ATOMIC_RELAXED);
}

/* Is there anything that it must make room for? */
static inline __attribute__((always_inline)) bool is_disturbed(const struct cpu *cpu, const struct vcpu *vcpu)
{
	const struct vm *vm = vcpu->vm;
	const struct vcpu *stopper = __atomic_load_n(&vm->stopper, __ATOMIC_RELAXED);

	return cpu_ready(cpu) > 0 || !vm_is_running(vm) || (stopper && stopper != vcpu) ||
	       __atomic_load_n(&vcpu->disturbed, __ATOMIC_RELAXED);
}

/* As idle() does. Returns what time it is then. */
static uint64_t doze(struct cpu *cpu, const struct vcpu *vcpu)
{
	uint64_t now;

	__atomic_store_n(&cpu->idle, true, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!is_woken(vcpu) && !is_disturbed(cpu, vcpu))
		cpu->started += cpu_sleep(cpu, vcpu->wake_at);
	__atomic_store_n(&cpu->idle, false, __ATOMIC_RELAXED);
	shootdown_serve_on(cpu);
	now = arch_clock();
	timed_wake(cpu, now);
	return now;
}

bool vcpu_rest(struct cpu *cpu, struct vcpu *vcpu)
{
	bool disturbed;
	uint64_t now;

	for (unsigned i = 0; i < cpu_count; i++)
		if (cpu_ready(cpu_of(i)) > 0)
			return false;
	if (!lie_down(vcpu))
		return false;
	do {
		now = doze(cpu, vcpu);
		disturbed = is_disturbed(cpu, vcpu);
	} while (now < vcpu->wake_at && !is_woken(vcpu) && !disturbed && !keyboard_is_due(now));
	if (now >= vcpu->wake_at)
		__atomic_store_n(&vcpu->attention, 1, __ATOMIC_RELAXED); /* one of the guest's timers */
	return get_up(vcpu, now >= vcpu->wake_at, disturbed);
}

void vcpu_disturb_last(struct vm *vm)
{
	if (vm->active == 0)
		return;
	look_at_line(vm);
	if (vm->active != vm->endless)
		return;
	for (unsigned i = 0; i < vm->vcpus; i++) {
		struct vcpu *vcpu = vm->vcpu_table[i];

		if (!vcpu->resting || vcpu->wake_at != NEVER)
			continue;
		STORE_RELAXED(vcpu->disturbed, true);
		arch_ipi_send(vcpu->cpu);
		return;
	}
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* The scheduler: queues, slices, and what becomes of a vCPU that leaves its CPU. */
#include "vmm/sched.h"

#include "include/arch/cpu.h"
#include "include/arch/virt.h"
#include "include/log.h"
#include "vmm/keyboard.h"
#include "vmm/rest.h"
#include "vmm/shootdown.h"
#include "vmm/vms.h"

#define OVERRUN_MAX 8 /* slices */

static uint64_t slice_ticks; /* of arch_clock */
static void (*errand)(void); /* atomic; NULL: there is none */
static bool stopped;         /* atomic */

static uint64_t ticks_of(uint64_t microseconds)
{
	uint64_t hz = arch_clock_frequency();

	return microseconds / 1000000 * hz + microseconds % 1000000 * hz / 1000000;
}

void sched_init(uint64_t slice)
{
	slice_ticks = ticks_of(slice);
	spin_wait = shootdown_serve;
}

void sched_add(struct vm *vm)
{
	vm->time_max = vm->options.time_max ? ticks_of(vm->options.time_max) : NEVER;
	__atomic_add_fetch(&sched_awake, 1, __ATOMIC_RELAXED);
	vms_add(vm);
}

/* --- Slices ---------------------------------------------------------------------------------------------------------- */

/* When `time_max` of a VM that has used so much will be used up, if one vCPU of it runs on alone. */
static uint64_t time_end_of(const struct vm *vm, uint64_t used, uint64_t now)
{
	if (vm->time_max == NEVER)
		return NEVER;
	return now + (vm->time_max > used ? vm->time_max - used : 0);
}

/* Count the time since the last call as the vCPU's. Returns time_end_of its VM. */
static uint64_t charge_time(struct cpu *cpu, struct vcpu *vcpu, uint64_t now)
{
	struct vm *vm = vcpu->vm;
	uint64_t ticks = now - cpu->started, used;

	cpu->started = now;
	vcpu->cpu_time += ticks;
	used = __atomic_add_fetch(&vm->cpu_time, ticks, __ATOMIC_RELAXED);
	return time_end_of(vm, used, now);
}

static void set_timer(struct cpu *cpu, uint64_t time_end)
{
	arch_timer_set(min_u64(min_u64(cpu->slice_end, timed_next(cpu)), time_end));
}

/* The slice is over: another vCPU's turn, if there is one. Where another CPU has more of them, one comes over. */
static void end_slice(struct cpu *cpu, struct vcpu *vcpu, uint64_t now)
{
	struct vcpu *other = NULL;

	if (cpu_ready(cpu) == 0 && cpu_count > 1)
		other = run_queue_take_from_others(cpu);
	if (other)
		run_queue_add(cpu, other);
	if (cpu_ready(cpu) == 0) {
		cpu->slice_end = now + slice_ticks;
		return;
	}
	vcpu->leave = LEAVE_YIELD;
	vcpu->preemptions++;
}

/* What has been typed may be an order to the monitor, which is carried out where no vCPU is. */
static __attribute__((noinline)) void look_at_keyboard(struct vcpu *vcpu, uint64_t now)
{
	keyboard_look(now);
	if (__atomic_load_n(&errand, __ATOMIC_RELAXED))
		vcpu->leave = LEAVE_YIELD;
}

/* What was to be done at a time, of which none is set now. */
static inline __attribute__((always_inline)) enum sched_interrupted take_timer(struct cpu *cpu, struct vcpu *vcpu)
{
	uint64_t now = arch_clock(), time_end = charge_time(cpu, vcpu, now);

	if (time_end == now)
		return SCHED_TIME_OUT;
	if (keyboard_is_due(now))
		look_at_keyboard(vcpu, now);
	timed_wake(cpu, now);
	if (now >= cpu->slice_end)
		end_slice(cpu, vcpu, now);
	if (vcpu->leave == LEAVE_NOT || vcpu->leave == LEAVE_PIECE)
		set_timer(cpu, time_end);
	return SCHED_GO_ON;
}

/* Take the host interrupts that are pending. */
static inline enum sched_interrupted take_interrupts(struct cpu *cpu, struct vcpu *vcpu)
{
	unsigned events = arch_interrupts_take();

	if (events & CPU_EVENT_GUEST)
		__atomic_store_n(&vcpu->attention, 1, __ATOMIC_RELAXED);
	if (events & ~(unsigned)CPU_EVENT_TIMER)
		shootdown_serve_on(cpu); /* whoever asks for something sends an interrupt */
	return events & CPU_EVENT_TIMER ? take_timer(cpu, vcpu) : SCHED_GO_ON;
}

/* In line, since it is most of what a shoot-down costs those that it reaches. */
static inline __attribute__((always_inline)) enum sched_interrupted interrupt(struct vcpu *vcpu)
{
	struct cpu *cpu = vcpu->cpu;

	cpu->interrupts++;
	vcpu->interrupts++;
	return take_interrupts(cpu, vcpu);
}

enum sched_interrupted sched_interrupt(struct vcpu *vcpu)
{
	return interrupt(vcpu);
}

unsigned vm_take_interrupts(struct vcpu *vcpu)
{
	if (!vcpu->fast)
		return FAULT_NOT_SERVED;
	if (interrupt(vcpu) == SCHED_TIME_OUT || sched_leaves(vcpu))
		return EXIT_INTERRUPTED;
	if (vcpu_has_attention(vcpu))
		return EXIT_ATTENTION;
	vcpu->exits.other++;
	return 0;
}

static uint64_t microseconds_of(uint64_t ticks)
{
	uint64_t hz = arch_clock_frequency();

	return ticks / hz * 1000000 + ticks % hz * 1000000 / hz;
}

uint64_t sched_vm_time(const struct vm *vm)
{
	return microseconds_of(__atomic_load_n(&vm->cpu_time, __ATOMIC_RELAXED));
}

uint64_t sched_cpu_time(const struct vcpu *vcpu)
{
	uint64_t ticks = __atomic_load_n(&vcpu->vm->cpu_time, __ATOMIC_RELAXED) + (arch_clock() - arch_this_cpu()->started);

	return microseconds_of(ticks);
}

/* --- In and out of a CPU --------------------------------------------------------------------------------------------- */

#define ALL_WAIT "guest waits for VMs that all wait for each other, and nothing else can wake it"

/*
 * The last vCPU of the VM that could run cannot go on, and the VM has not ended. With vm.lock. It ends now, unless something can
 * still wake one.
 */
static void nothing_runs(struct vm *vm, const struct vcpu *vcpu)
{
	if (vm->stopper == VM_ERRAND && run_queue_wake_one(vm))
		return;
	console_stream_flush(&vm->console); /* an unfinished line may be a question */
	if (vm->timed > 0 || (keyboard_is_open() && device_listens(&vm->devices)))
		return;
	if (__atomic_load_n(&vm->waits, __ATOMIC_RELAXED) > 0) {
		vm->asleep = true;
		if (__atomic_sub_fetch(&sched_awake, 1, __ATOMIC_RELAXED) > 0)
			return;
		log_vm_info(vm, ALL_WAIT);
	} else {
		log_vm_info(vm, "guest %s", vcpu->leave_why ? vcpu->leave_why : "halted, and there is no interrupt to wake it");
	}
	vm_end(vm, VM_EXITED, 0);
}

/* The last VM that was awake has ended. If any are left, they wait for each other: the first one ends. */
static void end_one_asleep(void)
{
	struct vm *vm = vms_get(0);

	while (vm && !__atomic_load_n(&vm->asleep, __ATOMIC_RELAXED)) {
		unsigned next = vm->number + 1;

		vms_put();
		vm = vms_get(next);
	}
	if (!vm)
		return;
	log_vm_info(vm, ALL_WAIT);
	sched_end(vm, VM_EXITED);
	vms_put();
}

/* It counts as awake until nothing is left of it. */
static void begin_end(struct vm *vm)
{
	spin_lock(&vm->lock);
	if (vm->asleep)
		__atomic_add_fetch(&sched_awake, 1, __ATOMIC_RELAXED);
	vm->asleep = false;
	spin_unlock(&vm->lock);
	vms_remove(vm);
}

/* The VM has ended, and this was its last vCPU. What is left to do takes turns with other vCPUs, for a slice each time. */
static void end_vm(struct cpu *cpu, struct vcpu *vcpu)
{
	uint64_t until = arch_clock() + slice_ticks;
	struct vm *vm = vcpu->vm;

	if (!vm->ending)
		begin_end(vm);
	while (vm->ended(vm)) {
		shootdown_serve();
		if (arch_clock() < until)
			continue;
		spin_lock(&vm->lock);
		vm->ending = true;
		vcpu->state = VCPU_READY;
		run_queue_add(cpu, vcpu);
		spin_unlock(&vm->lock);
		return;
	}
	/* Not before who has waited for this VM is awake. */
	if (__atomic_sub_fetch(&sched_awake, 1, __ATOMIC_RELAXED) == 0)
		end_one_asleep();
}

/* One vCPU less that can run; with vm.lock, which is let go. */
static void deactivate(struct cpu *cpu, struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;
	bool over;

	vm->active--;
	vcpu_disturb_last(vm);
	if (vm->active == 0 && vm_is_running(vm))
		nothing_runs(vm, vcpu);
	over = vm->active == 0 && !vm_is_running(vm);
	for (unsigned i = 0; over && i < vm->vcpus; i++)
		timed_remove(vm->vcpu_table[i]);
	spin_unlock(&vm->lock);
	if (over)
		end_vm(cpu, vcpu);
}

/* With vm.lock. */
static void hold(struct vcpu *vcpu)
{
	vcpu->state = VCPU_READY;
	vcpu->next = vcpu->vm->held;
	vcpu->vm->held = vcpu;
}

/* It is the first one that comes into a CPU since something was asked of its VM; with vm.lock. */
static void take_errand(struct vcpu *vcpu)
{
	vcpu->resume = vcpu->again;
	vcpu->again = vcpu->vm->errand;
	__atomic_store_n(&vcpu->vm->stopper, vcpu, __ATOMIC_SEQ_CST);
}

/* May a vCPU that has been taken from a queue run? */
static bool begin(struct cpu *cpu, struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;

	spin_lock(&vm->lock);
	if (vm->ending) {
		spin_unlock(&vm->lock);
		end_vm(cpu, vcpu);
		return false;
	}
	if (!vm_is_running(vm) && vm->stopper != vcpu) {
		vcpu->state = VCPU_OFF;
		deactivate(cpu, vcpu);
		return false;
	}
	if (vm->stopper == VM_ERRAND)
		take_errand(vcpu);
	if (vm->stopper && vm->stopper != vcpu) {
		hold(vcpu);
		spin_unlock(&vm->lock);
		return false;
	}
	vcpu->state = VCPU_RUNNING;
	vcpu->cpu = cpu;
	vcpu->woken = false;
	STORE_RELAXED(vm->running, vm->running + 1);
	spin_unlock(&vm->lock);
	return true;
}

/* See vmm/shootdown.h for the order of these. */
static void load(struct cpu *cpu, struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;
	uint64_t generation;

	__atomic_or_fetch(&vm->cpus, BIT(cpu->id), __ATOMIC_SEQ_CST);
	generation = __atomic_load_n(&vm->tlb_generation, __ATOMIC_SEQ_CST);
	cpu->resident = vcpu;
	arch_vcpu_get(vcpu);
	if (vcpu->tlb_generation != generation)
		arch_flush_resident(vcpu);
	vcpu->tlb_generation = generation;
	vcpu->switches++;
	cpu->switches++;
}

static void unload(struct cpu *cpu, struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;

	arch_vcpu_put(vcpu);
	shootdown_serve_on(cpu);
	cpu->resident = NULL;
	__atomic_and_fetch(&vm->cpus, ~BIT(cpu->id), __ATOMIC_SEQ_CST);
}

/* The vCPU has left the CPU, everything of it is saved: where does it go? */
static void leave(struct cpu *cpu, struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;
	enum vcpu_leave why = vcpu->leave;

	spin_lock(&vm->lock);
	__atomic_store_n(&vm->running, vm->running - 1, __ATOMIC_RELEASE);
	vcpu->leave = LEAVE_NOT;
	/* One that holds the others goes on, also when the VM has ended, until it has let them go. */
	if ((!vm_is_running(vm) && vm->stopper != vcpu) || why == LEAVE_OFF) {
		vcpu->state = VCPU_OFF;
		deactivate(cpu, vcpu);
		return;
	}
	if (why == LEAVE_WAIT && !vcpu->woken && vm->stopper != VM_ERRAND) {
		vcpu->state = VCPU_WAITING;
		if (vcpu->wake_at != NEVER)
			timed_add(cpu, vcpu);
		deactivate(cpu, vcpu);
		return;
	}
	if (vm->stopper && vm->stopper != vcpu && vm->stopper != VM_ERRAND) {
		hold(vcpu);
	} else {
		vcpu->state = VCPU_READY;
		run_queue_add(cpu, vcpu);
	}
	spin_unlock(&vm->lock);
}

/* What it has had too much is taken off, and a quarter of a slice is left to it. */
static __attribute__((noinline)) void shorten_slice(struct cpu *cpu, struct vcpu *vcpu)
{
	uint64_t less = min_u64(vcpu->overrun, slice_ticks - slice_ticks / 4);

	vcpu->overrun -= less;
	cpu->slice_end -= less;
}

/* From cpu->started on, which is now. */
static void begin_slice(struct cpu *cpu, struct vcpu *vcpu)
{
	cpu->slice_end = cpu->started + slice_ticks;
	if (vcpu->overrun)
		shorten_slice(cpu, vcpu);
	set_timer(cpu, time_end_of(vcpu->vm, __atomic_load_n(&vcpu->vm->cpu_time, __ATOMIC_RELAXED), cpu->started));
}

/* It leaves the CPU at cpu->started. A slice ends late where the timer's interrupt is late, or a call cannot be left at once. */
static __attribute__((noinline)) void note_overrun(const struct cpu *cpu, struct vcpu *vcpu)
{
	vcpu->overrun = min_u64(vcpu->overrun + (cpu->started - cpu->slice_end), OVERRUN_MAX * slice_ticks);
}

/* Does the vCPU stay, when it has left the guest? One that gives the CPU away where nobody wants it does; or waits there. */
static bool stays(struct cpu *cpu, struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;
	const struct vcpu *stopper = __atomic_load_n(&vm->stopper, __ATOMIC_RELAXED);
	uint64_t time_end;

	if (stopper != vcpu && (stopper || !vm_is_running(vm)))
		return false;
	/* If the time is up, the call that is in hand sees it: sched_time_is_up. */
	if (vcpu->leave == LEAVE_PIECE)
		return take_interrupts(cpu, vcpu) == SCHED_TIME_OUT || vcpu->leave == LEAVE_PIECE;
	if (__atomic_load_n(&errand, __ATOMIC_RELAXED))
		return false;
	if (vcpu->leave == LEAVE_WAIT && vcpu_rest(cpu, vcpu)) {
		charge_time(cpu, vcpu, arch_clock());
		begin_slice(cpu, vcpu);
		return true;
	}
	if (vcpu->leave != LEAVE_YIELD || vcpu->again || cpu_ready(cpu) > 0)
		return false;
	/* Where its slice was over, another CPU has taken what it was to make room for, and no timer is set. */
	time_end = charge_time(cpu, vcpu, arch_clock());
	if (cpu->started >= cpu->slice_end)
		cpu->slice_end = cpu->started + slice_ticks;
	set_timer(cpu, time_end);
	return true;
}

/* Until it leaves the CPU. */
static void run_resident(struct cpu *cpu, struct vcpu *vcpu)
{
	begin_slice(cpu, vcpu);
	do {
		vcpu->leave = LEAVE_NOT;
		if (vcpu->again)
			vcpu->again(vcpu);
		vcpu_attend(vcpu);
		if (!sched_leaves(vcpu))
			arch_vcpu_run(vcpu);
	} while (stays(cpu, vcpu));
}

static void run(struct cpu *cpu, struct vcpu *vcpu)
{
	if (!begin(cpu, vcpu))
		return;
	load(cpu, vcpu);
	run_resident(cpu, vcpu);
	if (!vm_is_running(vcpu->vm))
		shootdown_kick(vcpu->vm); /* the others of the VM are to leave, too */
	unload(cpu, vcpu);
	charge_time(cpu, vcpu, arch_clock());
	if (cpu->started > cpu->slice_end)
		note_overrun(cpu, vcpu);
	leave(cpu, vcpu);
}

/* --- The loop -------------------------------------------------------------------------------------------------------- */

static struct vcpu *pick(struct cpu *cpu)
{
	struct vcpu *vcpu = run_queue_take(cpu, cpu);

	return vcpu ? vcpu : run_queue_take_from_others(cpu);
}

/* Sleep, unless something has come since the queue was found empty. */
static void idle(struct cpu *cpu)
{
	__atomic_store_n(&cpu->idle, true, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (cpu_ready(cpu) == 0 && !__atomic_load_n(&stopped, __ATOMIC_RELAXED))
		cpu_sleep(cpu, NEVER);
	__atomic_store_n(&cpu->idle, false, __ATOMIC_RELAXED);
	shootdown_serve_on(cpu);
	timed_wake(cpu, arch_clock());
}

void sched_call(void (*what)(void))
{
	__atomic_store_n(&errand, what, __ATOMIC_RELEASE);
}

/* Carry out what sched_call has asked for. Returns what time it is then. */
static uint64_t run_errand(uint64_t now)
{
	void (*what)(void) = __atomic_load_n(&errand, __ATOMIC_RELAXED);

	if (!what || !__atomic_compare_exchange_n(&errand, &what, NULL, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return now;
	what();
	return arch_clock();
}

void sched_run(void)
{
	struct cpu *cpu = arch_this_cpu();

	for (;;) {
		uint64_t now = arch_clock();
		struct vcpu *vcpu;

		keyboard_poll(now);
		/* Who comes into the CPU next pays for coming there. */
		cpu->started = run_errand(now);
		/* Where a long call has just been left, the interrupt for these is still pending. */
		timed_wake(cpu, now);
		vcpu = pick(cpu);
		if (vcpu)
			run(cpu, vcpu);
		else if (__atomic_load_n(&stopped, __ATOMIC_ACQUIRE))
			break;
		else
			idle(cpu);
	}
	arch_timer_set(NEVER);
}

void sched_stop(void)
{
	__atomic_store_n(&stopped, true, __ATOMIC_SEQ_CST);
	for (unsigned i = 0; i < cpu_count; i++)
		if (cpu_of(i) != arch_this_cpu() && cpu_is_online(cpu_of(i)))
			arch_ipi_send(cpu_of(i));
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* See tests/host/sched_machine.h. */
#define _GNU_SOURCE /* sem_clockwait */
#include "tests/host/sched_machine.h"

#include <sched.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "include/arch/cpu.h"
#include "include/arch/machine.h"
#include "vmm/keyboard.h"
#include "vmm/shootdown.h"

#define HANGS 300 /* seconds */

struct machine machine;

static struct fake_cpu *this_fake(void)
{
	return &machine.cpus[arch_this_cpu()->id];
}

/* --- The ISA ----------------------------------------------------------------------------------------------------------- */

void arch_this_cpu_set(struct cpu *cpu)
{
	test_this_cpu = cpu;
}

/* Nanoseconds. */
uint64_t arch_clock(void)
{
	struct timespec now;

	if (machine.clock)
		return machine.clock;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

uint64_t arch_clock_frequency(void)
{
	return 1000000000;
}

void arch_timer_set(uint64_t deadline)
{
	this_fake()->deadline = deadline;
}

void arch_ipi_send(const struct cpu *to)
{
	struct fake_cpu *fake = &machine.cpus[to->id];

	__atomic_or_fetch(&fake->pending, CPU_EVENT_IPI, __ATOMIC_SEQ_CST);
	sem_post(&fake->wake);
}

static bool is_interrupted(void)
{
	struct fake_cpu *fake = this_fake();

	return __atomic_load_n(&fake->pending, __ATOMIC_ACQUIRE) != 0 || arch_clock() >= fake->deadline;
}

unsigned arch_interrupts_take(void)
{
	struct fake_cpu *fake = this_fake();
	unsigned events = __atomic_exchange_n(&fake->pending, 0, __ATOMIC_SEQ_CST);

	while (sem_trywait(&fake->wake) == 0)
		;
	/* One that was posted for what has come since is posted again. */
	if (__atomic_load_n(&fake->pending, __ATOMIC_SEQ_CST) != 0)
		sem_post(&fake->wake);
	if (arch_clock() >= fake->deadline) {
		fake->deadline = UINT64_MAX;
		events |= CPU_EVENT_TIMER;
	}
	return events;
}

void arch_cpu_wait(void)
{
	struct fake_cpu *fake = this_fake();
	struct timespec until = { .tv_sec = (time_t)(fake->deadline / 1000000000), .tv_nsec = (long)(fake->deadline % 1000000000) };

	if (fake->deadline == UINT64_MAX)
		sem_wait(&fake->wake);
	else if (!is_interrupted())
		sem_clockwait(&fake->wake, CLOCK_MONOTONIC, &until);
	sem_post(&fake->wake); /* it is still pending, until it is taken */
}

void arch_cpu_pause(void)
{
	sched_yield();
}

_Noreturn void arch_halt(void)
{
	abort();
}

void arch_flush_resident(struct vcpu *vcpu)
{
	guest_of(vcpu)->cached = 0;
}

void arch_vcpu_get(struct vcpu *vcpu)
{
	struct guest *guest = guest_of(vcpu);
	uint64_t pin = vcpu->vm->options.pin;

	MUST(!guest->on, "vCPU %u is on CPU %u already", vcpu->id, guest->on->id);
	MUST(!vm_of(guest)->frozen, "vCPU %u comes into a CPU while its VM is copied", vcpu->id);
	MUST(pin == 0 || pin >> arch_this_cpu()->id & 1, "it may not run on CPU %u", arch_this_cpu()->id);
	guest->on = arch_this_cpu();
}

void arch_vcpu_put(struct vcpu *vcpu)
{
	struct guest *guest = guest_of(vcpu);

	MUST(guest->on == arch_this_cpu(), "vCPU %u is not on CPU %u", vcpu->id, arch_this_cpu()->id);
	guest->on = NULL;
	machine_count(&machine.puts);
}

void arch_vcpu_deliver(struct vcpu *vcpu)
{
	MUST(guest_of(vcpu)->on == arch_this_cpu(), "vCPU %u is not here", vcpu->id);
	__atomic_store_n(&guest_of(vcpu)->pending, 0, __ATOMIC_RELAXED);
	machine_count(&machine.delivered);
}

void arch_vcpu_start(struct vcpu *vcpu, struct vcpu *by, uint64_t entry, uint64_t argument)
{
	struct guest *guest = guest_of(vcpu);

	(void)by;
	(void)entry;
	MUST(!guest->on, "vCPU %u is started while it runs", vcpu->id);
	guest->rng.state = argument;
}

void console_stream_flush(struct console_stream *stream)
{
	(void)stream;
}

/* There is no keyboard. */
uint64_t keyboard_due = NEVER;

void keyboard_look(uint64_t now)
{
	MUST(now == NEVER, "it is looked at");
}

/* A CPU that sleeps wakes for it. */
uint64_t keyboard_watch(void)
{
	return arch_clock() + 1000;
}

void keyboard_unwatch(uint64_t until)
{
	(void)until;
}

bool device_listens(struct device_table *table)
{
	(void)table;
	return true;
}

/* As the world switch does, and vm_handle_exit with what is left. False: the vCPU leaves the CPU. */
static bool interrupted(struct vcpu *vcpu)
{
	uint64_t before = vcpu->preemptions;
	unsigned left = vm_take_interrupts(vcpu);

	if (vcpu->preemptions != before)
		machine_count(&machine.preemptions);
	if (left == 0) {
		MUST(vcpu->leave == LEAVE_NOT, "vCPU %u is to leave its CPU, and goes on", vcpu->id);
		return true;
	}
	MUST(left == EXIT_INTERRUPTED || (left == EXIT_ATTENTION && !sched_leaves(vcpu)), "the interrupts of vCPU %u are left",
	     vcpu->id);
	if (vm_is_running(vcpu->vm) && sched_time_is_up(vcpu))
		vm_end(vcpu->vm, VM_TIMED_OUT, 0);
	vcpu_attend(vcpu);
	return !sched_leaves(vcpu);
}

/* The end of an exit that the step has made; without one only an interrupt stops it. */
static bool goes_on(struct vcpu *vcpu)
{
	if (vcpu->leave == LEAVE_NOT)
		return true;
	vcpu_attend(vcpu);
	return !sched_leaves(vcpu);
}

void arch_vcpu_run(struct vcpu *vcpu)
{
	struct guest *guest = guest_of(vcpu);

	MUST(this_fake()->deadline != UINT64_MAX, "vCPU %u runs, and nothing will take the CPU from it", vcpu->id);
	do {
		guest->step(guest);
		guest->steps++;
	} while (is_interrupted() ? interrupted(vcpu) : goes_on(vcpu));
	sched_yield(); /* another CPU may take what this one makes room for */
}

/* --- VMs --------------------------------------------------------------------------------------------------------------- */

struct guest_vm *machine_new_vm(guest_step step, unsigned vcpus, bool (*ended)(struct vm *vm))
{
	struct guest_vm *vm = host_zeros(sizeof(*vm));

	spin_init(&vm->vm.lock, LOCK_VM);
	vm->vm.ended = ended;
	vm->vm.vcpus = vcpus;
	vm->epoch = vm->dead = 1;
	for (unsigned i = 0; i < vcpus; i++) {
		struct guest *guest = &vm->guests[i];

		guest->vcpu.vm = &vm->vm;
		guest->vcpu.fast = true;
		guest->vcpu.id = i;
		guest->vcpu.wake_at = NEVER;
		guest->step = step;
		vm->vm.vcpu_table[i] = &guest->vcpu;
	}
	__atomic_add_fetch(&machine.live, 1, __ATOMIC_RELAXED);
	return vm;
}

void machine_check_ended(struct guest_vm *vm)
{
	MUST(!vm->ended, "it ends twice");
	vm->ended = true;
	MUST(vm->vm.cpus == 0 && vm->vm.running == 0 && vm->vm.active == 0 && vm->vm.timed == 0, "something of it still runs");
	for (unsigned i = 0; i < vm->vm.vcpus; i++)
		MUST(!vm->guests[i].on && !vm->guests[i].vcpu.timed, "vCPU %u is in a CPU, or waits there", i);
}

void machine_start_vm(struct guest_vm *vm)
{
	sched_add(&vm->vm);
	sched_start(&vm->guests[0].vcpu);
}

bool machine_vm_over(struct vm *ended)
{
	struct guest_vm *vm = CONTAINER_OF(ended, struct guest_vm, vm);

	machine_check_ended(vm);
	free(vm);
	__atomic_sub_fetch(&machine.live, 1, __ATOMIC_RELAXED);
	return false;
}

/* --- What guests do ---------------------------------------------------------------------------------------------------- */

void machine_use_translations(struct guest *guest)
{
	struct guest_vm *vm = vm_of(guest);

	for (unsigned i = 0; i < 50; i++) {
		uint64_t dead = __atomic_load_n(&vm->dead, __ATOMIC_ACQUIRE);

		if (guest->cached == 0)
			guest->cached = __atomic_load_n(&vm->epoch, __ATOMIC_ACQUIRE);
		if (i == 25 && host_chance(&guest->rng, 10))
			sched_yield(); /* another thread is to be in the midst of something else */
		MUST(guest->cached >= dead, "translations of epoch %ju are used, and those before %ju are gone",
		     (uintmax_t)guest->cached, (uintmax_t)dead);
	}
}

void machine_spin(struct guest *guest)
{
	machine_use_translations(guest);
	if (machine_is_closing())
		vm_end(guest->vcpu.vm, VM_EXITED, 0);
}

void machine_interrupt(struct guest *guest)
{
	__atomic_store_n(&guest->pending, 1, __ATOMIC_RELEASE);
	sched_notify(&guest->vcpu);
}

/* --- The runs ---------------------------------------------------------------------------------------------------------- */

static void *run_cpu(void *context)
{
	arch_this_cpu_set(context);
	sched_run();
	return NULL;
}

void machine_start(unsigned cpus_used)
{
	cpu_count = cpus_used;
	memset(&machine, 0, sizeof(machine));
	for (unsigned i = 0; i < cpus_used; i++) {
		cpu_of(i)->id = i;
		cpu_of(i)->online = true;
		machine.cpus[i].deadline = UINT64_MAX;
		assert_int_equal(sem_init(&machine.cpus[i].wake, 0, 0), 0);
	}
	arch_this_cpu_set(cpu_of(0)); /* what is started before the CPUs run is started by it */
	sched_init(MACHINE_SLICE);
}

void machine_run(unsigned milliseconds)
{
	struct timespec time = { .tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000L };

	alarm(HANGS);
	for (unsigned i = 0; i < cpu_count; i++)
		assert_int_equal(pthread_create(&machine.cpus[i].thread, NULL, run_cpu, cpu_of(i)), 0);
	nanosleep(&time, NULL);
	__atomic_store_n(&machine.closing, true, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < cpu_count; i++)
		pthread_join(machine.cpus[i].thread, NULL);
	alarm(0);
	CHECK_EQ(machine.live, 0);
	CHECK_EQ(sched_awake, 0);
	for (unsigned i = 0; i < cpu_count; i++)
		CHECK(!cpu_of(i)->queue.first && cpu_of(i)->queue.length == 0 && !cpu_of(i)->timed && !cpu_of(i)->resident,
		      "CPU %u still has something", i);
}

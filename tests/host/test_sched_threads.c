/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The scheduler with threads as CPUs: VMs of several vCPUs that start, wake and wait for each other, stop each other to fork, shoot
 * down what the others have cached, spin and end, by chance. Built twice: with the other host tests, and with the thread sanitizer,
 * which sees a vCPU that is run before the CPU that had it last has let it go.
 *
 * The fakes below stand for the ISA. A CPU takes interrupts between two steps of its guest, and sleeps until one comes.
 */
#define _GNU_SOURCE /* sem_clockwait */
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "include/arch/cpu.h"
#include "include/arch/machine.h"
#include "tests/host/host.h"
#include "vmm/keyboard.h"
#include "vmm/sched.h"
#include "vmm/shootdown.h"
#include "vmm/stop.h"
#include "vmm/vms.h"

#define CPUS     4
#define VCPUS    4
#define VMS      10   /* at a time */
#define FORKS    6    /* more that may be there by forks */
#define SLICE    500  /* microseconds */
#define DEADLINE 2000 /* the latest time, in microseconds, that a vCPU waits until */
#define HANGS    300  /* seconds */

/* Checks in threads: cmocka's cannot end a thread. */
#define MUST(condition, message, ...)                                                    \
	do {                                                                             \
		if (!(condition)) {                                                      \
			fprintf(stderr, "%s: " message "\n", #condition, ##__VA_ARGS__); \
			abort();                                                         \
		}                                                                        \
	} while (0)

struct guest;
typedef void (*guest_step)(struct guest *guest);

/* A vCPU. Plain members: whoever runs it may use them, or has stopped it. */
struct guest {
	struct vcpu vcpu;
	struct cpu *on; /* resident there */
	struct host_rng rng;
	uint64_t cached; /* the VM's translations that this one has seen, by their epoch; 0: none */
	uint64_t steps;
	unsigned pending; /* atomic; interrupts for it that others have raised and it has not taken */
	guest_step step;
};

struct guest_vm {
	struct vm vm;
	struct guest guests[VCPUS];
	uint64_t epoch; /* atomic; of the translations that are in force */
	uint64_t dead;  /* atomic; no CPU may use any of an earlier epoch than this */
	bool frozen;    /* plain: none of its vCPUs comes into a CPU */
	bool ended;
};

static struct {
	struct fake_cpu {
		unsigned pending; /* atomic; enum cpu_event */
		uint64_t deadline;
		sem_t wake;
		pthread_t thread;
	} cpus[CPUS];
	bool closing;  /* atomic: VMs end, and no more are made */
	unsigned live; /* atomic */
	uint64_t made, forks, held, given_up, shootdowns, preemptions, delivered, pauses, errands, puts; /* atomic */
} machine;

static void count(uint64_t *counter)
{
	__atomic_add_fetch(counter, 1, __ATOMIC_RELAXED);
}

static bool is_closing(void)
{
	return __atomic_load_n(&machine.closing, __ATOMIC_RELAXED);
}

static struct guest *guest_of(struct vcpu *vcpu)
{
	return CONTAINER_OF(vcpu, struct guest, vcpu);
}

static struct guest_vm *vm_of(struct guest *guest)
{
	return CONTAINER_OF(guest->vcpu.vm, struct guest_vm, vm);
}

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
	count(&machine.puts);
}

void arch_vcpu_deliver(struct vcpu *vcpu)
{
	MUST(guest_of(vcpu)->on == arch_this_cpu(), "vCPU %u is not here", vcpu->id);
	__atomic_store_n(&guest_of(vcpu)->pending, 0, __ATOMIC_RELAXED);
	count(&machine.delivered);
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
		count(&machine.preemptions);
	if (left == 0) {
		MUST(vcpu->leave == LEAVE_NOT, "vCPU %u is to leave its CPU, and goes on", vcpu->id);
		return true;
	}
	MUST(left == EXIT_INTERRUPTED, "the interrupts of vCPU %u are left", vcpu->id);
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

static struct guest_vm *new_vm(guest_step step, unsigned vcpus, bool (*ended)(struct vm *vm))
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

static void check_ended(struct guest_vm *vm)
{
	MUST(!vm->ended, "it ends twice");
	vm->ended = true;
	MUST(vm->vm.cpus == 0 && vm->vm.running == 0 && vm->vm.active == 0 && vm->vm.timed == 0, "something of it still runs");
	for (unsigned i = 0; i < vm->vm.vcpus; i++)
		MUST(!vm->guests[i].on && !vm->guests[i].vcpu.timed, "vCPU %u is in a CPU, or waits there", i);
}

static void start_vm(struct guest_vm *vm)
{
	sched_add(&vm->vm);
	sched_start(&vm->guests[0].vcpu);
}

/* --- What guests do ---------------------------------------------------------------------------------------------------- */

static void do_anything(struct guest *guest);
static bool another_comes(struct vm *vm);

static void start_by_chance(uint64_t seed)
{
	struct guest_vm *vm = new_vm(do_anything, 1 + (unsigned)(seed % VCPUS), another_comes);

	vm->guests[0].rng.state = seed;
	if (seed % 7 == 0)
		vm->vm.options.pin = BIT(seed % CPUS) | BIT(seed / 8 % CPUS);
	if (seed % 5 == 0)
		vm->vm.options.time_max = 3000;
	start_vm(vm);
}

/* It takes a few pieces until a VM is gone. */
static bool another_comes(struct vm *ended)
{
	struct guest_vm *vm = CONTAINER_OF(ended, struct guest_vm, vm);
	uint64_t number;

	if (vm->vm.cleared++ == 0)
		check_ended(vm);
	if (vm->vm.cleared < 4) {
		usleep(4000);
		return true;
	}
	number = __atomic_add_fetch(&machine.made, 1, __ATOMIC_RELAXED);
	free(vm);
	if (!is_closing() && __atomic_load_n(&machine.live, __ATOMIC_RELAXED) <= VMS)
		start_by_chance(number);
	if (__atomic_sub_fetch(&machine.live, 1, __ATOMIC_RELAXED) == 0)
		sched_stop(); /* none is left that could make another one */
	return false;
}

/* What is cached of the translations may be used as long as they have not been shot down. */
static void use_translations(struct guest *guest)
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

static void shoot_down(struct guest *guest)
{
	struct guest_vm *vm = vm_of(guest);
	uint64_t epoch = __atomic_add_fetch(&vm->epoch, 1, __ATOMIC_SEQ_CST), dead;

	arch_flush_resident(&guest->vcpu);
	shootdown(&vm->vm);
	dead = __atomic_load_n(&vm->dead, __ATOMIC_RELAXED);
	while (dead < epoch && !__atomic_compare_exchange_n(&vm->dead, &dead, epoch, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		;
	count(&machine.shootdowns);
}

/* The child's vCPUs are as the parent's, which are all out of the CPUs: mm and ISA apart, as vm_fork does it. */
static struct guest_vm *copy_vm(struct guest *guest)
{
	struct guest_vm *parent = vm_of(guest), *child = new_vm(do_anything, parent->vm.vcpus, another_comes);

	child->vm.options = parent->vm.options;
	spin_lock(&parent->vm.lock);
	for (unsigned i = 0; i < parent->vm.vcpus; i++) {
		struct guest *from = &parent->guests[i], *to = &child->guests[i];

		MUST(!from->on, "vCPU %u is in CPU %u", i, from->on->id);
		MUST(from->vcpu.state != VCPU_WAITING || !from->pending, "vCPU %u waits with an interrupt pending", i);
		to->rng.state = from->rng.state + 1;
		to->steps = from->steps;
		to->vcpu.state = from->vcpu.state == VCPU_RUNNING || from->vcpu.timed ? VCPU_READY : from->vcpu.state;
	}
	spin_unlock(&parent->vm.lock);
	return child;
}

/*
 * A piece of a fork, of four: the vCPU may leave its CPU after it, while it holds the others. True: there is more. The VM may come
 * to its end in the middle.
 */
static bool piece_of_fork(struct vcpu *vcpu)
{
	if (vm_is_running(vcpu->vm) && sched_time_is_up(vcpu))
		vm_end(vcpu->vm, VM_TIMED_OUT, 0);
	else if (vm_is_running(vcpu->vm) && host_chance(&guest_of(vcpu)->rng, 3))
		vm_end(vcpu->vm, VM_CRASHED, 0);
	if (vcpu->done++ == 3)
		return false;
	usleep(2000);
	return true;
}

/* As fork_piece does. */
static bool fork_goes_on(struct vcpu *vcpu, struct guest_vm **child)
{
	struct guest *guest = guest_of(vcpu);

	*child = NULL;
	if (!sched_stop_others(vcpu)) {
		count(&machine.held);
		return true;
	}
	if (piece_of_fork(vcpu)) {
		vcpu->leave = LEAVE_PIECE;
		return true;
	}
	vcpu->done = 0;
	if (!vm_is_running(vcpu->vm)) {
		count(&machine.given_up);
		return false;
	}
	arch_vcpu_put(vcpu);
	vm_of(guest)->frozen = true;
	usleep(20); /* so that others come to it */
	*child = copy_vm(guest);
	vm_of(guest)->frozen = false;
	arch_vcpu_get(vcpu);
	return false;
}

static void start_child(struct guest_vm *child)
{
	if (!child)
		return;
	sched_add(&child->vm);
	sched_start_fork(&child->vm);
	count(&machine.forks);
}

/* As serve_fork does. */
static void fork_vm(struct vcpu *vcpu)
{
	struct guest_vm *child;

	vcpu->again = NULL;
	if (fork_goes_on(vcpu, &child)) {
		vcpu->again = fork_vm;
		return;
	}
	sched_continue_others(vcpu);
	start_child(child);
}

/* By the wish of who meddles; in half of the cases after something else that was asked. */
static void fork_asked(struct vcpu *vcpu)
{
	struct guest_vm *child;

	if (fork_goes_on(vcpu, &child))
		return;
	start_child(child);
	if (vm_is_running(vcpu->vm) && host_chance(&guest_of(vcpu)->rng, 50)) {
		vcpu->leave = LEAVE_PIECE;
		return;
	}
	sched_asked(vcpu);
	count(&machine.errands);
}

static void interrupt(struct guest *guest)
{
	__atomic_store_n(&guest->pending, 1, __ATOMIC_RELEASE);
	sched_notify(&guest->vcpu);
}

static void wait(struct guest *guest)
{
	guest->vcpu.wake_at = host_chance(&guest->rng, 60) ? arch_clock() + host_below(&guest->rng, DEADLINE) * 1000 : NEVER;
	guest->vcpu.leave_why = "waits";
	guest->vcpu.leave = LEAVE_WAIT;
}

/*
 * As the monitor does, on a CPU that runs no vCPU: stop the VM that is there longest until the next time, let it go on, have it
 * forked, or end it.
 */
static void meddle(void)
{
	struct vm *vm = vms_get(0);
	bool paused = false;

	if (!vm)
		return;
	if (__atomic_load_n(&vm->errand, __ATOMIC_ACQUIRE)) {
		paused = true; /* it may be afterwards: who pauses one sees to that it goes on */
	} else if (arch_clock() % 2 == 0 && __atomic_load_n(&machine.live, __ATOMIC_RELAXED) < VMS + FORKS) {
		paused = sched_ask(vm, fork_asked, 1);
	} else if (vm_is_paused(vm)) {
		sched_go_on(vm);
	} else {
		paused = sched_pause(vm);
		if (arch_clock() % 8 == 0)
			sched_end(vm, VM_EXITED);
	}
	shootdown_kick(vm);
	vms_put();
	count(&machine.pauses);
	if (paused)
		sched_call(meddle);
}

/* All guests end as soon as the machine closes. */
static void do_anything(struct guest *guest)
{
	struct vcpu *vcpu = &guest->vcpu, *other = vm_vcpu(vcpu->vm, host_below(&guest->rng, vcpu->vm->vcpus));
	uint64_t what = host_below(&guest->rng, 1000);

	use_translations(guest);
	if (is_closing())
		vm_end(vcpu->vm, VM_EXITED, 0);
	else if (what < 50)
		(void)!sched_start_at(other, vcpu, 0, host_random(&guest->rng));
	else if (what < 70)
		sched_wake(other);
	else if (what < 90)
		interrupt(guest_of(other));
	else if (what < 110)
		wait(guest);
	else if (what < 130)
		vcpu->leave = LEAVE_YIELD;
	else if (what < 190)
		shoot_down(guest);
	else if (what < 193)
		vcpu->leave = LEAVE_OFF;
	else if (what < 196 && __atomic_load_n(&machine.live, __ATOMIC_RELAXED) < VMS + FORKS)
		fork_vm(vcpu);
	else if (what < 198)
		vm_end(vcpu->vm, VM_CRASHED, 0);
	else if (what < 208)
		sched_call(meddle);
}

/* --- The runs ---------------------------------------------------------------------------------------------------------- */

static void *run_cpu(void *context)
{
	arch_this_cpu_set(context);
	sched_run();
	return NULL;
}

static void start_cpus(unsigned cpus_used)
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
	sched_init(SLICE);
}

static void run_cpus(unsigned milliseconds)
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

/* One VM is there from the first to the last moment, so that the machine closes by the end of a VM. */
static void spin_until_closed(struct guest *guest)
{
	use_translations(guest);
	if (is_closing())
		vm_end(guest->vcpu.vm, VM_EXITED, 0);
}

/* NESTLING_TEST_STEPS is in milliseconds. */
static void vms_come_and_go(void **state)
{
	struct host_rng rng = host_rng("machine", 1);

	(void)state;
	start_cpus(CPUS);
	start_vm(new_vm(spin_until_closed, 1, another_comes));
	for (unsigned i = 1; i < VMS; i++)
		start_by_chance(host_random(&rng));
	run_cpus(host_steps(1500));
	printf("%ju VMs, %ju forks, %ju given up, %ju held, %ju pauses, %ju errands, %ju shoot-downs, %ju preemptions, %ju "
	       "interrupts\n",
	       (uintmax_t)machine.made, (uintmax_t)machine.forks, (uintmax_t)machine.given_up, (uintmax_t)machine.held,
	       (uintmax_t)machine.pauses, (uintmax_t)machine.errands, (uintmax_t)machine.shootdowns, (uintmax_t)machine.preemptions,
	       (uintmax_t)machine.delivered);
	CHECK(machine.made > VMS && machine.forks > 0 && machine.pauses > 0 && machine.errands > 0 && machine.shootdowns > 0 &&
		      machine.preemptions > 0,
	      "nothing happened");
}

static unsigned turns; /* of the VM that gives the CPU away */

static bool vm_over(struct vm *ended)
{
	struct guest_vm *vm = CONTAINER_OF(ended, struct guest_vm, vm);

	check_ended(vm);
	free(vm);
	__atomic_sub_fetch(&machine.live, 1, __ATOMIC_RELAXED);
	return false;
}

static void spin_without_end(struct guest *guest)
{
	struct vm *vm = guest->vcpu.vm;

	MUST(turns > 0 || sched_cpu_time(&guest->vcpu) < 5000000, "nobody else has had the CPU for five seconds");
	if (turns >= 50)
		vm_end(vm, VM_EXITED, 0);
}

static void yield_and_count(struct guest *guest)
{
	if (++turns >= 50)
		vm_end(guest->vcpu.vm, VM_EXITED, 0);
	guest->vcpu.leave = LEAVE_YIELD;
}

/* A guest that never exits by itself is preempted. */
static void who_spins_is_preempted(void **state)
{
	(void)state;
	start_cpus(1);
	turns = 0;
	start_vm(new_vm(spin_without_end, 1, vm_over));
	start_vm(new_vm(yield_and_count, 1, vm_over));
	run_cpus(0);
	CHECK_EQ(turns, 50);
	CHECK(machine.preemptions >= 49, "%ju preemptions", (uintmax_t)machine.preemptions);
}

static void end_vm_asked(struct vcpu *vcpu)
{
	if (!sched_stop_others(vcpu))
		return;
	vm_end(vcpu->vm, VM_EXITED, 0);
	sched_asked(vcpu);
}

/* It was paused before, and would be again; but nobody is to let its vCPUs go any more. */
static void who_ends_when_asked_is_not_paused(void **state)
{
	struct guest_vm *vm;

	(void)state;
	start_cpus(1);
	vm = new_vm(spin_until_closed, 2, vm_over);
	start_vm(vm);
	assert_int_equal(sched_start_at(&vm->guests[1].vcpu, &vm->guests[0].vcpu, 0, 0), ERR_OK);
	assert_true(sched_pause(&vm->vm));
	assert_true(sched_ask(&vm->vm, end_vm_asked, 1));
	assert_false(sched_ask(&vm->vm, end_vm_asked, 1));
	assert_false(sched_pause(&vm->vm));
	sched_stop();
	run_cpus(0);
}

static enum vm_outcome outcome;

static bool note_outcome(struct vm *ended)
{
	outcome = ended->outcome;
	return vm_over(ended);
}

static void spin(struct guest *guest)
{
	MUST(sched_cpu_time(&guest->vcpu) < 5000000, "it runs on and on");
}

static void time_is_limited(void **state)
{
	struct guest_vm *vm;

	(void)state;
	start_cpus(1);
	vm = new_vm(spin, 1, note_outcome);
	vm->vm.options.time_max = 10000;
	start_vm(vm);
	run_cpus(0);
	CHECK_EQ(outcome, VM_TIMED_OUT);
}

/* One that waits where nobody wants its CPU stays there. */
static void wait_for_a_while(struct guest *guest)
{
	if (++turns >= 50)
		vm_end(guest->vcpu.vm, VM_EXITED, 0);
	guest->vcpu.wake_at = arch_clock() + 100000;
	guest->vcpu.leave = LEAVE_WAIT;
}

static void who_waits_alone_rests(void **state)
{
	(void)state;
	start_cpus(1);
	turns = 0;
	start_vm(new_vm(wait_for_a_while, 1, vm_over));
	run_cpus(0);
	CHECK_EQ(turns, 50);
	CHECK_EQ(machine.puts, 1);
}

static unsigned turn; /* atomic: whose it is */

/* Two that wait for each other's word, without a deadline; at last nobody says one. */
static void pass_on(struct guest *guest)
{
	struct vcpu *vcpu = &guest->vcpu, *other = vm_vcpu(vcpu->vm, !vcpu->id);

	if (__atomic_load_n(&turn, __ATOMIC_ACQUIRE) == vcpu->id && turns < 500) {
		turns++;
		__atomic_store_n(&turn, other->id, __ATOMIC_RELEASE);
		interrupt(guest_of(other));
	} else {
		vcpu->wake_at = NEVER;
		vcpu->leave = LEAVE_WAIT;
	}
}

static void who_rests_is_woken_and_the_last_halts(void **state)
{
	struct guest_vm *vm;

	(void)state;
	start_cpus(2);
	turns = turn = 0;
	vm = new_vm(pass_on, 2, note_outcome);
	start_vm(vm);
	assert_int_equal(sched_start_at(&vm->guests[1].vcpu, &vm->guests[0].vcpu, 0, 0), ERR_OK);
	run_cpus(0);
	CHECK_EQ(turns, 500);
	CHECK_EQ(outcome, VM_EXITED);
}

int main(void)
{
	/* After the first of these the scheduler is stopped: it returns when there is nothing to run. */
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vms_come_and_go),
		cmocka_unit_test(who_spins_is_preempted),
		cmocka_unit_test(who_ends_when_asked_is_not_paused),
		cmocka_unit_test(time_is_limited),
		cmocka_unit_test(who_waits_alone_rests),
		cmocka_unit_test(who_rests_is_woken_and_the_last_halts),
	};

	return cmocka_run_group_tests_name("sched_threads", tests, NULL, NULL);
}

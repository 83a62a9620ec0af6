/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The scheduler with threads as CPUs: VMs of several vCPUs that start, wake and wait for each other, stop each other to fork, shoot
 * down what the others have cached, spin and end, by chance. Built twice: with the other host tests, and with the thread sanitizer,
 * which sees a vCPU that is run before the CPU that had it last has let it go.
 */
#include <string.h>
#include <unistd.h>

#include "include/arch/virt.h"
#include "tests/host/sched_machine.h"
#include "vmm/shootdown.h"
#include "vmm/stop.h"
#include "vmm/vms.h"

#define VMS      10   /* at a time */
#define FORKS    6    /* more that may be there by forks */
#define DEADLINE 2000 /* the latest time, in microseconds, that a vCPU waits until */

/* --- What guests do ---------------------------------------------------------------------------------------------------- */

static void do_anything(struct guest *guest);
static bool another_comes(struct vm *vm);

static void start_by_chance(uint64_t seed)
{
	struct guest_vm *vm = machine_new_vm(do_anything, 1 + (unsigned)(seed % MACHINE_VCPUS), another_comes);

	vm->guests[0].rng.state = seed;
	if (seed % 7 == 0)
		vm->vm.options.pin = BIT(seed % MACHINE_CPUS) | BIT(seed / 8 % MACHINE_CPUS);
	if (seed % 5 == 0)
		vm->vm.options.time_max = 3000;
	machine_start_vm(vm);
}

/* It takes a few pieces until a VM is gone. */
static bool another_comes(struct vm *ended)
{
	struct guest_vm *vm = CONTAINER_OF(ended, struct guest_vm, vm);
	uint64_t number;

	if (vm->vm.cleared++ == 0)
		machine_check_ended(vm);
	if (vm->vm.cleared < 4) {
		usleep(4000);
		return true;
	}
	number = __atomic_add_fetch(&machine.made, 1, __ATOMIC_RELAXED);
	free(vm);
	if (!machine_is_closing() && __atomic_load_n(&machine.live, __ATOMIC_RELAXED) <= VMS)
		start_by_chance(number);
	if (__atomic_sub_fetch(&machine.live, 1, __ATOMIC_RELAXED) == 0)
		sched_stop(); /* none is left that could make another one */
	return false;
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
	machine_count(&machine.shootdowns);
}

/* The child's vCPUs are as the parent's, which are all out of the CPUs: mm and ISA apart, as vm_fork does it. */
static struct guest_vm *copy_vm(struct guest *guest)
{
	struct guest_vm *parent = vm_of(guest), *child = machine_new_vm(do_anything, parent->vm.vcpus, another_comes);

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
		machine_count(&machine.held);
		return true;
	}
	if (piece_of_fork(vcpu)) {
		vcpu->leave = LEAVE_PIECE;
		return true;
	}
	vcpu->done = 0;
	if (!vm_is_running(vcpu->vm)) {
		machine_count(&machine.given_up);
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
	machine_count(&machine.forks);
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
	machine_count(&machine.errands);
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
	machine_count(&machine.pauses);
	if (paused)
		sched_call(meddle);
}

/* All guests end as soon as the machine closes. */
static void do_anything(struct guest *guest)
{
	struct vcpu *vcpu = &guest->vcpu, *other = vm_vcpu(vcpu->vm, host_below(&guest->rng, vcpu->vm->vcpus));
	uint64_t what = host_below(&guest->rng, 1000);

	machine_use_translations(guest);
	if (machine_is_closing())
		vm_end(vcpu->vm, VM_EXITED, 0);
	else if (what < 50)
		(void)!sched_start_at(other, vcpu, 0, host_random(&guest->rng));
	else if (what < 70)
		sched_wake(other);
	else if (what < 90)
		machine_interrupt(guest_of(other));
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
/* --- The run ----------------------------------------------------------------------------------------------------------- */

/* NESTLING_TEST_STEPS is in milliseconds. */
static void vms_come_and_go(void **state)
{
	struct host_rng rng = host_rng("machine", 1);

	(void)state;
	machine_start(MACHINE_CPUS);
	/* One VM is there from the first to the last moment, so that the machine closes by the end of a VM. */
	machine_start_vm(machine_new_vm(machine_spin, 1, another_comes));
	for (unsigned i = 1; i < VMS; i++)
		start_by_chance(host_random(&rng));
	machine_run(host_steps(1500));
	printf("%ju VMs, %ju forks, %ju given up, %ju held, %ju pauses, %ju errands, %ju shoot-downs, %ju preemptions, %ju "
	       "interrupts\n",
	       (uintmax_t)machine.made, (uintmax_t)machine.forks, (uintmax_t)machine.given_up, (uintmax_t)machine.held,
	       (uintmax_t)machine.pauses, (uintmax_t)machine.errands, (uintmax_t)machine.shootdowns, (uintmax_t)machine.preemptions,
	       (uintmax_t)machine.delivered);
	CHECK(machine.made > VMS && machine.forks > 0 && machine.pauses > 0 && machine.errands > 0 && machine.shootdowns > 0 &&
		      machine.preemptions > 0,
	      "nothing happened");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vms_come_and_go),
	};

	return cmocka_run_group_tests_name("sched_threads", tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The scheduler, one promise at a time: who spins is preempted, gets its share and no more, and is ended in time; who waits rests,
 * is woken, and halts if nothing can wake it. Built twice, as tests/host/test_sched_threads.c is.
 */
#include "include/arch/virt.h"
#include "tests/host/sched_machine.h"
#include "vmm/stop.h"

static unsigned turns; /* of the VM that gives the CPU away */

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
	machine_start(1);
	turns = 0;
	machine_start_vm(machine_new_vm(spin_without_end, 1, machine_vm_over));
	machine_start_vm(machine_new_vm(yield_and_count, 1, machine_vm_over));
	machine_run(0);
	CHECK_EQ(turns, 50);
	CHECK(machine.preemptions >= 49, "%ju preemptions", (uintmax_t)machine.preemptions);
}

#define SHARED 1000 /* milliseconds that two VMs share a CPU for */

static uint64_t shares[2]; /* ticks that each had */

static void note_share(struct guest *guest, unsigned which)
{
	shares[which] = guest->vcpu.vm->cpu_time;
	if (machine.clock > SHARED * 1000000ul)
		vm_end(guest->vcpu.vm, VM_EXITED, 0);
}

/* It cannot be interrupted for a good part of a slice, and once for some slices. */
static void work_in_pieces(struct guest *guest)
{
	machine.clock += guest->steps == 100 ? 3000000 : 300000;
	note_share(guest, 0);
}

static void work_exactly(struct guest *guest)
{
	machine.clock += 1000;
	note_share(guest, 1);
}

/* The longer turns of one are made good by shorter ones. */
static void who_leaves_late_gets_no_more(void **state)
{
	uint64_t all;

	(void)state;
	machine_start(1);
	machine.clock = 1;
	machine_start_vm(machine_new_vm(work_in_pieces, 1, machine_vm_over));
	machine_start_vm(machine_new_vm(work_exactly, 1, machine_vm_over));
	machine_run(0);
	all = shares[0] + shares[1];
	CHECK(shares[0] * 100 / all == 49 || shares[0] * 100 / all == 50, "it got %ju of %ju", (uintmax_t)shares[0],
	      (uintmax_t)all);
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
	machine_start(1);
	vm = machine_new_vm(machine_spin, 2, machine_vm_over);
	machine_start_vm(vm);
	assert_int_equal(sched_start_at(&vm->guests[1].vcpu, &vm->guests[0].vcpu, 0, 0), ERR_OK);
	assert_true(sched_pause(&vm->vm));
	assert_true(sched_ask(&vm->vm, end_vm_asked, 1));
	assert_false(sched_ask(&vm->vm, end_vm_asked, 1));
	assert_false(sched_pause(&vm->vm));
	sched_stop();
	machine_run(0);
}

static enum vm_outcome outcome;

static bool note_outcome(struct vm *ended)
{
	outcome = ended->outcome;
	return machine_vm_over(ended);
}

static void spin(struct guest *guest)
{
	MUST(sched_cpu_time(&guest->vcpu) < 5000000, "it runs on and on");
}

static void time_is_limited(void **state)
{
	struct guest_vm *vm;

	(void)state;
	machine_start(1);
	vm = machine_new_vm(spin, 1, note_outcome);
	vm->vm.options.time_max = 10000;
	machine_start_vm(vm);
	machine_run(0);
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
	machine_start(1);
	turns = 0;
	machine_start_vm(machine_new_vm(wait_for_a_while, 1, machine_vm_over));
	machine_run(0);
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
		machine_interrupt(guest_of(other));
	} else {
		vcpu->wake_at = NEVER;
		vcpu->leave = LEAVE_WAIT;
	}
}

static void who_rests_is_woken_and_the_last_halts(void **state)
{
	struct guest_vm *vm;

	(void)state;
	machine_start(2);
	turns = turn = 0;
	vm = machine_new_vm(pass_on, 2, note_outcome);
	machine_start_vm(vm);
	assert_int_equal(sched_start_at(&vm->guests[1].vcpu, &vm->guests[0].vcpu, 0, 0), ERR_OK);
	machine_run(0);
	CHECK_EQ(turns, 500);
	CHECK_EQ(outcome, VM_EXITED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_spins_is_preempted),
		cmocka_unit_test(who_leaves_late_gets_no_more),
		cmocka_unit_test(who_ends_when_asked_is_not_paused),
		cmocka_unit_test(time_is_limited),
		cmocka_unit_test(who_waits_alone_rests),
		cmocka_unit_test(who_rests_is_woken_and_the_last_halts),
	};

	sched_stop(); /* a CPU is done when there is nothing to run */
	return cmocka_run_group_tests_name("sched", tests, NULL, NULL);
}

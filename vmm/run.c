/* SPDX-License-Identifier: BSD-2-Clause */
/* The slow path of exits: see why a guest stopped, and do what that asks for. */
#include "vmm/run.h"

#include <stdio.h>

#include "include/arch/virt.h"
#include "include/log.h"
#include "mm/frame.h"
#include "vmm/clones.h"
#include "vmm/control.h"
#include "vmm/post_mortem.h"
#include "vmm/sched.h"
#include "vmm/serve.h"
#include "vmm/text.h"
#include "vmm/time_out.h"
#include "vmm/trace.h"

/* Only so many denied accesses are logged, so that a guest cannot flood the console. */
#define DENIED_LOGGED 4

/* What is wrong with the access, into `text`. */
static void fault_text(struct vm *vm, gpa_t gpa, enum fault_outcome outcome, char *text, size_t size)
{
	struct addr_space_area area;
	char prot[TEXT_PROT_ROOM];

	if (outcome == FAULT_NO_MEMORY && addr_space_limit_reached(&vm->as))
		snprintf(text, size, "the VM's memory_max is reached: %lu bytes of %lu are used, %lu resident, %lu of tables",
			 __atomic_load_n(&vm->tree->limit.used, __ATOMIC_RELAXED), vm->options.memory_max,
			 addr_space_get_stats(&vm->as).resident, addr_space_table_bytes(&vm->as));
	else if (outcome == FAULT_NO_MEMORY)
		snprintf(text, size,
			 "the host has no frame left for it: %lu bytes free, %lu resident of %lu promised, %lu of tables",
			 frame_get_stats().free, addr_space_get_stats(&vm->as).resident, vm->options.ram,
			 addr_space_table_bytes(&vm->as));
	else if (outcome == FAULT_UNMAPPED || !addr_space_area_at(&vm->as, gpa, &area))
		snprintf(text, size, "the guest has no memory there");
	else
		snprintf(text, size, "area %#lx-%#lx is %s", area.start.raw, area.start.raw + area.size,
			 text_prot(prot, area.prot));
}

/* A fault that ends the run: what it was, and where everything stood. */
static void fault_ends(struct vcpu *vcpu, const struct vm_exit *exit, enum fault_outcome outcome)
{
	static const enum vm_outcome ends[] = {
		[FAULT_DENIED] = VM_DENIED,
		[FAULT_UNMAPPED] = VM_UNMAPPED,
		[FAULT_NO_MEMORY] = VM_NO_MEMORY,
	};
	struct vm *vm = vcpu->vm;
	char why[192];

	fault_text(vm, exit->fault.gpa, outcome, why, sizeof(why));
	log_vm_err(vm, "guest %s at %#lx%s, pc %#lx: %s", access_text(exit->fault.access), exit->fault.gpa.raw,
		   exit->fault.on_guest_walk ? " (by its own page walk)" : "", exit->pc, why);
	post_mortem(vcpu, &exit->fault.gpa);
	vm_end(vm, ends[outcome], 0);
}

/* Inject the platform's fault, which the guest has asked for (FAULT_MODE_INJECT). False: it cannot take one here. */
static bool inject_denied(struct vcpu *vcpu, const struct vm_exit *exit)
{
	struct vm *vm = vcpu->vm;
	char why[80];

	if (!vm->inject_denied || !arch_inject_denied(vcpu, exit))
		return false;
	if (vm->denied_logged >= DENIED_LOGGED)
		return true;
	vm->denied_logged++;
	fault_text(vm, exit->fault.gpa, FAULT_DENIED, why, sizeof(why));
	log_vm_warn(vm, "guest %s at %#lx%s, pc %#lx: %s; it gets a fault%s", access_text(exit->fault.access), exit->fault.gpa.raw,
		    exit->fault.on_guest_walk ? " (by its own page walk)" : "", exit->pc, why,
		    vm->denied_logged == DENIED_LOGGED ? "; further ones are not logged" : "");
	return true;
}

static void serve_devices_again(struct vcpu *vcpu);

/* What a device has to do in the guest's memory is done before the guest goes on, in pieces, between which others may run. */
static void serve_devices(struct vcpu *vcpu)
{
	if (!vm_is_running(vcpu->vm) || !device_work(&vcpu->vm->devices))
		return;
	vcpu->again = serve_devices_again;
	vcpu->leave = LEAVE_PIECE;
}

static void serve_devices_again(struct vcpu *vcpu)
{
	vcpu->again = NULL;
	if (vm_is_running(vcpu->vm) && sched_time_is_up(vcpu))
		vm_time_out(vcpu);
	serve_devices(vcpu);
}

static void handle_io(struct vcpu *vcpu, struct vm_exit *exit)
{
	if (exit->io.space == IO_PORT)
		vcpu->exits.pio++;
	else
		vcpu->exits.mmio++;
	exit->io.vcpu = (uint8_t)vcpu->id;
	device_access(&vcpu->vm->devices, &exit->io);
	arch_vcpu_finish_io(vcpu, exit);
	/* Not in the place of what this access has asked for: another vCPU is at that work then. */
	if (device_wants(&vcpu->vm->devices) && !vcpu->again)
		serve_devices(vcpu);
	addr_space_zero_ahead(vcpu->view); /* a guest that writes to its console is not waiting for memory: clear frames now */
}

/* Where there is no memory: a device? What has been counted as a fault is none then. The counters are this vCPU's own. */
static bool fault_is_io(struct vcpu *vcpu, struct vm_exit *exit)
{
	if (!device_is_at(&vcpu->vm->devices, IO_MEMORY, exit->fault.gpa.raw) || !arch_decode_device(vcpu, exit))
		return false;
	vcpu->exits.fault--;
	vcpu->view->stats.faults[FAULT_UNMAPPED]--;
	handle_io(vcpu, exit);
	return true;
}

static void fault_not_handled(struct vcpu *vcpu, struct vm_exit *exit, enum fault_outcome outcome)
{
	if (outcome == FAULT_SPURIOUS)
		arch_npt_flush_local(vcpu, exit->fault.gpa);
	else if (outcome == FAULT_UNMAPPED && fault_is_io(vcpu, exit))
		return;
	else if (outcome != FAULT_DENIED || !inject_denied(vcpu, exit))
		fault_ends(vcpu, exit, outcome);
}

/* A call that is not done yet is served again when the vCPU gets the CPU again: vcpu->again. */
static void handle_hypercall(struct vcpu *vcpu, struct vm_exit *exit)
{
	uint64_t result = hypercall_serve(vcpu, &exit->hypercall);

	if (vcpu->again)
		return;
	exit->outcome = (int64_t)result < 0;
	arch_vcpu_finish_hypercall(vcpu, result);
}

/* An exit that ends the run: the guest cannot go on, or its exit is refused. */
static void crash(struct vcpu *vcpu, const struct vm_exit *exit)
{
	char what[256];

	arch_exit_describe(vcpu, exit, what, sizeof(what));
	log_vm_err(vcpu->vm, "guest stopped at pc %#lx: %s", exit->pc, what);
	post_mortem(vcpu, NULL);
	vm_end(vcpu->vm, VM_CRASHED, 0);
}

/* Of a VM that is not traced the interrupts have been taken. */
static void handle_interrupt(struct vcpu *vcpu, const struct vm_exit *exit)
{
	if (exit->outcome != EXIT_INTERRUPTED && exit->outcome != EXIT_ATTENTION)
		sched_interrupt(vcpu);
	if (vm_is_running(vcpu->vm) && sched_time_is_up(vcpu))
		vm_time_out(vcpu);
}

/* The kinds of exit that are rare enough to be counted together. */
static void handle_other(struct vcpu *vcpu, struct vm_exit *exit)
{
	vcpu->exits.other++;
	switch (exit->kind) {
	case VM_EXIT_HALT:
		vcpu->leave_why = NULL;
		vcpu->leave = LEAVE_WAIT;
		break;
	case VM_EXIT_INTERRUPT:
		handle_interrupt(vcpu, exit);
		break;
	case VM_EXIT_ARCH:
		if (!arch_handle_exit(vcpu, exit))
			crash(vcpu, exit);
		break;
	default:
		crash(vcpu, exit);
		break;
	}
}

static void serve_exit(struct vcpu *vcpu, struct vm_exit *exit)
{
	switch (exit->kind) {
	case VM_EXIT_FAULT:
		if (exit->outcome == FAULT_NOT_SERVED) {
			vcpu->exits.fault++;
			exit->outcome = (uint8_t)addr_space_handle_fault(vcpu->view, &exit->fault);
		}
		if (exit->outcome != FAULT_HANDLED)
			fault_not_handled(vcpu, exit, (enum fault_outcome)exit->outcome);
		break;
	case VM_EXIT_IO:
		handle_io(vcpu, exit);
		break;
	case VM_EXIT_HYPERCALL:
		handle_hypercall(vcpu, exit);
		break;
	default:
		handle_other(vcpu, exit);
		break;
	}
}

static void serve_traced(struct vcpu *vcpu, struct vm_exit *exit)
{
	struct trace_start start;

	trace_begin(vcpu, &start);
	serve_exit(vcpu, exit);
	trace_end(vcpu, exit, &start);
}

bool vm_handle_exit(struct vcpu *vcpu, unsigned left)
{
	struct vm_exit *exit = vm_last_exit(vcpu);

	exit->outcome = (uint8_t)left;
	if (exit->kind == VM_EXIT_UNDECODED)
		arch_vcpu_decode(vcpu, exit);
	if (vcpu->vm->traced)
		serve_traced(vcpu, exit);
	else
		serve_exit(vcpu, exit);
	vcpu_attend(vcpu);
	return !sched_leaves(vcpu);
}

void vm_start(struct vm *vm, uint64_t when)
{
	static const hypercall_fn none[HYPERCALL_COUNT] = { [0 ... HYPERCALL_COUNT - 1] = hypercall_later };

	vm->traced = trace_wanted(&vm->options);
	for (unsigned i = 0; i < vm->vcpus; i++) {
		vm->vcpu_table[i]->fast = !vm->traced;
		vm->vcpu_table[i]->calls = vm->traced ? none : hypercalls_fast;
	}
	control_start(vm);
	sched_add(vm);
	clones_expect(vm);
	/* Its first vCPU is off, and nobody else starts it. The monitor may have ended the VM already: then it sees to that. */
	if (when == 0)
		sched_start(&vm->vcpu);
	else
		sched_start_later(&vm->vcpu, when);
}

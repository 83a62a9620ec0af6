/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control page of a VM: its figures are those of MEMORY_INFO, its calls some of the hypercalls, which the vCPU makes that asks.
 * And its panic device, which ends it.
 */
#include "vmm/control.h"

#include <string.h>

#include "vmm/hypercall.h"
#include "vmm/post_mortem.h"

/* Those that mean the VM, and not the vCPU that happens to make them. */
static const uint64_t offered = BIT(HYPERCALL_EXIT) | BIT(HYPERCALL_DISCARD) | BIT(HYPERCALL_SET_POLICY) | BIT(HYPERCALL_FORK);

static struct vm *vm_of(struct control_page *page)
{
	return CONTAINER_OF(page, struct vm, control);
}

/* 0: there is none of this number. */
static uint64_t figure(struct control_page *page, unsigned vcpu, unsigned number)
{
	const struct hypercall call = { .number = HYPERCALL_MEMORY_INFO, .arg = { number } };
	uint64_t value = hypercall_serve(vm_vcpu(vm_of(page), vcpu), &call);

	return (int64_t)value < 0 ? 0 : value;
}

static void call_done(struct vcpu *vcpu, uint64_t result)
{
	control_page_set_result(&vcpu->vm->control, result);
}

/* With the lock of the devices, under which no call may be carried out. */
static void make_call(struct control_page *page, unsigned vcpu, uint64_t number)
{
	struct hypercall call = { .number = number };

	if (number >= HYPERCALL_COUNT || !(offered & BIT(number))) {
		page->result = HYPERCALL_NOT_SUPPORTED;
		return;
	}
	memcpy(call.arg, page->arg, sizeof(call.arg));
	hypercall_post(vm_vcpu(vm_of(page), vcpu), &call, call_done);
}
_Static_assert(HYPERCALL_ARGS == CONTROL_ARG_COUNT, "all of them");

/* A post-mortem is printed with no lock of a device held. */
static void end_panicked(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;

	vcpu->again = NULL;
	if (!vm_is_running(vm))
		return;
	log_vm_err(vm, "guest's kernel says that it has panicked, at pc %#lx", vm_last_exit(vcpu)->pc);
	post_mortem_of_kernel(vcpu);
	vm_end(vm, VM_CRASHED, 0);
}

static void panicked(struct pvpanic *pvpanic, unsigned vcpu)
{
	struct vcpu *teller = vm_vcpu(CONTAINER_OF(pvpanic, struct vm, pvpanic), vcpu);

	teller->again = end_panicked;
	teller->leave = LEAVE_PIECE;
}

void control_start(struct vm *vm)
{
	vm->pvpanic.panicked = panicked;
	vm->control.figure = figure;
	vm->control.make_call = make_call;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The exits that come often, served with no more of the guest's registers put away than a function may change. For the
 * ISAs' exit.c: these are the first step of what vmm/vm.h tells.
 */
#ifndef NESTLING_VMM_SERVE_H
#define NESTLING_VMM_SERVE_H

#include "vmm/hypercall.h"

/*
 * Count an exit, and get the place to tell of it in. How far its slot is from the first one is hidden from the compiler, which
 * would work out the address anew for each member.
 */
static inline struct vm_exit *vm_new_exit(struct vcpu *vcpu)
{
	char *at = (char *)vcpu + vcpu->exits.total % VM_EXIT_RING * sizeof(struct vm_exit);

	vcpu->exits.total++;
	__asm__("" : "+r"(at));
	return (struct vm_exit *)(at + offsetof(struct vcpu, ring));
}

/* For what is to be left to the second step: `reason` and `pc` are all that is known so far. */
static inline unsigned vm_leave_exit(struct vm_exit *exit)
{
	exit->kind = VM_EXIT_UNDECODED;
	return FAULT_NOT_SERVED;
}

/* The last thing the first step does: nothing is to be put back then, so no register has to be saved for it. */
static inline unsigned vm_serve_fault(struct vcpu *vcpu, struct vm_exit *exit)
{
	exit->kind = VM_EXIT_FAULT;
	exit->outcome = FAULT_HANDLED;
	if (__builtin_expect(!vcpu->quick, false))
		return FAULT_NOT_SERVED;
	vcpu->exits.fault++;
	return addr_space_handle_fault(&vcpu->vm->as, &exit->fault);
}
_Static_assert(FAULT_HANDLED == 0, "the second step is for all others");

/* Carry out a call, if that can be done here; the result is still to be given to the guest. False: it is left. */
static inline __attribute__((always_inline)) bool vm_serve_call(struct vcpu *vcpu, struct vm_exit *exit, uint64_t *result)
{
	uint64_t number = exit->hypercall.number;

	exit->kind = VM_EXIT_HYPERCALL;
	if (__builtin_expect(number >= HYPERCALL_COUNT, false) || __builtin_expect(!vcpu->calls[number], false))
		return false;
	*result = vcpu->calls[number](vcpu->vm, &exit->hypercall);
	return true;
}

/* All of it; `finish` is arch_vcpu_finish_hypercall, but in line. */
static inline __attribute__((always_inline)) unsigned vm_serve_hypercall(struct vcpu *vcpu, struct vm_exit *exit,
									 void (*finish)(struct vcpu *vcpu, uint64_t result))
{
	uint64_t result;

	if (!vm_serve_call(vcpu, exit, &result))
		return FAULT_NOT_SERVED;
	finish(vcpu, result);
	return 0;
}

#endif

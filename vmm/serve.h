/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The exits that come often, served with no more of the guest's registers put away than a function may change. For the
 * ISAs' exit.c: these are the first step of what vmm/vm.h tells.
 */
#ifndef NESTLING_VMM_SERVE_H
#define NESTLING_VMM_SERVE_H

#include "vmm/hypercall.h"

/* vcpu->vm, known without a load. */
static inline struct vm *vm_of(struct vcpu *vcpu)
{
	return CONTAINER_OF(vcpu, struct vm, vcpu);
}

/*
 * Count an exit, and get the place to tell of it in. How far its slot is from the first one is hidden from the compiler, which
 * would work out the address anew for each member.
 */
static inline struct vm_exit *vm_new_exit(struct vcpu *vcpu)
{
	struct vm *vm = vm_of(vcpu);
	char *at = (char *)vcpu + vm->exits.total % VM_EXIT_RING * sizeof(struct vm_exit);

	vm->exits.total++;
	__asm__("" : "+r"(at));
	return (struct vm_exit *)(at + offsetof(struct vcpu, ring));
}

/* For what is to be left to the second step: `reason` and `pc` are all that is known so far. */
static inline bool vm_leave_exit(struct vm_exit *exit)
{
	exit->kind = VM_EXIT_UNDECODED;
	return false;
}

static inline bool vm_serve_fault(struct vcpu *vcpu, struct vm_exit *exit)
{
	struct vm *vm = vm_of(vcpu);
	enum fault_outcome outcome;

	exit->kind = VM_EXIT_FAULT;
	if (__builtin_expect(!vm->quick, false)) {
		exit->outcome = FAULT_NOT_SERVED;
		return false;
	}
	exit->outcome = FAULT_HANDLED;
	vm->exits.fault++;
	outcome = addr_space_handle_fault(&vm->as, &exit->fault);
	if (__builtin_expect(outcome == FAULT_HANDLED, true))
		return true;
	vm_last_exit(vcpu)->outcome = (uint8_t)outcome; /* found anew: no register was kept for it */
	return false;
}

/* `finish` is arch_vcpu_finish_hypercall, but in line. */
static inline __attribute__((always_inline)) bool vm_serve_hypercall(struct vcpu *vcpu, struct vm_exit *exit,
								     void (*finish)(struct vcpu *vcpu, uint64_t result))
{
	struct vm *vm = vm_of(vcpu);
	uint64_t number = exit->hypercall.number;

	exit->kind = VM_EXIT_HYPERCALL;
	if (__builtin_expect(!vm->quick || !hypercall_is_in_table(number), false))
		return false;
	finish(vcpu, hypercalls[number](vm, &exit->hypercall));
	return true;
}

#endif

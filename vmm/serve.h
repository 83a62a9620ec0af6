/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The fast path (include/arch/virt.h, arch_vcpu_run): the exits that come often, served with only those of the guest's registers
 * saved that a C function may change. For the ISAs' exit.c.
 */
#ifndef NESTLING_VMM_SERVE_H
#define NESTLING_VMM_SERVE_H

#include "vmm/hypercall.h"

/*
 * Count an exit, and get the slot of the ring that describes it. The slot's offset is hidden from the compiler, which would
 * compute the address anew for each member.
 */
static inline struct vm_exit *vm_new_exit(struct vcpu *vcpu)
{
	char *at = (char *)vcpu + vcpu->exits.total % VM_EXIT_RING * sizeof(struct vm_exit);

	vcpu->exits.total++;
	__asm__("" : "+r"(at));
	return (struct vm_exit *)(at + offsetof(struct vcpu, ring));
}

/* Leave an exit to the slow path: `reason` and `pc` are all that is known of it so far. */
static inline unsigned vm_leave_exit(struct vm_exit *exit)
{
	exit->kind = VM_EXIT_UNDECODED;
	return FAULT_NOT_SERVED;
}

/* The last call of the fast path: nothing is restored after it, so no register has to be saved for it. */
static inline unsigned vm_serve_fault(struct vcpu *vcpu, struct vm_exit *exit)
{
	exit->kind = VM_EXIT_FAULT;
	exit->outcome = FAULT_HANDLED;
	if (__builtin_expect(!vcpu->fast, false))
		return FAULT_NOT_SERVED;
	vcpu->exits.fault++;
	return addr_space_handle_fault(&vcpu->vm->as, &exit->fault);
}
_Static_assert(FAULT_HANDLED == 0, "any other outcome takes the slow path");

/* Carry out a call, if the fast path may; the caller gives the guest the result. False: it is left to the slow path. */
static inline __attribute__((always_inline)) bool vm_serve_call(struct vcpu *vcpu, struct vm_exit *exit, uint64_t *result)
{
	uint64_t number = exit->hypercall.number;

	exit->kind = VM_EXIT_HYPERCALL;
	if (__builtin_expect(number >= HYPERCALL_COUNT, false) || __builtin_expect(!vcpu->calls[number], false))
		return false;
	*result = vcpu->calls[number](vcpu->vm, &exit->hypercall);
	return true;
}

/* A call from its decoding to its result; `finish` is arch_vcpu_finish_hypercall, inlined. */
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

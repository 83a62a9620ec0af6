/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The fast path (include/arch/virt.h, arch_vcpu_run): frequent exits are served with only those of the guest's registers saved that
 * a C function may change. For vmm/<isa>/exit.c.
 */
#ifndef NESTLING_VMM_SERVE_H
#define NESTLING_VMM_SERVE_H

#include "vmm/hypercall.h"

/*
 * Count an exit, and get its slot in the ring of exits. The empty asm statement makes the compiler compute the slot's address once;
 * otherwise it would compute it again for each member.
 */
static inline struct vm_exit *vm_new_exit(struct vcpu *vcpu)
{
	char *at = (char *)vcpu + vcpu->exits.total % VM_EXIT_RING * sizeof(struct vm_exit);

	vcpu->exits.total++;
	__asm__("" : "+r"(at));
	return (struct vm_exit *)(at + offsetof(struct vcpu, ring));
}

/* Leave an exit to the slow path, which decodes it: only `reason` and `pc` are filled in. */
static inline unsigned vm_leave_exit(struct vm_exit *exit)
{
	exit->kind = VM_EXIT_UNDECODED;
	return FAULT_NOT_SERVED;
}

/* Leave it to vm_take_interrupts: the machine has interrupted the guest. */
static inline unsigned vm_leave_interrupt(struct vm_exit *exit)
{
	exit->kind = VM_EXIT_INTERRUPT;
	return EXIT_INTERRUPTED;
}

/* Serve a fault. The fast path ends with this call, so that the compiler makes it a tail call and saves no register for it. */
static inline unsigned vm_serve_fault(struct vcpu *vcpu, struct vm_exit *exit)
{
	exit->kind = VM_EXIT_FAULT;
	exit->outcome = FAULT_HANDLED;
	if (__builtin_expect(!vcpu->fast, false))
		return FAULT_NOT_SERVED;
	vcpu->exits.fault++;
	return addr_space_handle_fault(vcpu->view, &exit->fault);
}
_Static_assert(FAULT_HANDLED == 0, "any other outcome takes the slow path");

/*
 * Carry out a hypercall, if the fast path may. The caller passes the value to the guest and returns what is `left`, without a test:
 * if it is left to the slow path, that passes another value to the guest.
 */
static inline __attribute__((always_inline)) hypercall_result vm_serve_call(struct vcpu *vcpu, struct vm_exit *exit)
{
	uint64_t number = exit->hypercall.number;

	exit->kind = VM_EXIT_HYPERCALL;
	if (__builtin_expect(number >= HYPERCALL_COUNT, false))
		return hypercall_later(vcpu, &exit->hypercall);
	return vcpu->calls[number](vcpu, &exit->hypercall);
}

/* Serve a decoded hypercall and pass its result to the guest; `finish` is arch_vcpu_finish_hypercall, inlined. */
static inline __attribute__((always_inline)) unsigned vm_serve_hypercall(struct vcpu *vcpu, struct vm_exit *exit,
									 void (*finish)(struct vcpu *vcpu, uint64_t result))
{
	hypercall_result result = vm_serve_call(vcpu, exit);

	finish(vcpu, hypercall_value(result));
	return hypercall_left(result);
}

#endif

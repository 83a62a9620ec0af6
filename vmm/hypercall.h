/* SPDX-License-Identifier: BSD-2-Clause */
/* The calls a guest can make. include/abi.h lists them. */
#ifndef NESTLING_VMM_HYPERCALL_H
#define NESTLING_VMM_HYPERCALL_H

#include "include/abi.h"
#include "vmm/exit.h"
#include "vmm/vm.h"

/*
 * Function numbers; each ISA adds its own base (x86_64: the number itself in rax; AArch64: SMCCC vendor-hypervisor
 * range; RISC-V: function id of an experimental SBI extension).
 */
#define HYPERCALL_ENUM(number, NAME, name) HYPERCALL_##NAME = number,
#define HYPERCALL_ONE(number, NAME, name)  +1
enum hypercall_number { HYPERCALLS(HYPERCALL_ENUM, HYPERCALL_ENUM) };
enum { HYPERCALL_COUNT = HYPERCALLS(HYPERCALL_ONE, HYPERCALL_ONE) };
#undef HYPERCALL_ENUM
#undef HYPERCALL_ONE

#define HYPERCALL_ABI_VERSION 3

#define MEMORY_INFO_ENUM(number, NAME) MEMORY_INFO_##NAME = number,
enum memory_info { MEMORY_INFOS(MEMORY_INFO_ENUM) };
#undef MEMORY_INFO_ENUM

/* How an access that an area does not permit is handled. */
enum fault_mode {
	FAULT_MODE_END = 0,    /* it ends the run, outcome "denied" */
	FAULT_MODE_INJECT = 1, /* the guest gets the platform's own fault */
};

enum track {
	TRACK_ACCESSED = 0,    /* pages accessed since the last time */
	TRACK_DIRTY = 1,       /* pages written since the last time */
	TRACK_DIRTY_EXACT = 2, /* the same, large leaves split first */
};

/* Longest TRACK: its bitmap, a bit a page, fills a page. */
#define HYPERCALL_TRACK_MAX   MIB(128)
/* In place of the bitmap's address: only the number of pages is wanted. */
#define HYPERCALL_TRACK_COUNT UINT64_MAX

/* Longest CONSOLE_WRITE; a longer one is cut, and the result says so. */
#define HYPERCALL_CONSOLE_MAX KIB(4)

/*
 * The hypercalls by number as the fast path serves them: those that do not need all of the guest's registers and do not end the
 * run; hypercall_later for the others. A table and not a switch, in which every call would save the registers that the longest one
 * needs.
 */
extern const hypercall_fn hypercalls_fast[HYPERCALL_COUNT];

/* Leave the call to the slow path. */
static inline hypercall_result hypercall_later(struct vcpu *vcpu, const struct hypercall *call)
{
	(void)vcpu;
	return hypercall_result_of(call->number, FAULT_NOT_SERVED);
}

/*
 * On the slow path: carry out any call. The result is HYPERCALL_NOT_SUPPORTED where there is no such call. If vcpu->again is set
 * then, there is no result yet.
 */
uint64_t hypercall_serve(struct vcpu *vcpu, const struct hypercall *call);

/*
 * In an exit on the slow path that is no hypercall's: carry out `call` before the vCPU enters the guest again, and give the result
 * to `done`, with no lock held. Neither happens if the VM ends before.
 */
void hypercall_post(struct vcpu *vcpu, const struct hypercall *call, void (*done)(struct vcpu *vcpu, uint64_t result));

#endif

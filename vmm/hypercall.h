/* SPDX-License-Identifier: BSD-2-Clause */
/* The calls a guest can make. docs/guest-abi.md says the same to guest writers. */
#ifndef NESTLING_VMM_HYPERCALL_H
#define NESTLING_VMM_HYPERCALL_H

#include "vmm/exit.h"
#include "vmm/vm.h"

/*
 * Function numbers; each ISA adds its own base (x86_64: the number itself in rax; AArch64: SMCCC vendor-hypervisor
 * range; RISC-V: function id of an experimental SBI extension).
 */
enum hypercall_number {
	HYPERCALL_VERSION = 0,       /* () -> HYPERCALL_ABI_VERSION */
	HYPERCALL_EXIT = 1,          /* (status) -> does not return */
	HYPERCALL_CONSOLE_WRITE = 2, /* (gpa, bytes) -> bytes written */
	HYPERCALL_MEMORY_INFO = 3,   /* (enum memory_info) -> value */
};

#define HYPERCALL_ABI_VERSION 1

enum memory_info {
	MEMORY_INFO_PROMISED = 0, /* bytes of RAM the guest was promised */
	MEMORY_INFO_RESIDENT = 1, /* bytes of host memory behind it now */
	MEMORY_INFO_TABLES = 2,   /* bytes of nested tables now */
	MEMORY_INFO_FAULTS = 3,   /* faults served so far */
};

/* Results below zero, as signed 64-bit numbers; the first is SMCCC's NOT_SUPPORTED. */
#define HYPERCALL_NOT_SUPPORTED ((uint64_t)-1)
#define HYPERCALL_INVALID       ((uint64_t)-3)
#define HYPERCALL_NO_MEMORY     ((uint64_t)-4)

/* Longest CONSOLE_WRITE; a longer one is cut, and the result says so. */
#define HYPERCALL_CONSOLE_MAX KIB(4)

/* Carry out a call; the result goes back to the guest unless the VM was ended by it. */
uint64_t hypercall_dispatch(struct vcpu *vcpu, const struct hypercall *call);

#endif

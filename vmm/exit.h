/* SPDX-License-Identifier: BSD-2-Clause */
/* Why a vCPU stopped, decoded once by ISA code into what generic code acts on. */
#ifndef NESTLING_VMM_EXIT_H
#define NESTLING_VMM_EXIT_H

#include "include/types.h"
#include "mm/addr_space.h"
#include "vmm/devices/device.h"

enum vm_exit_kind {
	VM_EXIT_FAULT,        /* nested page fault: .fault */
	VM_EXIT_IO,           /* access to a port: .io */
	VM_EXIT_HYPERCALL,    /* .hypercall */
	VM_EXIT_HALT,         /* the guest waits for an interrupt */
	VM_EXIT_INTERRUPT,    /* an interrupt of the host's */
	VM_EXIT_ARCH,         /* for arch_handle_exit: CPUID, MSRs, system registers, ... */
	VM_EXIT_CRASH,        /* the guest cannot go on: triple fault and similar */
	VM_EXIT_ENTRY_FAILED, /* entry failure: the CPU refused guest state, set by us or by the guest */
	VM_EXIT_UNDECODED,    /* the fast path has not decoded it, but left it to the slow path */
};

#define HYPERCALL_ARGS 4

struct hypercall {
	uint64_t number;
	uint64_t arg[HYPERCALL_ARGS];
};

/* vm_exit.outcome: the fast path has not served the exit, the slow path must. */
#define FAULT_NOT_SERVED UINT8_MAX
/* Of a VM_EXIT_INTERRUPT: what has interrupted is for vm_take_interrupts, or has been taken by that. */
#define EXIT_INTERRUPTED (UINT8_MAX - 1)
/* The same, taken: nothing is left but that something has come for the guest, which may be delivered without the slow path. */
#define EXIT_ATTENTION   (UINT8_MAX - 2)

/* One cache line, since VM_EXIT_RING of them are kept for each vCPU. */
struct vm_exit {
	uint8_t kind;    /* enum vm_exit_kind */
	uint8_t outcome; /* of a VM_EXIT_FAULT: enum fault_outcome; of a VM_EXIT_HYPERCALL of a traced VM: it failed */
	uint64_t reason; /* the hardware's own code, for diagnosis */
	uint64_t pc;     /* of the guest */
	union {
		struct npt_fault fault;
		struct io_access io;
		struct hypercall hypercall;
		uint64_t detail[2]; /* VM_EXIT_ARCH: kept by the ISA for arch_exit_name */
	};
};
_Static_assert(sizeof(struct vm_exit) == 64, "struct vm_exit");

#endif

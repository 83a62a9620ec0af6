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
	VM_EXIT_ARCH,         /* for arch_handle_exit: CPUID, MSRs, system registers, ... */
	VM_EXIT_CRASH,        /* the guest cannot go on: triple fault and the like */
	VM_EXIT_ENTRY_FAILED, /* the CPU would not enter the guest: an error of ours, or state that the guest has set up */
	VM_EXIT_UNDECODED,    /* by the fast path, which has left it to the slow one */
};

#define HYPERCALL_ARGS 4

struct hypercall {
	uint64_t number;
	uint64_t arg[HYPERCALL_ARGS];
};

/* vm_exit.outcome: the fast path has left it to the slow one. */
#define FAULT_NOT_SERVED UINT8_MAX

/* 64 bytes, for VM_EXIT_RING of them are kept. */
struct vm_exit {
	uint8_t kind;    /* enum vm_exit_kind */
	uint8_t outcome; /* of a VM_EXIT_FAULT: enum fault_outcome; of a VM_EXIT_HYPERCALL of a traced VM: it failed */
	uint64_t reason; /* the hardware's own code, for diagnosis */
	uint64_t pc;     /* of the guest */
	union {
		struct npt_fault fault;
		struct io_access io;
		struct hypercall hypercall;
		uint64_t detail[2]; /* VM_EXIT_ARCH: what the ISA wants to have kept of it, for arch_exit_name */
	};
};
_Static_assert(sizeof(struct vm_exit) == 64, "struct vm_exit");

#endif

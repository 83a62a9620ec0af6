/* SPDX-License-Identifier: BSD-2-Clause */
/* What a VM and its vCPU are made of on RISC-V; embedded by value in struct vm and struct vcpu. */
#ifndef NESTLING_VMM_RISCV64_ARCH_VM_H
#define NESTLING_VMM_RISCV64_ARCH_VM_H

#include "include/types.h"
#include "vmm/devices/v16550.h"

/* General registers that code here speaks of, by the calling convention's names. */
enum gpr { GPR_ZERO = 0, GPR_RA = 1, GPR_SP = 2, GPR_A0 = 10, GPR_A1, GPR_A2, GPR_A3, GPR_A6 = 16, GPR_A7, GPR_COUNT = 32 };

struct vm_arch {
	struct v16550 console; /* the serial port it finds */
	uint64_t vmid, hgatp;
};

struct fp_state {
	uint64_t f[32];
	uint64_t fcsr;
};

struct vector_csrs {
	uint64_t vstart, vcsr, vl, vtype;
};

/* State that is in the hart while the vCPU is resident, else here. */
struct kept_state {
	uint64_t registers[12];                     /* CSRs, as fork.c lists them */
	uint64_t hvip;                              /* what is pending for the guest */
	uint64_t senvcfg, vsiselect, scontext, jvt; /* where there are such */
	struct fp_state fp;
	struct vector_csrs vector;
	hpa_t vectors; /* a block of frames with the vector registers; raw 0: the hart has none */
	unsigned vectors_order;
};

/* A load or store, decoded. */
struct access_insn {
	uint8_t size;   /* bytes: 1, 2, 4, 8 */
	uint8_t gpr;    /* loaded into, or stored */
	uint8_t length; /* of the instruction, bytes */
	bool write;
	bool sign; /* the value is sign-extended */
};

/*
 * Of the guest's state, what the hypervisor's own code would change is here while the guest does not run. All else
 * stays in the hart's registers, because one VM with one vCPU runs to its end: the vs* and h* CSRs, senvcfg and
 * scounteren, FP and vector registers, and what sstatus and hstatus say about where sret goes.
 */
struct vcpu_arch {
	uint64_t gpr[GPR_COUNT]; /* [0] stays 0 */
	uint64_t pc;
	uint64_t host_sp;
	/* What the CPU said about the last exit; the latter two only after guest-page faults. */
	uint64_t stval, htval, htinst;
	struct access_insn access; /* behind the VM_EXIT_IO that is being served */
	uint64_t timer;            /* when hvip.VSTIP is to be set, in host time, without Sstc; UINT64_MAX: never */
	struct kept_state kept;    /* while it is not resident */
};

#endif

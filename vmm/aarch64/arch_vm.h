/* SPDX-License-Identifier: BSD-2-Clause */
/* What a VM and its vCPU are made of on AArch64; embedded by value in struct vm and struct vcpu. */
#ifndef NESTLING_VMM_AARCH64_ARCH_VM_H
#define NESTLING_VMM_AARCH64_ARCH_VM_H

#include <stdbool.h>

#include "include/types.h"
#include "vmm/devices/vpl011.h"

struct cpu;
struct cpu_arch;

struct vm_arch {
	struct vpl011 console; /* the serial port it finds */
	uint64_t vtcr;         /* VTCR_EL2 */
	uint64_t vttbr;        /* VTTBR_EL2: root and VMID */
	unsigned pa_range;     /* of the guest's physical addresses, as ID_AA64MMFR0_EL1.PARange encodes it */
};

struct fp_state {
	uint64_t v[32][2];
	uint64_t fpcr, fpsr;
};

/* Registers of EL1 and EL0 that a CPU may lack, though a guest is not told of them where it has them. */
struct extra_registers {
	uint64_t vdisr;  /* VDISR_EL2, which the guest sees as DISR_EL1 */
	uint64_t tpidr2; /* TPIDR2_EL0 */
};

/* State that is in the CPU while the vCPU is resident, else here. */
struct kept_state {
	struct fp_state fp;
	uint64_t registers[29]; /* of EL1 and EL0, as fork.c lists them */
	uint64_t keys[10];      /* of pointer authentication, where the CPU has it */
	struct extra_registers extra;
};

/*
 * The guest's general registers while it does not run; X31 is there so that "no register" can be written to. All other
 * state of its CPU stays where the guest uses it, in EL1's and EL0's system registers and the FP registers: one VM with
 * one vCPU runs to its end on one CPU, and the hypervisor uses none of them.
 */
struct vcpu_arch {
	uint64_t x[32];
	uint64_t pc, pstate;
	struct cpu *cpu; /* that it runs on, and struct cpu_arch of that; set by arch_vcpu_run */
	struct cpu_arch *cpu_arch;
	uint64_t vector;          /* GUEST_EXIT_* of offsets.h */
	uint64_t esr, far, hpfar; /* of the last synchronous exit; the addresses for aborts only */
	unsigned sysregs_logged;  /* accesses to registers the guest does not have; the first few are logged */
	struct kept_state kept;   /* while it is not resident */
};

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* What a VM and its vCPU are made of on x86-64; embedded by value in struct vm and struct vcpu. */
#ifndef NESTLING_VMM_X86_64_ARCH_VM_H
#define NESTLING_VMM_X86_64_ARCH_VM_H

#include "include/types.h"
#include "vmm/devices/v16550.h"
#include "vmm/x86_64/mmio.h"
#include "vmm/x86_64/tags.h"

struct vmcb;

/* General registers by the number instructions encode them with. */
enum gpr { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15, GPR_COUNT };

struct cpu;

struct vm_arch {
	uint64_t id;                /* of all VMs there ever were, from 1 on */
	struct v16550 console;      /* the serial port it finds */
	struct io_device apic_page; /* the local APICs' registers in memory; each vCPU sees its own */
	unsigned ipis_logged;       /* by enum ignored_ipi, a bit each: vmm/x86_64/apic.c */
};

struct svm_vcpu {
	hpa_t vmcb_pa;
	hpa_t host_vmcb_pa; /* of the CPU that it is on: struct virt_cpu */
	struct vmcb *vmcb;
};

struct vmx_vcpu {
	uint64_t launched; /* VMRESUME, not VMLAUNCH, enters it */
	hpa_t vmcs;
	const struct cpu *host; /* the CPU whose host state is in the VMCS; NULL: none's */
	uint64_t cr8;           /* the guest's task priority: there is no APIC of the CPU's behind it */
};

/* The FXSAVE area: all there is, for CPUID offers no XSAVE. */
struct fp_state {
	uint16_t fcw;
	uint8_t to_mxcsr[22];
	uint32_t mxcsr;
	uint8_t registers[484];
} __attribute__((aligned(16)));

/*
 * State that no control block holds: in the CPU while the vCPU is resident there, else here. The latter three are VMX's only, for
 * the VMCB has them.
 */
struct kept_state {
	struct fp_state fp;
	uint64_t dr[4];
	uint64_t dr6, cr2;
	uint64_t msrs[5];
};

/* A guest's local APIC, as far as there is one: vmm/x86_64/apic.c. */
struct guest_apic {
	uint64_t base; /* IA32_APIC_BASE */
	uint32_t tpr;  /* its low four bits; the others are CR8 */
	uint32_t ldr, dfr, svr;
	uint64_t icr;
	bool sends; /* what icr says is to be done */
};

/* An exit by an exception, which number it had, where, and how many such ones came right before it. */
struct redelivery {
	uint64_t exits, rip;
	unsigned count;
	bool endless;
};

struct vcpu_arch {
	/*
	 * The guest's general registers while it does not run. RSP (and on SVM RAX) live in the control block: their
	 * slots are not used, but for RAX while arch_handle_exit runs.
	 */
	uint64_t gpr[GPR_COUNT];
	union {
		struct svm_vcpu svm;
		struct vmx_vcpu vmx;
	};
	unsigned msrs_logged; /* accesses to MSRs the guest does not have; the first few are logged */
	struct redelivery redelivery;
	struct tag tag; /* ASID or VPID */
	struct guest_apic apic;
	struct mmio_insn mmio; /* the VM_EXIT_IO that is being served, of memory */
	struct kept_state kept;
};

#endif

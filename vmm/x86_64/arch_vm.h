/* SPDX-License-Identifier: BSD-2-Clause */
/* What a VM and its vCPU are made of on x86-64; embedded by value in struct vm and struct vcpu. */
#ifndef NESTLING_VMM_X86_64_ARCH_VM_H
#define NESTLING_VMM_X86_64_ARCH_VM_H

#include "include/types.h"
#include "vmm/devices/acpi_power.h"
#include "vmm/devices/ioapic.h"
#include "vmm/devices/v16550.h"
#include "vmm/x86_64/guest_ports.h"
#include "vmm/x86_64/mmio.h"
#include "vmm/x86_64/setup_header.h"
#include "vmm/x86_64/tags.h"

struct vmcb;

/* General registers by the number instructions encode them with. */
enum gpr { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15, GPR_COUNT };

struct cpu;

struct vm_arch {
	uint64_t id;                /* of all VMs there ever were, from 1 on */
	struct v16550 console;      /* the serial port it finds */
	struct io_device apic_page; /* the local APICs' registers in memory; each vCPU sees its own */
	struct ioapic ioapic;
	struct acpi_power power;
	unsigned ipis_logged;      /* by enum ignored_ipi, a bit each: vmm/x86_64/apic_ipi.c */
	uint64_t clock_start;      /* arch_clock, when its kvm-clock was 0 */
	struct setup_header setup; /* of the bzImage that it was loaded with; `header` is 0: it is no such kernel */
	bool pvh;                  /* it is a kernel that is entered by the PVH boot protocol */
};

struct svm_vcpu {
	hpa_t vmcb_pa;
	hpa_t host_vmcb_pa; /* of the CPU that it is on: struct virt_cpu */
	struct vmcb *vmcb;
	bool nmi_held;        /* until an IRET */
	uint64_t nmi_ends_at; /* the RIP of that IRET, which is to be executed yet; SVM_NO_RIP */
	uint64_t shadow_at;   /* the RIP at which an interrupt of the machine's came in a shadow last; SVM_NO_RIP */
};
#define SVM_NO_RIP UINT64_MAX

struct vmx_vcpu {
	uint64_t launched; /* VMRESUME, not VMLAUNCH, enters it */
	hpa_t vmcs;
	const struct cpu *host; /* the CPU whose host state is in the VMCS; NULL: none's */
	uint64_t cr8;           /* the guest's task priority: there is no APIC of the CPU's behind it */
	uint64_t late;          /* the end of a slice, on the timer's clock, long after which the guest was entered; 0: none */
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

#define APIC_VECTORS 256
#define APIC_WORDS   (APIC_VECTORS / 64)
#define APIC_CLASSES 16 /* of priority: SDM vol. 3 "Interrupt, Task, and Processor Priority" */
#define APIC_LVTS    6

/* What another vCPU's interrupt command, or an input of the IOAPIC, has asked for besides a vector: a bit each. */
enum apic_request { REQUEST_NMI = 1, REQUEST_INIT = 2, REQUEST_STARTUP = 4 };

/*
 * A guest's local APIC: vmm/x86_64/apic*.c. Its own vCPU writes it. What is atomic others read, to see whom a message is for, or
 * write, to hand it over.
 */
struct guest_apic {
	uint64_t base;          /* IA32_APIC_BASE; atomic */
	uint32_t ldr, dfr, svr; /* atomic */
	uint32_t tpr;           /* its low four bits; the others are CR8 */
	uint64_t icr;
	uint32_t lvt[APIC_LVTS];  /* from that of the timer to that of errors */
	uint32_t esr;             /* errors as a write has latched them */
	uint32_t errors;          /* since; atomic */
	uint64_t irr[APIC_WORDS]; /* requested; atomic */
	uint64_t tmr[APIC_WORDS]; /* of these, by a level; atomic */
	uint64_t isr[APIC_WORDS]; /* in service: for who reads the registers */
	/* The same as vectors: each is of a higher class than the one before, which it has interrupted. service[0] is 0: none. */
	uint8_t service[APIC_CLASSES];
	uint32_t serving;        /* the index of the last of them */
	uint32_t requests;       /* enum apic_request; atomic */
	uint32_t startup_vector; /* of REQUEST_STARTUP; atomic */
	bool waits_for_startup;  /* after INIT; atomic */
	bool nmi_pending;        /* taken from `requests`, not injected yet */
	bool sends;              /* what icr says is to be done */
	uint8_t ended;           /* the end of this level's interrupt is to be told to the IOAPIC; 0: none */
	uint8_t windows;         /* enum guest_window: what the vCPU exits for now */

	uint32_t timer_initial, timer_divide;
	uint64_t tsc_deadline;   /* IA32_TSC_DEADLINE */
	uint64_t timer_deadline; /* arch_clock, when it fires next; NEVER */
	uint64_t timer_due;      /* when that is to interrupt the guest: the same, or NEVER where nothing would come of it */
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
	struct mmio_decoded mmio;    /* the VM_EXIT_IO that is being served, of memory, or was last */
	struct remembered_walk walk; /* to the code that accessed a device last */
	uint64_t clock_page;         /* MSR_KVM_SYSTEM_TIME_NEW */
	uint64_t wall_clock;         /* MSR_KVM_WALL_CLOCK_NEW */
	struct kept_state kept;
};

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* What a physical CPU has of its own on x86-64; embedded by value in struct cpu. */
#ifndef NESTLING_VMM_X86_64_CPU_ARCH_H
#define NESTLING_VMM_X86_64_CPU_ARCH_H

#include "include/types.h"
#include "vmm/x86_64/tags.h"

/* What virtualization has of each CPU. */
struct virt_cpu {
	hpa_t region;          /* SVM: the host save area; VMX: the VMXON region */
	hpa_t host_vmcb;       /* SVM: where VMSAVE has put the host's share of the state; loaded again in the slow path */
	hpa_t vmcs;            /* VMX: the current one, which VMREAD and VMWRITE act on; raw 0: none */
	struct tag_space tags; /* ASIDs or VPIDs */
	bool flush_all;        /* SVM: before the next guest runs, the translations of all ASIDs are to be flushed */
	uint64_t last_vm;      /* vm.arch.id of the VM that ran last; 0: none has */
};

#define CPU_DESCRIPTORS 5

/* The first member of struct cpu, as the GDT is of this: so the GDTR says which CPU it is. */
struct cpu_arch {
	uint64_t gdt[CPU_DESCRIPTORS];
	uint32_t events;   /* enum cpu_event; interrupts that have come in arch_cpu_wait, and are not ended yet */
	uint64_t deadline; /* of arch_timer_set */
	uint64_t armed;    /* what the APIC's timer is set to: UINT64_MAX: it is not, or has fired */
	struct virt_cpu virt;
};

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* The parts of SVM that see one another. */
#ifndef NESTLING_VMM_X86_64_SVM_SVM_H
#define NESTLING_VMM_X86_64_SVM_SVM_H

#include "vmm/x86_64/svm/vmcb.h"
#include "vmm/x86_64/virt_ops.h"

#define SVM_IOPM_ORDER  2 /* three pages; the fourth of the block is not used */
#define SVM_MSRPM_ORDER 1

/* What CPUID leaf 0x8000000a offers beyond what we need. */
struct svm_features {
	bool nrips;          /* next_rip is valid after instruction intercepts */
	bool flush_by_asid;
	uint32_t asids;
};
extern struct svm_features svm_features;

/* entry.S: arch_vcpu_run. IF is clear and GIF set, before and after. */
void svm_run(struct vcpu *vcpu);

/* exit.c */
unsigned svm_exit(struct vcpu *vcpu); /* for entry.S: the first step of vmm/vm.h */
void svm_decode(struct vcpu *vcpu, struct vm_exit *exit);
bool svm_handle_exit(struct vcpu *vcpu, struct vm_exit *exit);
void svm_finish_io(struct vcpu *vcpu, const struct vm_exit *exit);
void svm_finish_hypercall(struct vcpu *vcpu, uint64_t result);
bool svm_inject_denied(struct vcpu *vcpu, const struct vm_exit *exit);
/* Give the guest an exception when it goes on; #GP and #DF with error code 0. */
void svm_inject(struct vmcb *vmcb, enum vector vector);

/* control.c: serve VMEXIT_CR0_SEL_WRITE and that of a write to CR4. False: the instruction cannot be followed. */
bool svm_handle_cr_write(struct vcpu *vcpu);

/* svm.c */
uint64_t svm_get_gpr(struct vcpu *vcpu, enum gpr gpr);

/*
 * describe.c: the rule of AMD APM vol. 2 "Canonicalization and Consistency Checks" that the VMCB breaks, or NULL. QEMU
 * overwrites a VMCB that it refuses, so ask before the first VMRUN, too.
 */
const char *svm_bad_state(const struct vcpu *vcpu);
void svm_name_exit(uint64_t code, char *text, size_t size);
void svm_describe(struct vcpu *vcpu, const struct vm_exit *exit, char *text, size_t size);

/* Step over an intercepted instruction. QEMU has no next_rip; without it a redundant prefix is not seen. */
static inline void svm_advance(struct vmcb *vmcb, unsigned length)
{
	vmcb->rip = svm_features.nrips ? vmcb->next_rip : vmcb->rip + length;
	vmcb->int_state = 0;
}

#endif

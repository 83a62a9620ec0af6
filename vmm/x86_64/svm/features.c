/* SPDX-License-Identifier: BSD-2-Clause */
/* What SVM must offer, and what more it does. AMD APM vol. 2 "Secure Virtual Machine". */
#include "include/arch/x86_64/insn.h"
#include "include/arch/x86_64/msr.h"
#include "vmm/x86_64/svm/svm.h"

#define SVM_LEAF 0x8000000a

struct svm_features svm_features;

enum err svm_probe(const char **why)
{
	struct cpuid_regs features;

	/* AMD APM vol. 2 "Enabling SVM". */
	if (rdmsr(VM_CR) & VM_CR_SVMDIS) {
		*why = cpuid(SVM_LEAF, 0).edx & CPUID_8A_EDX_SVML ?
			       "SVM is locked off by firmware (VM_CR.SVMDIS): enable it in the set-up menu" :
			       "SVM is disabled by firmware (VM_CR.SVMDIS): enable it in the set-up menu";
		return ERR_UNSUPPORTED;
	}
	features = cpuid(SVM_LEAF, 0);
	if (!(features.edx & CPUID_8A_EDX_NP)) {
		*why = "the CPU's SVM has no nested paging";
		return ERR_UNSUPPORTED;
	}
	svm_features = (struct svm_features){
		.nrips = features.edx & CPUID_8A_EDX_NRIPS,
		.flush_by_asid = features.edx & CPUID_8A_EDX_FLUSHBYASID,
		.asids = features.ebx,
	};
	return ERR_OK;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What CPUID reports to a guest: those of the CPU's features that we have reviewed and permit; all else reads 0.
 * Sources: Intel SDM vol. 2 "CPUID"; AMD APM vol. 3 "Obtaining Processor Information Via the CPUID Instruction".
 *
 * Left out on purpose: VMX and SVM (no nesting), XSAVE and with it AVX (XCR0 is not switched), MONITOR,
 * MTRR, MCE and MCA (not emulated), PCID and INVPCID (need a VM-execution control of their own), RDTSCP and RDPID
 * (TSC_AUX is not switched), LA57, performance monitoring, CET, protection keys.
 */
#include "include/arch/x86_64/cpu.h"
#include "include/arch/x86_64/msr.h"
#include "vmm/hypercall.h"
#include "vmm/x86_64/emulate.h"
#include "vmm/x86_64/kvmclock.h"
#include "vmm/x86_64/virt_ops.h"

#define BASIC_LEAF_MAX      0x16
#define TOPOLOGY_LEAF       0xb
#define EXTENDED_LEAF_MAX   0x80000008
#define HYPERVISOR_LEAF     0x40000000
#define HYPERVISOR_LEAF_MAX 0x40000001

#define LEAF_1_ECX                                                                                                    \
	(CPUID_1_ECX_SSE3 | CPUID_1_ECX_PCLMULQDQ | CPUID_1_ECX_SSSE3 | CPUID_1_ECX_CMPXCHG16B | CPUID_1_ECX_SSE4_1 | \
	 CPUID_1_ECX_SSE4_2 | CPUID_1_ECX_MOVBE | CPUID_1_ECX_POPCNT | CPUID_1_ECX_AESNI | CPUID_1_ECX_RDRAND)
/* What the guest has by us, whatever the CPU has. */
#define LEAF_1_ECX_OURS (CPUID_1_ECX_HYPERVISOR | CPUID_1_ECX_X2APIC | CPUID_1_ECX_TSC_DEADLINE)
#define LEAF_6_EAX_ARAT BIT(2) /* the local APIC's timer never stops */
#define LEAF_1_EDX                                                                                                      \
	(CPUID_1_EDX_FPU | CPUID_1_EDX_DE | CPUID_1_EDX_PSE | CPUID_1_EDX_TSC | CPUID_1_EDX_MSR | CPUID_1_EDX_PAE |     \
	 CPUID_1_EDX_CX8 | CPUID_1_EDX_SEP | CPUID_1_EDX_PGE | CPUID_1_EDX_CMOV | CPUID_1_EDX_PAT | CPUID_1_EDX_PSE36 | \
	 CPUID_1_EDX_CLFSH | CPUID_1_EDX_MMX | CPUID_1_EDX_FXSR | CPUID_1_EDX_SSE | CPUID_1_EDX_SSE2)
#define LEAF_7_EBX                                                                                                               \
	(CPUID_7_EBX_FSGSBASE | CPUID_7_EBX_BMI1 | CPUID_7_EBX_SMEP | CPUID_7_EBX_BMI2 | CPUID_7_EBX_ERMS | CPUID_7_EBX_RDSEED | \
	 CPUID_7_EBX_ADX | CPUID_7_EBX_SMAP | CPUID_7_EBX_CLFLUSHOPT | CPUID_7_EBX_CLWB | CPUID_7_EBX_SHA)
#define LEAF_81_ECX (CPUID_81_ECX_LAHF | CPUID_81_ECX_LZCNT | CPUID_81_ECX_SSE4A | CPUID_81_ECX_PREFETCHW)
#define LEAF_81_EDX (CPUID_81_EDX_SYSCALL | CPUID_81_EDX_NX | CPUID_81_EDX_MMXEXT | CPUID_81_EDX_PDPE1GB | CPUID_81_EDX_LM)
/* AMD repeats the low bits of leaf 1 EDX in leaf 0x80000001, apart from SEP and the like. */
#define LEAF_81_EDX_REPEATED                                                                                            \
	(CPUID_1_EDX_FPU | CPUID_1_EDX_DE | CPUID_1_EDX_PSE | CPUID_1_EDX_TSC | CPUID_1_EDX_MSR | CPUID_1_EDX_PAE |     \
	 CPUID_1_EDX_CX8 | CPUID_1_EDX_PGE | CPUID_1_EDX_CMOV | CPUID_1_EDX_PAT | CPUID_1_EDX_PSE36 | CPUID_1_EDX_MMX | \
	 CPUID_1_EDX_FXSR)

/* EBX of leaf 1: the CLFLUSH line size, how many ids of logical processors there may be, the APIC id. */
#define LEAF_1_EBX_CLFLUSH        BITS(15, 8)
#define LEAF_1_EBX_CPUS_SHIFT     16
#define LEAF_1_EBX_ID_SHIFT       24
/* ECX of the topology leaf: the subleaf, and the kind of its level. */
#define LEVEL_SMT                 (1 << 8)
#define LEVEL_CORE                (2 << 8)
/* EAX of leaf 4 has the topology in its upper bits. */
#define LEAF_4_EAX_CACHE          BITS(13, 0)
#define LEAF_87_EDX_INVARIANT_TSC BIT(8)
#define LINEAR_BITS               48

static struct cpuid_regs basic_leaf(uint32_t leaf, uint32_t subleaf, struct cpuid_regs host)
{
	switch (leaf) {
	case 0:
		host.eax = (uint32_t)max_u64(min_u64(host.eax, BASIC_LEAF_MAX), TOPOLOGY_LEAF);
		return host;
	case 1:
		host.ebx &= (uint32_t)LEAF_1_EBX_CLFLUSH;
		host.ecx = (host.ecx & (uint32_t)LEAF_1_ECX) | (uint32_t)LEAF_1_ECX_OURS;
		host.edx &= (uint32_t)LEAF_1_EDX;
		return host;
	case 4:
		host.eax &= (uint32_t)LEAF_4_EAX_CACHE;
		return host;
	case 6:
		return (struct cpuid_regs){ .eax = (uint32_t)LEAF_6_EAX_ARAT };
	case 7:
		if (subleaf != 0)
			break;
		host.eax = 0; /* no further subleaf */
		host.ebx &= (uint32_t)LEAF_7_EBX;
		host.ecx &= (uint32_t)CPUID_7_ECX_UMIP;
		host.edx &= (uint32_t)CPUID_7_EDX_FSRM;
		return host;
	case 2:    /* caches and TLBs */
	case 0x15: /* frequency of the TSC */
	case 0x16: /* frequency of the core */
		return host;
	}
	return (struct cpuid_regs){ 0 };
}

static struct cpuid_regs extended_leaf(const struct vm *vm, uint32_t leaf, struct cpuid_regs host)
{
	switch (leaf) {
	case 0x80000000:
		host.eax = (uint32_t)min_u64(host.eax, EXTENDED_LEAF_MAX);
		return host;
	case 0x80000001:
		host.ebx = 0;
		host.ecx &= (uint32_t)LEAF_81_ECX;
		host.edx &= (uint32_t)(LEAF_81_EDX | LEAF_81_EDX_REPEATED);
		return host;
	case 0x80000002: /* the brand string */
	case 0x80000003:
	case 0x80000004:
	case 0x80000005: /* caches and TLBs */
	case 0x80000006:
		return host;
	case 0x80000007:
		return (struct cpuid_regs){ .edx = host.edx & (uint32_t)LEAF_87_EDX_INVARIANT_TSC };
	case 0x80000008:
		return (struct cpuid_regs){ .eax = vm->as.npt.config.gpa_bits | LINEAR_BITS << 8 };
	}
	return (struct cpuid_regs){ 0 };
}

/* The range Intel SDM vol. 2 "CPUID" says no CPU will use, and that hypervisors by custom identify themselves in. */
static struct cpuid_regs hypervisor_leaf(uint32_t leaf)
{
	if (leaf == HYPERVISOR_LEAF)
		return (struct cpuid_regs){
			.eax = HYPERVISOR_LEAF_MAX,
			.ebx = 0x7473654e, /* "Nest" */
			.ecx = 0x676e696c, /* "ling" */
			.edx = 0x7473654e, /* "Nest" */
		};
	if (leaf == HYPERVISOR_LEAF_MAX)
		return (struct cpuid_regs){ .eax = virt->hypercall_insn, .ebx = HYPERCALL_ABI_VERSION };
	return (struct cpuid_regs){ 0 };
}

struct cpuid_regs guest_cpuid(const struct vm *vm, uint32_t leaf, uint32_t subleaf)
{
	if (leaf >= KVM_LEAF && leaf <= KVM_LEAF_MAX)
		return kvmclock_leaf(leaf);
	if (leaf >= 0x40000000 && leaf <= 0x4fffffff)
		return hypervisor_leaf(leaf);
	if (leaf <= BASIC_LEAF_MAX && leaf <= cpuid(0, 0).eax)
		return basic_leaf(leaf, subleaf, cpuid(leaf, subleaf));
	if (leaf >= 0x80000000 && leaf <= EXTENDED_LEAF_MAX && leaf <= cpuid(0x80000000, 0).eax)
		return extended_leaf(vm, leaf, cpuid(leaf, subleaf));
	return (struct cpuid_regs){ 0 };
}

uint64_t guest_cr4_valid(const struct vm *vm)
{
	struct cpuid_regs leaf_7 = guest_cpuid(vm, 7, 0);
	uint64_t valid = CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE | CR4_PGE | CR4_PCE | CR4_OSFXSR | CR4_OSXMMEXCPT;

	if (leaf_7.ebx & CPUID_7_EBX_FSGSBASE)
		valid |= CR4_FSGSBASE;
	if (leaf_7.ebx & CPUID_7_EBX_SMEP)
		valid |= CR4_SMEP;
	if (leaf_7.ebx & CPUID_7_EBX_SMAP)
		valid |= CR4_SMAP;
	if (leaf_7.ecx & CPUID_7_ECX_UMIP)
		valid |= CR4_UMIP;
	return valid;
}

/* Bits of an APIC id that tell the VM's vCPUs apart. */
static unsigned id_bits(const struct vm *vm)
{
	return vm->vcpus == 1 ? 0 : 64 - (unsigned)__builtin_clzll(vm->vcpus - 1);
}

/* Of one package, with a core for each vCPU. */
static struct cpuid_regs topology_leaf(const struct vcpu *vcpu, uint32_t subleaf)
{
	struct cpuid_regs regs = { .ecx = subleaf & 0xff, .edx = vcpu->id };

	if (subleaf == 0) {
		regs.ebx = 1;
		regs.ecx |= LEVEL_SMT;
	} else if (subleaf == 1) {
		regs.eax = id_bits(vcpu->vm);
		regs.ebx = vcpu->vm->vcpus;
		regs.ecx |= LEVEL_CORE;
	}
	return regs;
}

/* What differs among the vCPUs of a VM. */
static void fill_in_vcpu(const struct vcpu *vcpu, struct cpuid_regs *leaf_1)
{
	leaf_1->ebx |= 1u << id_bits(vcpu->vm) << LEAF_1_EBX_CPUS_SHIFT | vcpu->id << LEAF_1_EBX_ID_SHIFT;
	if (vcpu->vm->vcpus > 1)
		leaf_1->edx |= (uint32_t)CPUID_1_EDX_HTT;
	if (vcpu->arch.apic.base & APIC_BASE_EN)
		leaf_1->edx |= (uint32_t)CPUID_1_EDX_APIC;
}

void emulate_cpuid(struct vcpu *vcpu)
{
	uint64_t *gpr = vcpu->arch.gpr;
	uint32_t leaf = (uint32_t)gpr[RAX], subleaf = (uint32_t)gpr[RCX];
	struct cpuid_regs regs = leaf == TOPOLOGY_LEAF ? topology_leaf(vcpu, subleaf) : guest_cpuid(vcpu->vm, leaf, subleaf);

	if (leaf == 1)
		fill_in_vcpu(vcpu, &regs);
	gpr[RAX] = regs.eax;
	gpr[RBX] = regs.ebx;
	gpr[RCX] = regs.ecx;
	gpr[RDX] = regs.edx;
}

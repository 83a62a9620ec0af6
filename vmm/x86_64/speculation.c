/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between two VMs, the state of the CPU that one could leave for the other is cleared: branch predictors, caches, buffers. None of
 * this is on the way of an exit. Sources: Intel, "Speculative Execution Side Channel Mitigations" (IBPB, enhanced IBRS, the MSRs'
 * bits), "L1 Terminal Fault", "Microarchitectural Data Sampling"; SDM vol. 4 "IA32_ARCH_CAPABILITIES". AMD APM vol. 2 "Speculation
 * Control MSRs", "Automatic IBRS"; AMD-SB-7005 (SRSO), AMD-SB-7029 (TSA).
 */
#include "vmm/x86_64/speculation.h"

#include "include/arch/x86_64/insn.h"
#include "include/arch/x86_64/msr.h"
#include "include/log.h"

#define LEAF_7_EDX_MD_CLEAR    BIT(10)
#define LEAF_7_EDX_IBPB        BIT(26)
#define LEAF_7_EDX_L1D_FLUSH   BIT(28)
#define LEAF_7_EDX_ARCH_CAPS   BIT(29)
#define LEAF_88_EBX_IBPB       BIT(12)
#define LEAF_A1_EAX_VERW_CLEAR BIT(5)
#define LEAF_A1_EAX_AUTO_IBRS  BIT(8)

#define ARCH_CAP_RDCL_NO        BIT(0)
#define ARCH_CAP_IBRS_ALL       BIT(1)
#define ARCH_CAP_SKIP_L1D       BIT(3)
#define ARCH_CAP_MDS_NO         BIT(5)
#define ARCH_CAP_PSCHANGE_MC_NO BIT(6)
#define ARCH_CAP_FB_CLEAR       BIT(17)

#define RETURNS_REMEMBERED 32 /* at least as many as any return stack buffer holds */

static struct speculation_plan plan;

struct speculation_plan speculation_choose(const struct speculation_cpu *cpu)
{
	uint64_t caps = cpu->arch_capabilities;

	return (struct speculation_plan){
		.ibpb = cpu->leaf_7_edx & LEAF_7_EDX_IBPB || cpu->leaf_88_ebx & LEAF_88_EBX_IBPB,
		.flush_l1d = cpu->leaf_7_edx & LEAF_7_EDX_L1D_FLUSH && !(caps & (ARCH_CAP_RDCL_NO | ARCH_CAP_SKIP_L1D)),
		.clear_buffers = (cpu->leaf_7_edx & LEAF_7_EDX_MD_CLEAR && !(caps & ARCH_CAP_MDS_NO)) || caps & ARCH_CAP_FB_CLEAR ||
				 cpu->leaf_a1_eax & LEAF_A1_EAX_VERW_CLEAR,
		.ibrs_always = caps & ARCH_CAP_IBRS_ALL,
		.automatic_ibrs = cpu->leaf_a1_eax & LEAF_A1_EAX_AUTO_IBRS,
	};
}

static struct speculation_cpu ask_cpu(void)
{
	uint32_t basic = cpuid(0, 0).eax, extended = cpuid(0x80000000, 0).eax;
	struct speculation_cpu cpu = {
		.leaf_7_edx = basic >= 7 ? cpuid(7, 0).edx : 0,
		.leaf_88_ebx = extended >= 0x80000008 ? cpuid(0x80000008, 0).ebx : 0,
		.leaf_a1_eax = extended >= 0x80000021 ? cpuid(0x80000021, 0).eax : 0,
	};

	if (cpu.leaf_7_edx & LEAF_7_EDX_ARCH_CAPS)
		cpu.arch_capabilities = rdmsr(IA32_ARCH_CAPABILITIES);
	return cpu;
}

void speculation_start(bool log)
{
	struct speculation_cpu cpu = ask_cpu();

	plan = speculation_choose(&cpu);
	if (plan.ibrs_always)
		wrmsr(IA32_SPEC_CTRL, SPEC_CTRL_IBRS);
	if (plan.automatic_ibrs)
		wrmsr(IA32_EFER, rdmsr(IA32_EFER) | EFER_AIBRSE);
	if (log && (plan.ibpb || plan.flush_l1d || plan.clear_buffers))
		log_info("vm: between VMs this CPU forgets%s%s%s", plan.ibpb ? " branches" : "", plan.flush_l1d ? " L1 data" : "",
			 plan.clear_buffers ? " buffers" : "");
}

/* Calls whose returns lead into a trap for speculation; IBPB need not clear the return stack buffer. */
static void forget_returns(void)
{
	__asm__ volatile(".rept	%c0\n"
			 "	call	2f\n"
			 "1:	pause\n"
			 "	lfence\n"
			 "	jmp	1b\n"
			 "2:\n"
			 "	.endr\n"
			 "	addq	$8 * %c0, %%rsp"
			 :
			 : "i"(RETURNS_REMEMBERED)
			 : "memory", "cc");
}

void speculation_forget(void)
{
	uint16_t data = 0;

	__asm__ volatile("movw %%ds, %0" : "=m"(data));
	if (plan.ibpb)
		wrmsr(IA32_PRED_CMD, PRED_CMD_IBPB);
	forget_returns();
	if (plan.flush_l1d)
		wrmsr(IA32_FLUSH_CMD, FLUSH_CMD_L1D);
	if (plan.clear_buffers)
		__asm__ volatile("verw %0" : : "m"(data) : "cc");
}

/*
 * By model, of family 6: Core CPUs from Nehalem to Comet Lake. Intel, "Machine Check Error Avoidance on Page Size Change", its
 * list of affected processors. Later ones say that they are not by PSCHANGE_MC_NO, and are not in the list either.
 */
bool itlb_multihit(uint32_t signature, uint64_t arch_capabilities)
{
	static const uint8_t affected[] = {
		0x1a, 0x1e, 0x1f, 0x2e, 0x25, 0x2c, 0x2f, 0x2a, 0x2d, 0x3a, 0x3e, 0x3c, 0x3f, 0x45,
		0x46, 0x3d, 0x47, 0x4f, 0x56, 0x4e, 0x5e, 0x55, 0x66, 0x8e, 0x9e, 0xa5, 0xa6,
	};
	uint32_t family = signature >> 8 & 15, model = (signature >> 4 & 15) | (signature >> 12 & 0xf0);

	if (arch_capabilities & ARCH_CAP_PSCHANGE_MC_NO || family != 6)
		return false;
	for (size_t i = 0; i < sizeof(affected); i++)
		if (model == affected[i])
			return true;
	return false;
}

bool itlb_multihit_here(void)
{
	return itlb_multihit(cpuid(1, 0).eax, ask_cpu().arch_capabilities);
}

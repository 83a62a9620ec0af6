/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VMX controls, from what we need, would like and cannot have, and from what the capability MSRs allow.
 * Intel SDM vol. 3 app. A "VMX Capability Reporting Facility".
 */
#include "vmm/x86_64/vmx/vmx.h"

#include <stdio.h>

#include "include/arch/x86_64/insn.h"
#include "include/arch/x86_64/msr.h"

struct vmx_caps vmx_caps;

static char why_text[160];

/* One bit with a name to complain by. */
struct control_bit {
	uint64_t bit;
	const char *name;
};

struct control_word {
	const char *name;
	uint32_t msr, true_msr;
	const struct control_bit *need;  /* must be allowed to be 1; ends with bit 0 */
	const struct control_bit *avoid; /* must be allowed to be 0: we do not serve their exits; ends with bit 0 */
	uint64_t want;                   /* set where allowed */
};

static const struct control_bit none[] = { { 0, NULL } };

static const struct control_bit pin_need[] = {
	{ PIN_EXTERNAL_INTERRUPT_EXITING, "external-interrupt exiting" },
	{ PIN_NMI_EXITING, "NMI exiting" },
	{ 0, NULL },
};

static const struct control_bit cpu_need[] = {
	{ CPU_USE_TSC_OFFSETTING, "use TSC offsetting" },
	{ CPU_HLT_EXITING, "HLT exiting" },
	{ CPU_MWAIT_EXITING, "MWAIT exiting" },
	{ CPU_RDPMC_EXITING, "RDPMC exiting" },
	{ CPU_CR8_LOAD_EXITING, "CR8-load exiting" },
	{ CPU_CR8_STORE_EXITING, "CR8-store exiting" },
	{ CPU_UNCONDITIONAL_IO, "unconditional I/O exiting" },
	{ CPU_USE_MSR_BITMAPS, "use MSR bitmaps" },
	{ CPU_MONITOR_EXITING, "MONITOR exiting" },
	{ CPU_SECONDARY_CONTROLS, "activate secondary controls" },
	{ 0, NULL },
};

static const struct control_bit cpu_avoid[] = {
	{ CPU_INVLPG_EXITING, "INVLPG exiting" },     { CPU_RDTSC_EXITING, "RDTSC exiting" },
	{ CPU_CR3_LOAD_EXITING, "CR3-load exiting" }, { CPU_CR3_STORE_EXITING, "CR3-store exiting" },
	{ CPU_MOV_DR_EXITING, "MOV-DR exiting" },     { 0, NULL },
};

static const struct control_bit cpu2_need[] = {
	{ CPU2_ENABLE_EPT, "enable EPT" },
	{ 0, NULL },
};

static const struct control_bit exit_need[] = {
	{ EXIT_HOST_64, "host address-space size" },
	{ EXIT_LOAD_IA32_PAT, "load IA32_PAT" },
	{ EXIT_SAVE_IA32_EFER, "save IA32_EFER" },
	{ EXIT_LOAD_IA32_EFER, "load IA32_EFER" },
	{ 0, NULL },
};

static const struct control_bit exit_avoid[] = {
	{ EXIT_ACK_INTERRUPT, "acknowledge interrupt on exit" },
	{ 0, NULL },
};

static const struct control_bit entry_need[] = {
	{ ENTRY_IA32E_GUEST, "IA-32e mode guest" },
	{ ENTRY_LOAD_IA32_PAT, "load IA32_PAT" },
	{ ENTRY_LOAD_IA32_EFER, "load IA32_EFER" },
	{ 0, NULL },
};

static const struct control_word pin_word = {
	"pin-based", IA32_VMX_PINBASED_CTLS, IA32_VMX_TRUE_PINBASED_CTLS, pin_need, none, PIN_PREEMPTION_TIMER | PIN_VIRTUAL_NMIS
};
static const struct control_word cpu_word = {
	"processor-based", IA32_VMX_PROCBASED_CTLS, IA32_VMX_TRUE_PROCBASED_CTLS, cpu_need, cpu_avoid, 0
};
static const struct control_word cpu2_word = { "secondary processor-based",
					       IA32_VMX_PROCBASED_CTLS2,
					       IA32_VMX_PROCBASED_CTLS2,
					       cpu2_need,
					       none,
					       CPU2_ENABLE_VPID | CPU2_UNRESTRICTED_GUEST | CPU2_ENCLS_EXITING |
						       CPU2_ENCLV_EXITING };
static const struct control_word exit_word = {
	"VM-exit", IA32_VMX_EXIT_CTLS, IA32_VMX_TRUE_EXIT_CTLS,
	exit_need, exit_avoid,         EXIT_SAVE_DEBUG_CONTROLS | EXIT_SAVE_PREEMPTION_TIMER
};
static const struct control_word entry_word = { "VM-entry", IA32_VMX_ENTRY_CTLS,      IA32_VMX_TRUE_ENTRY_CTLS, entry_need,
						none,       ENTRY_LOAD_DEBUG_CONTROLS };

static enum err lacking(const struct control_word *word, const char *bit, const char *how, const char **why)
{
	snprintf(why_text, sizeof(why_text), "the CPU's VMX %s \"%s\" of the %s controls", how, bit, word->name);
	*why = why_text;
	return ERR_UNSUPPORTED;
}

static enum err choose(const struct control_word *word, bool true_controls, uint32_t *controls, const char **why)
{
	uint64_t caps = rdmsr(true_controls ? word->true_msr : word->msr);
	uint32_t must = (uint32_t)caps, may = (uint32_t)(caps >> 32);
	uint32_t chosen = must | ((uint32_t)word->want & may);

	for (const struct control_bit *need = word->need; need->bit; need++) {
		if (!(may & need->bit))
			return lacking(word, need->name, "does not offer", why);
		chosen |= (uint32_t)need->bit;
	}
	for (const struct control_bit *avoid = word->avoid; avoid->bit; avoid++)
		if (must & avoid->bit)
			return lacking(word, avoid->name, "insists on", why);
	*controls = chosen;
	return ERR_OK;
}

static enum err choose_controls(bool true_controls, const char **why)
{
	enum err err = choose(&pin_word, true_controls, &vmx_caps.pin, why);

	if (err == ERR_OK)
		err = choose(&cpu_word, true_controls, &vmx_caps.cpu, why);
	if (err == ERR_OK)
		err = choose(&cpu2_word, true_controls, &vmx_caps.cpu2, why);
	if (err == ERR_OK)
		err = choose(&exit_word, true_controls, &vmx_caps.exit, why);
	if (err == ERR_OK)
		err = choose(&entry_word, true_controls, &vmx_caps.entry, why);
	return err;
}

static enum err check_ept(const char **why)
{
	uint64_t caps = vmx_caps.ept_vpid;

	if (!(caps & EPT_CAP_4_LEVEL) || !(caps & EPT_CAP_WB)) {
		*why = "the CPU's EPT has no four-level write-back walk";
		return ERR_UNSUPPORTED;
	}
	if (!(caps & EPT_CAP_INVEPT) || !(caps & (EPT_CAP_INVEPT_SINGLE | EPT_CAP_INVEPT_ALL))) {
		*why = "the CPU's EPT has no INVEPT";
		return ERR_UNSUPPORTED;
	}
	return ERR_OK;
}

/* Controls that are of use only with others. */
static void drop_halves(void)
{
	if (!(vmx_caps.pin & PIN_PREEMPTION_TIMER) || !(vmx_caps.exit & EXIT_SAVE_PREEMPTION_TIMER)) {
		vmx_caps.pin &= ~(uint32_t)PIN_PREEMPTION_TIMER;
		vmx_caps.exit &= ~(uint32_t)EXIT_SAVE_PREEMPTION_TIMER;
	}
	/* What a new generation of VPIDs begins with: vmx_flush_all. */
	if (!(vmx_caps.ept_vpid & EPT_CAP_INVEPT_ALL))
		vmx_caps.cpu2 &= ~(uint32_t)CPU2_ENABLE_VPID;
}

enum err vmx_read_caps(const char **why)
{
	uint64_t basic = rdmsr(IA32_VMX_BASIC);
	enum err err;

	if (basic & VMX_BASIC_32BIT_ADDR) {
		*why = "the CPU's VMX reaches only the first 4 GiB of memory";
		return ERR_UNSUPPORTED;
	}
	vmx_caps.revision = VMX_BASIC_REVISION(basic);
	err = choose_controls(basic & VMX_BASIC_TRUE_CTLS, why);
	if (err != ERR_OK)
		return err;
	vmx_caps.ept_vpid = rdmsr(IA32_VMX_EPT_VPID_CAP);
	vmx_caps.timer_bit = VMX_MISC_TIMER_BIT(rdmsr(IA32_VMX_MISC));
	drop_halves();
	vmx_caps.cr0_fixed0 = rdmsr(IA32_VMX_CR0_FIXED0);
	vmx_caps.cr0_fixed1 = rdmsr(IA32_VMX_CR0_FIXED1);
	vmx_caps.cr4_fixed0 = rdmsr(IA32_VMX_CR4_FIXED0);
	vmx_caps.cr4_fixed1 = rdmsr(IA32_VMX_CR4_FIXED1);
	/* SDM vol. 3 "Checks on Guest Control Registers, Debug Registers, and MSRs": the two a guest may then clear. */
	if (vmx_unrestricted_guest())
		vmx_caps.cr0_fixed0 &= ~(CR0_PE | CR0_PG);
	return check_ept(why);
}

uint64_t vmx_cr0_guest_owned(void)
{
	uint64_t owned = CR0_MP | CR0_EM | CR0_TS | CR0_WP | CR0_AM;

	/* Not CD and NW, which VM entries and exits leave alone: the host would run uncached. */
	if (vmx_unrestricted_guest())
		owned |= CR0_PE | CR0_PG;
	return owned;
}

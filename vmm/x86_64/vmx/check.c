/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which rule does the guest state break? After an entry that failed with "invalid guest state" the CPU does not say:
 * ask the rules of Intel SDM vol. 3 "Checking and Loading Guest State" once more. Off every fast path.
 */
#include "include/arch/x86_64/insn.h"
#include "include/arch/x86_64/msr.h"
#include "vmm/x86_64/vmx/vmx.h"

#define LINEAR_BITS 48

static bool canonical(uint64_t address)
{
	int64_t top = (int64_t)address >> (LINEAR_BITS - 1);

	return top == 0 || top == -1;
}

static bool valid_pat(uint64_t pat)
{
	for (unsigned i = 0; i < 8; i++) {
		uint8_t type = (uint8_t)(pat >> (8 * i));

		if (type > PAT_UC_MINUS || type == 2 || type == 3)
			return false;
	}
	return true;
}

static bool fixed_bits_ok(uint64_t value, uint64_t fixed0, uint64_t fixed1)
{
	return (value & fixed0) == fixed0 && (value & ~fixed1) == 0;
}

/* "Checks on Guest Control Registers, Debug Registers, and MSRs" */
static const char *bad_registers(void)
{
	uint64_t cr0 = vmread(GUEST_CR0), cr4 = vmread(GUEST_CR4), efer = vmread(GUEST_IA32_EFER);
	bool ia32e = vmread(ENTRY_CONTROLS) & ENTRY_IA32E_GUEST;

	if (!fixed_bits_ok(cr0, vmx_caps.cr0_fixed0, vmx_caps.cr0_fixed1))
		return "GUEST_CR0 breaks IA32_VMX_CR0_FIXED";
	if (cr0 & CR0_PG && !(cr0 & CR0_PE))
		return "GUEST_CR0 has PG without PE";
	if (!fixed_bits_ok(cr4, vmx_caps.cr4_fixed0, vmx_caps.cr4_fixed1))
		return "GUEST_CR4 breaks IA32_VMX_CR4_FIXED";
	if (ia32e && (!(cr0 & CR0_PG) || !(cr4 & CR4_PAE)))
		return "\"IA-32e mode guest\" without CR0.PG and CR4.PAE";
	if (!ia32e && cr4 & CR4_PCIDE)
		return "GUEST_CR4 has PCIDE outside IA-32e mode";
	if (vmread(GUEST_CR3) & ~BITS((cpuid(0x80000008, 0).eax & 0xff) - 1, 0))
		return "GUEST_CR3 is wider than the CPU's physical addresses";
	if (vmread(GUEST_DR7) >> 32)
		return "GUEST_DR7 bits 63:32 are not zero";
	if (!canonical(vmread(GUEST_SYSENTER_ESP)) || !canonical(vmread(GUEST_SYSENTER_EIP)))
		return "GUEST_SYSENTER_ESP or EIP is not canonical";
	if (!valid_pat(vmread(GUEST_IA32_PAT)))
		return "GUEST_IA32_PAT has a reserved type";
	if (efer & ~(EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE))
		return "GUEST_IA32_EFER has a reserved bit set";
	if (!!(efer & EFER_LMA) != ia32e)
		return "GUEST_IA32_EFER.LMA differs from \"IA-32e mode guest\"";
	if (cr0 & CR0_PG && !!(efer & EFER_LME) != ia32e)
		return "GUEST_IA32_EFER.LME differs from \"IA-32e mode guest\"";
	return NULL;
}

/* "Checks on Guest Segment Registers", as far as a guest in protected or IA-32e mode goes. */
static const char *bad_segments(void)
{
	uint64_t cs = vmread(GUEST_CS_ACCESS_RIGHTS), ss = vmread(GUEST_SS_ACCESS_RIGHTS);
	uint64_t tr = vmread(GUEST_TR_ACCESS_RIGHTS), ldtr = vmread(GUEST_LDTR_ACCESS_RIGHTS);
	bool ia32e = vmread(ENTRY_CONTROLS) & ENTRY_IA32E_GUEST;

	if (vmread(GUEST_TR_SELECTOR) & 4)
		return "GUEST_TR_SELECTOR points into the LDT";
	if (tr & (AR_UNUSABLE | AR_S) || !(tr & AR_P) || !(AR_TYPE(tr) == 11 || (AR_TYPE(tr) == 3 && !ia32e)))
		return "GUEST_TR_ACCESS_RIGHTS is not of a busy TSS";
	if (!canonical(vmread(GUEST_TR_BASE)))
		return "GUEST_TR_BASE is not canonical";
	if (!(ldtr & AR_UNUSABLE) && (ldtr & AR_S || AR_TYPE(ldtr) != 2 || !(ldtr & AR_P)))
		return "GUEST_LDTR_ACCESS_RIGHTS is not of an LDT";
	if (vmread(GUEST_RFLAGS) & RFLAGS_VM || !(vmread(GUEST_CR0) & CR0_PE))
		return NULL;
	if (cs & AR_UNUSABLE || !(cs & AR_S) || !(cs & AR_P))
		return "GUEST_CS_ACCESS_RIGHTS is not of a usable segment";
	if (!(AR_TYPE(cs) & 1) || (AR_TYPE(cs) < 9 && AR_TYPE(cs) != 3))
		return "GUEST_CS_ACCESS_RIGHTS is not of an accessed code segment";
	if (ia32e && cs & AR_L && cs & AR_DB)
		return "GUEST_CS_ACCESS_RIGHTS has both L and D";
	if (AR_TYPE(cs) < 12 && AR_DPL(cs) != AR_DPL(ss))
		return "the DPLs of GUEST_CS_ACCESS_RIGHTS and GUEST_SS_ACCESS_RIGHTS differ";
	if (!(ss & AR_UNUSABLE) && (!(ss & AR_S) || !(ss & AR_P) || (AR_TYPE(ss) != 3 && AR_TYPE(ss) != 7)))
		return "GUEST_SS_ACCESS_RIGHTS is not of a writable data segment";
	return NULL;
}

/* "Checks on Guest Descriptor-Table Registers", "... RIP, RFLAGS, and SSP", "... Non-Register State" */
static const char *bad_rest(void)
{
	const uint64_t both = BLOCKING_BY_STI | BLOCKING_BY_MOV_SS;
	uint64_t rflags = vmread(GUEST_RFLAGS), blocking = vmread(GUEST_INTERRUPTIBILITY);
	bool code64 = vmread(ENTRY_CONTROLS) & ENTRY_IA32E_GUEST && vmread(GUEST_CS_ACCESS_RIGHTS) & AR_L;

	if (!canonical(vmread(GUEST_GDTR_BASE)) || !canonical(vmread(GUEST_IDTR_BASE)))
		return "GUEST_GDTR_BASE or GUEST_IDTR_BASE is not canonical";
	if (vmread(GUEST_GDTR_LIMIT) >> 16 || vmread(GUEST_IDTR_LIMIT) >> 16)
		return "GUEST_GDTR_LIMIT or GUEST_IDTR_LIMIT is beyond 65535";
	if (!code64 && vmread(GUEST_RIP) >> 32)
		return "GUEST_RIP is beyond 4 GiB outside 64-bit code";
	if (code64 && !canonical(vmread(GUEST_RIP)))
		return "GUEST_RIP is not canonical";
	if (!(rflags & RFLAGS_ONE) || rflags & (BITS(63, 22) | BIT(15) | BIT(5) | BIT(3)))
		return "GUEST_RFLAGS has a fixed bit wrong";
	if (vmread(GUEST_ACTIVITY) > 3)
		return "GUEST_ACTIVITY is none there is";
	if (blocking & ~BITS(4, 0) || (blocking & both) == both)
		return "GUEST_INTERRUPTIBILITY contradicts itself";
	if (blocking & BLOCKING_BY_STI && !(rflags & RFLAGS_IF))
		return "GUEST_INTERRUPTIBILITY has blocking by STI with RFLAGS.IF clear";
	if (vmread(VMCS_LINK_POINTER) != UINT64_MAX)
		return "VMCS_LINK_POINTER is not all ones";
	return NULL;
}

const char *vmx_bad_guest_state(void)
{
	const char *bad = bad_registers();

	if (!bad)
		bad = bad_segments();
	if (!bad)
		bad = bad_rest();
	return bad;
}

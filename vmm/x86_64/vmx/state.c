/* SPDX-License-Identifier: BSD-2-Clause */
/* The VMCS before a guest's first entry: controls, the host's state, the guest's. Intel SDM vol. 3 "VM Entries". */
#include "include/arch/x86_64/insn.h"
#include "include/arch/x86_64/msr.h"
#include "vmm/x86_64/emulate.h"
#include "vmm/x86_64/vmx/vmx.h"

void vmx_write_controls(const struct vm *vm)
{
	vmwrite(PIN_BASED_CONTROLS, vmx_caps.pin);
	vmwrite(PROCESSOR_BASED_CONTROLS, vmx_caps.cpu);
	vmwrite(SECONDARY_CONTROLS, vmx_caps.cpu2);
	vmwrite(EXIT_CONTROLS, vmx_caps.exit);
	vmwrite(ENTRY_CONTROLS, vmx_caps.entry);
	/*
	 * A machine check is the host's; of #DB and #AC see delivery_repeats. #UD goes back as it came: if it does not exit to
	 * us, KVM below us makes a hypercall of the other vendor's, by a store into the guest's code.
	 */
	vmwrite(EXCEPTION_BITMAP, BIT(VECTOR_MC) | BIT(VECTOR_DB) | BIT(VECTOR_AC) | BIT(VECTOR_UD));
	vmwrite(PAGE_FAULT_ERROR_CODE_MASK, 0);
	vmwrite(PAGE_FAULT_ERROR_CODE_MATCH, 0);
	vmwrite(CR3_TARGET_COUNT, 0);
	vmwrite(EXIT_MSR_STORE_COUNT, 0);
	vmwrite(EXIT_MSR_LOAD_COUNT, 0);
	vmwrite(ENTRY_MSR_LOAD_COUNT, 0);
	vmwrite(ENTRY_INTERRUPTION_INFO, 0);
	vmwrite(MSR_BITMAP, vmx_msr_bitmap.raw);
	vmwrite(TSC_OFFSET, 0);
	vmwrite(EPT_POINTER, vmx_eptp(&vm->as.npt));
	if (vmx_caps.cpu2 & CPU2_ENCLS_EXITING)
		vmwrite(ENCLS_EXITING_BITMAP, UINT64_MAX);
	if (vmx_caps.cpu2 & CPU2_ENCLV_EXITING)
		vmwrite(ENCLV_EXITING_BITMAP, UINT64_MAX);
	if (vmx_caps.cpu2 & CPU2_ENABLE_VPID)
		vmwrite(VPID, 1); /* vmx_load gives it its own */
	vmwrite(CR0_MASK, ~vmx_cr0_guest_owned());
	vmwrite(CR4_MASK, ~guest_cr4_valid(vm));
}

/* The base in the 16-byte descriptor of a TSS. Intel SDM vol. 3 "TSS Descriptor in 64-bit mode". */
static uint64_t tss_base(uint64_t gdt, uint16_t selector)
{
	const uint64_t *descriptor = (const uint64_t *)(gdt + selector); /* RPL and TI are 0 */

	return (descriptor[0] >> 16 & 0xffffff) | (descriptor[0] >> 32 & 0xff000000) | descriptor[1] << 32;
}

static uint16_t read_ds(void)
{
	uint16_t selector;

	__asm__ volatile("mov %%ds, %0" : "=r"(selector));
	return selector;
}

void vmx_write_host_state(void)
{
	struct table_pointer gdt, idt;

	sgdt(&gdt);
	sidt(&idt);
	vmwrite(HOST_CR0, read_cr0());
	vmwrite(HOST_CR3, read_cr3());
	vmwrite(HOST_CR4, read_cr4());
	vmwrite(HOST_CS_SELECTOR, read_cs());
	vmwrite(HOST_SS_SELECTOR, read_ss());
	vmwrite(HOST_DS_SELECTOR, read_ds());
	vmwrite(HOST_ES_SELECTOR, read_ds());
	vmwrite(HOST_FS_SELECTOR, 0);
	vmwrite(HOST_GS_SELECTOR, 0);
	vmwrite(HOST_TR_SELECTOR, read_tr());
	vmwrite(HOST_FS_BASE, rdmsr(IA32_FS_BASE));
	vmwrite(HOST_GS_BASE, rdmsr(IA32_GS_BASE));
	vmwrite(HOST_TR_BASE, tss_base(gdt.base, read_tr()));
	vmwrite(HOST_GDTR_BASE, gdt.base);
	vmwrite(HOST_IDTR_BASE, idt.base);
	vmwrite(HOST_SYSENTER_CS, 0);
	vmwrite(HOST_SYSENTER_ESP, 0);
	vmwrite(HOST_SYSENTER_EIP, 0);
	vmwrite(HOST_IA32_PAT, rdmsr(IA32_PAT));
	vmwrite(HOST_IA32_EFER, rdmsr(IA32_EFER));
	vmwrite(HOST_RIP, (uint64_t)vmx_exit_point);
}

/* Segments are numbered ES, CS, SS, DS, FS, GS, LDTR, TR; their fields lie 2 apart. */
enum segment { ES, CS, SS, DS, FS, GS, LDTR, TR };

static void write_segment(enum segment segment, uint16_t selector, uint32_t limit, uint32_t access_rights)
{
	vmwrite(GUEST_ES_SELECTOR + 2 * segment, selector);
	vmwrite(GUEST_ES_LIMIT + 2 * segment, limit);
	vmwrite(GUEST_ES_ACCESS_RIGHTS + 2 * segment, access_rights);
	vmwrite(GUEST_ES_BASE + 2 * segment, 0);
}

static void write_flat_segments(uint32_t code)
{
	write_segment(CS, ENTRY_CS, UINT32_MAX, code);
	write_segment(DS, ENTRY_DS, UINT32_MAX, AR_DATA);
	write_segment(ES, ENTRY_DS, UINT32_MAX, AR_DATA);
	write_segment(SS, ENTRY_DS, UINT32_MAX, AR_DATA);
	write_segment(FS, 0, 0, AR_UNUSABLE);
	write_segment(GS, 0, 0, AR_UNUSABLE);
	write_segment(LDTR, 0, 0, AR_UNUSABLE);
}

static void write_real_segments(uint16_t cs)
{
	static const enum segment data[] = { DS, ES, SS, FS, GS };

	write_segment(CS, cs, UINT16_MAX, AR_CODE16);
	vmwrite(GUEST_CS_BASE, (uint64_t)cs << 4);
	for (size_t i = 0; i < ARRAY_LEN(data); i++)
		write_segment(data[i], 0, UINT16_MAX, AR_DATA16);
	write_segment(LDTR, 0, UINT16_MAX, AR_LDT);
}

static void write_segments(const struct entry_state *entry)
{
	if (entry->mode == ENTRY_REAL)
		write_real_segments(entry->cs);
	else
		write_flat_segments(entry->mode == ENTRY_64 ? AR_CODE64 : AR_CODE32);
	write_segment(TR, 0, UINT16_MAX, AR_TSS_BUSY);
	vmwrite(GUEST_GDTR_BASE, entry->gdt_base);
	vmwrite(GUEST_GDTR_LIMIT, entry->gdt_limit);
	vmwrite(GUEST_IDTR_BASE, entry->idt_base);
	vmwrite(GUEST_IDTR_LIMIT, entry->idt_limit);
}

/* As the guest sees them in the shadows, and with the bits that VMX wants, or keeps from it. */
static void write_control_registers(const struct entry_state *entry)
{
	uint64_t cr0 = entry->cr0 & ~(CR0_CD | CR0_NW);

	vmwrite(GUEST_CR0, (cr0 | vmx_caps.cr0_fixed0) & vmx_caps.cr0_fixed1);
	vmwrite(GUEST_CR3, entry->cr3);
	vmwrite(GUEST_CR4, (entry->cr4 | vmx_caps.cr4_fixed0) & vmx_caps.cr4_fixed1);
	vmwrite(CR0_SHADOW, entry->cr0);
	vmwrite(CR4_SHADOW, entry->cr4);
	vmwrite(GUEST_IA32_EFER, entry->efer);
	vmwrite(ENTRY_CONTROLS, entry->efer & EFER_LMA ? vmx_caps.entry : vmx_caps.entry & ~ENTRY_IA32E_GUEST);
}

void vmx_write_guest_state(const struct entry_state *entry)
{
	write_control_registers(entry);
	write_segments(entry);
	vmwrite(GUEST_DR7, DR7_RESET);
	vmwrite(GUEST_RSP, 0);
	vmwrite(GUEST_RIP, entry->rip);
	vmwrite(GUEST_RFLAGS, RFLAGS_ONE);
	vmwrite(GUEST_SYSENTER_CS, 0);
	vmwrite(GUEST_SYSENTER_ESP, 0);
	vmwrite(GUEST_SYSENTER_EIP, 0);
	vmwrite(GUEST_IA32_DEBUGCTL, 0);
	vmwrite(GUEST_IA32_PAT, entry->pat);
	vmwrite(GUEST_INTERRUPTIBILITY, 0);
	vmwrite(GUEST_ACTIVITY, 0);
	vmwrite(GUEST_PENDING_DEBUG, 0);
	vmwrite(VMCS_LINK_POINTER, UINT64_MAX);
}

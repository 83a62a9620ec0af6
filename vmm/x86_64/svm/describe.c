/* SPDX-License-Identifier: BSD-2-Clause */
/* Words for SVM's exits, and the rule that a refused VMCB breaks. */
#include "vmm/x86_64/svm/svm.h"

#include "include/arch/x86_64/msr.h"
#include "vmm/x86_64/diagnose.h"
#include "vmm/x86_64/emulate.h"

/* AMD APM vol. 2, appendix "SVM Intercept Exit Codes". */
static const char *const exit_names[] = {
	[0x60] = "INTR",
	"NMI",
	"SMI",
	"INIT",
	"VINTR",
	"CR0_SEL_WRITE",
	"IDTR_READ",
	"GDTR_READ",
	"LDTR_READ",
	"TR_READ",
	"IDTR_WRITE",
	"GDTR_WRITE",
	"LDTR_WRITE",
	"TR_WRITE",
	"RDTSC",
	"RDPMC",
	"PUSHF",
	"POPF",
	"CPUID",
	"RSM",
	"IRET",
	"SWINT",
	"INVD",
	"PAUSE",
	"HLT",
	"INVLPG",
	"INVLPGA",
	"IOIO",
	"MSR",
	"TASK_SWITCH",
	"FERR_FREEZE",
	"SHUTDOWN",
	"VMRUN",
	"VMMCALL",
	"VMLOAD",
	"VMSAVE",
	"STGI",
	"CLGI",
	"SKINIT",
	"RDTSCP",
	"ICEBP",
	"WBINVD",
	"MONITOR",
	"MWAIT",
	"MWAIT_CONDITIONAL",
	"XSETBV",
	"RDPRU",
	"EFER_WRITE_TRAP",
	[0xa0] = "INVLPGB",
	"INVLPGB_ILLEGAL",
	"INVPCID",
	"MCOMMIT",
	"TLBSYNC",
};

void svm_name_exit(uint64_t code, char *text, size_t size)
{
	if (code < 0x40)
		text_add(text, size, "VMEXIT_%s%lu_%s", code < 0x20 ? "CR" : "DR", code & 15, code & 0x10 ? "WRITE" : "READ");
	else if (code < 0x60)
		text_add(text, size, "VMEXIT_EXCP%lu", code - 0x40);
	else if (code == VMEXIT_NPF)
		text_add(text, size, "VMEXIT_NPF");
	else if (code < ARRAY_LEN(exit_names) && exit_names[code])
		text_add(text, size, "VMEXIT_%s", exit_names[code]);
	else
		text_add(text, size, "an unknown #VMEXIT");
}

static const char *bad_control(const struct vmcb *vmcb)
{
	if (!(vmcb->intercept_misc2 & INTERCEPT_VMRUN))
		return "the VMRUN intercept is clear";
	if (vmcb->asid == 0 || vmcb->asid >= svm_features.asids)
		return "ASID is 0 or beyond what the CPU has";
	if (vmcb->nested_cr3 & (PAGE_SIZE - 1))
		return "N_CR3 is not page-aligned";
	if (vmcb->event_inj & EVENT_VALID && EVENT_TYPE(vmcb->event_inj) != EVENT_INTERRUPT &&
	    EVENT_TYPE(vmcb->event_inj) != EVENT_NMI && EVENT_TYPE(vmcb->event_inj) != EVENT_EXCEPTION &&
	    EVENT_TYPE(vmcb->event_inj) != EVENT_SOFTWARE)
		return "EVENTINJ has a reserved type";
	return NULL;
}

static const char *bad_save(const struct vm *vm, const struct vmcb *vmcb)
{
	bool long_mode = vmcb->efer & EFER_LME && vmcb->cr0 & CR0_PG;

	if (!(vmcb->efer & EFER_SVME))
		return "EFER.SVME is clear";
	if (vmcb->efer & ~(EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE | EFER_SVME | EFER_LMSLE | EFER_FFXSR | EFER_TCE))
		return "EFER has a reserved bit set";
	if (vmcb->cr0 & CR0_NW && !(vmcb->cr0 & CR0_CD))
		return "CR0.NW is set and CR0.CD clear";
	if (vmcb->cr0 >> 32)
		return "CR0 bits 63:32 are not zero";
	if (vmcb->cr4 & ~guest_cr4_valid(vm))
		return "CR4 has a reserved bit set";
	if (vmcb->cr3 & BITS(63, 52))
		return "CR3 has a reserved bit set";
	if (vmcb->dr6 >> 32 || vmcb->dr7 >> 32)
		return "DR6 or DR7 bits 63:32 are not zero";
	if (long_mode && !(vmcb->cr4 & CR4_PAE))
		return "EFER.LME and CR0.PG are set and CR4.PAE is clear";
	if (long_mode && !(vmcb->cr0 & CR0_PE))
		return "EFER.LME and CR0.PG are set and CR0.PE is clear";
	if (long_mode && vmcb->cs.attrib & SEG_L && vmcb->cs.attrib & SEG_D)
		return "CS has both L and D set in long mode";
	return NULL;
}

const char *svm_bad_state(const struct vcpu *vcpu)
{
	const struct vmcb *vmcb = vcpu->arch.svm.vmcb;
	const char *bad = bad_control(vmcb);

	return bad ? bad : bad_save(vcpu->vm, vmcb);
}

void svm_describe(struct vcpu *vcpu, const struct vm_exit *exit, char *text, size_t size)
{
	const struct vmcb *vmcb = vcpu->arch.svm.vmcb;

	if (exit->kind == VM_EXIT_ENTRY_FAILED) {
		const char *bad = svm_bad_state(vcpu);

		text_add(text, size, "VMEXIT_INVALID: %s", bad ? bad : "no rule we know is broken");
		return;
	}
	svm_name_exit(exit->reason, text, size);
	text_add(text, size, " (%#lx), EXITINFO1 %#lx, EXITINFO2 %#lx", exit->reason, vmcb->exitinfo1, vmcb->exitinfo2);
	if (exit->reason == VMEXIT_IOIO && vmcb->exitinfo1 & IOIO_STRING)
		text_add(text, size, ": %s, which is not emulated, of port %#lx", vmcb->exitinfo1 & IOIO_IN ? "INS" : "OUTS",
			 IOIO_PORT(vmcb->exitinfo1));
	if (vcpu->arch.redelivery.endless)
		text_add(text, size, ": raised again each time it is delivered");
	if (exit->reason == VMEXIT_SHUTDOWN)
		text_add(text, size, ": triple fault");
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Words for VMX's exits and for entries that failed. */
#include "vmm/x86_64/diagnose.h"
#include "vmm/x86_64/vmx/vmx.h"

/* Intel SDM vol. 3 app. C "VMX Basic Exit Reasons". */
static const char *const reason_names[] = {
	"exception or NMI",
	"external interrupt",
	"triple fault",
	"INIT signal",
	"start-up IPI",
	"I/O SMI",
	"other SMI",
	"interrupt window",
	"NMI window",
	"task switch",
	"CPUID",
	"GETSEC",
	"HLT",
	"INVD",
	"INVLPG",
	"RDPMC",
	"RDTSC",
	"RSM",
	"VMCALL",
	"VMCLEAR",
	"VMLAUNCH",
	"VMPTRLD",
	"VMPTRST",
	"VMREAD",
	"VMRESUME",
	"VMWRITE",
	"VMXOFF",
	"VMXON",
	"control-register access",
	"MOV DR",
	"I/O instruction",
	"RDMSR",
	"WRMSR",
	"invalid guest state",
	"MSR loading",
	[36] = "MWAIT",
	"monitor trap flag",
	[39] = "MONITOR",
	"PAUSE",
	"machine check on entry",
	[43] = "TPR below threshold",
	"APIC access",
	"virtualized EOI",
	"access to GDTR or IDTR",
	"access to LDTR or TR",
	"EPT violation",
	"EPT misconfiguration",
	"INVEPT",
	"RDTSCP",
	"preemption timer",
	"INVVPID",
	"WBINVD",
	"XSETBV",
	"APIC write",
	"RDRAND",
	"INVPCID",
	"VMFUNC",
	"ENCLS",
	"RDSEED",
	"page-modification log full",
	"XSAVES",
	"XRSTORS",
	[66] = "SPP-related event",
	"UMWAIT",
	"TPAUSE",
};

/* Intel SDM vol. 3 "VM Instruction Error Numbers". */
static const char *const error_names[] = {
	[1] = "VMCALL in VMX root operation",
	"VMCLEAR with invalid physical address",
	"VMCLEAR with VMXON pointer",
	"VMLAUNCH with non-clear VMCS",
	"VMRESUME with non-launched VMCS",
	"VMRESUME after VMXOFF",
	"VM entry with invalid control fields",
	"VM entry with invalid host-state fields",
	"VMPTRLD with invalid physical address",
	"VMPTRLD with VMXON pointer",
	"VMPTRLD with incorrect revision identifier",
	"VMREAD or VMWRITE of an unsupported field",
	"VMWRITE to a read-only field",
	[15] = "VMXON in VMX root operation",
	"VM entry with invalid executive-VMCS pointer",
	"VM entry with non-launched executive VMCS",
	"VM entry with executive-VMCS pointer not VMXON pointer",
	"VMCALL with non-clear VMCS",
	"VMCALL with invalid VM-exit control fields",
	[22] = "VMCALL with incorrect MSEG revision identifier",
	"VMXOFF under dual-monitor treatment",
	"VMCALL with invalid SMM-monitor features",
	"VM entry with invalid VM-execution control fields in executive VMCS",
	"VM entry with events blocked by MOV SS",
	[28] = "invalid operand to INVEPT or INVVPID",
};

static const char *name_in(const char *const *names, size_t count, uint64_t number)
{
	return number < count && names[number] ? names[number] : "unknown";
}

void vmx_name_exit(uint64_t reason, char *text, size_t size)
{
	text_add(text, size, "%s", name_in(reason_names, ARRAY_LEN(reason_names), EXIT_REASON_BASIC(reason)));
}

static void describe_failed_entry(uint64_t reason, char *text, size_t size)
{
	const char *bad = vmx_bad_guest_state();

	text_add(text, size, "VM entry failed: %s (reason %#lx, qualification %#lx): %s",
		 name_in(reason_names, ARRAY_LEN(reason_names), EXIT_REASON_BASIC(reason)), reason, vmread(EXIT_QUALIFICATION),
		 bad ? bad : "no rule we check is broken");
}

static void describe_cr_access(uint64_t info, char *text, size_t size)
{
	static const char *const how[] = { "MOV to", "MOV from", "CLTS on", "LMSW on" };

	text_add(text, size, ": %s CR%u", how[CR_ACCESS(info)], CR_NUMBER(info));
	if (CR_NUMBER(info) == 0)
		text_add(text, size, "%s",
			 vmx_unrestricted_guest() ? ", whose page-directory pointers are not in its memory" :
						    ", which leaves paging: this CPU has no unrestricted guest");
}

void vmx_describe(struct vcpu *vcpu, const struct vm_exit *exit, char *text, size_t size)
{
	uint64_t info, error;

	if (exit->reason == VMX_NOT_ENTERED) {
		error = vmread(VM_INSTRUCTION_ERROR);
		text_add(text, size, "VM entry failed: VM-instruction error %lu, %s", error,
			 name_in(error_names, ARRAY_LEN(error_names), error));
		return;
	}
	if (exit->reason & EXIT_REASON_ENTRY_FAILED) {
		describe_failed_entry(exit->reason, text, size);
		return;
	}
	info = vmread(EXIT_QUALIFICATION);
	text_add(text, size, "%s (exit reason %lu, qualification %#lx)",
		 name_in(reason_names, ARRAY_LEN(reason_names), EXIT_REASON_BASIC(exit->reason)), exit->reason, info);
	if (exit->reason == EXIT_IO && info & IO_STRING)
		text_add(text, size, ": %s, which is not emulated, of port %#lx", info & IO_IN ? "INS" : "OUTS", IO_PORT_OF(info));
	if (exit->reason == EXIT_CR_ACCESS)
		describe_cr_access(info, text, size);
	if (exit->reason == EXIT_EXCEPTION_OR_NMI)
		text_add(text, size, ": vector %u%s", INTR_VECTOR(vmread(EXIT_INTERRUPTION_INFO)),
			 vcpu->arch.redelivery.endless ? ", raised again each time it is delivered" : "");
}

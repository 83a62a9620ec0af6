/* SPDX-License-Identifier: BSD-2-Clause */
/* Words for exits. Nothing here changes the guest. */
#include "include/arch/virt.h"
#include "vmm/riscv64/riscv.h"
#include "vmm/text.h"

static void add_code(const struct vcpu *vcpu, char *text, size_t size)
{
	uint32_t insn;

	if (!guest_fetch(vcpu->arch.pc, &insn))
		text_add(text, size, "; no code there");
	else
		text_add(text, size, "; code there: %0*x", (insn & 3) == 3 ? 8 : 4, insn);
}

/* Why a fault is a crash: it was the fetch of a trap handler that is not there, or a device was reached in a way that is not
 * emulated. */
static void add_crash(const struct vcpu *vcpu, uint64_t cause, char *text, size_t size)
{
	uint64_t vscause = csr_read(CSR_VSCAUSE);

	if (cause == CAUSE_FETCH_GUEST_PAGE) {
		text_add(text, size,
			 "; the guest has no handler at vstvec for its own trap: %s (vscause %#lx), vsepc %#lx, vstval %#lx",
			 cause_name(vscause), vscause, csr_read(CSR_VSEPC), csr_read(CSR_VSTVAL));
		return;
	}
	text_add(text, size, "; a device is there, and this instruction is not emulated for one");
	add_code(vcpu, text, size);
}

/* arch_handle_exit has kept what there is besides the cause. */
void arch_exit_name(const struct vm_exit *exit, char *text, size_t size)
{
	text_add(text, size, "%s (scause %#lx)", cause_name(exit->reason), exit->reason);
	if (exit->kind == VM_EXIT_ARCH)
		text_add(text, size, exit->reason == CAUSE_ECALL_VS ? ", SBI extension %#lx function %#lx" : ", stval %#lx",
			 exit->detail[0], exit->detail[1]);
}

void arch_exit_describe(struct vcpu *vcpu, const struct vm_exit *exit, char *text, size_t size)
{
	const struct vcpu_arch *arch = &vcpu->arch;
	uint64_t cause = exit->reason;

	if (size == 0)
		return;
	text[0] = '\0';
	text_add(text, size, "%s (scause %#lx)", cause_name(cause), cause);
	if (cause == CAUSE_ECALL_VS) {
		text_add(text, size, ", SBI extension %#lx function %#lx", arch->gpr[GPR_A7], arch->gpr[GPR_A6]);
		return;
	}
	text_add(text, size, ", stval %#lx", arch->stval);
	if (is_guest_page_fault(cause))
		text_add(text, size, ", htval %#lx, htinst %#lx", arch->htval, arch->htinst);
	if (exit->kind == VM_EXIT_CRASH)
		add_crash(vcpu, cause, text, size);
	else if (exit->kind == VM_EXIT_ARCH)
		add_code(vcpu, text, size);
}

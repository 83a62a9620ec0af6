/* SPDX-License-Identifier: BSD-2-Clause */
/* scause in words. RISC-V Privileged, "Supervisor Cause Register" and "Hypervisor Extension": the table of exception codes. */
#include "include/arch/riscv64/trap.h"

#include "include/arch/riscv64/csr.h"

const char *cause_name(uint64_t scause)
{
	static const char *const names[] = {
		[CAUSE_FETCH_MISALIGNED] = "instruction address misaligned",
		[CAUSE_FETCH_ACCESS] = "instruction access fault",
		[CAUSE_ILLEGAL_INSN] = "illegal instruction",
		[CAUSE_BREAKPOINT] = "breakpoint",
		[CAUSE_LOAD_MISALIGNED] = "load address misaligned",
		[CAUSE_LOAD_ACCESS] = "load access fault",
		[CAUSE_STORE_MISALIGNED] = "store address misaligned",
		[CAUSE_STORE_ACCESS] = "store access fault",
		[CAUSE_ECALL_U] = "call from user mode",
		[CAUSE_ECALL_HS] = "call from HS-mode",
		[CAUSE_ECALL_VS] = "call from VS-mode",
		[CAUSE_FETCH_PAGE] = "instruction page fault",
		[CAUSE_LOAD_PAGE] = "load page fault",
		[CAUSE_STORE_PAGE] = "store page fault",
		[16] = "double trap",
		[18] = "software check",
		[19] = "hardware error",
		[CAUSE_FETCH_GUEST_PAGE] = "instruction guest-page fault",
		[CAUSE_LOAD_GUEST_PAGE] = "load guest-page fault",
		[CAUSE_VIRTUAL_INSN] = "virtual instruction",
		[CAUSE_STORE_GUEST_PAGE] = "store guest-page fault",
	};

	if (scause & SCAUSE_INTERRUPT)
		return "interrupt";
	return scause < ARRAY_LEN(names) && names[scause] ? names[scause] : "exception";
}

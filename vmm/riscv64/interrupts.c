/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What interrupts a hart: its timer and other harts. With Sstc the timer's register is ours to write; else, and for interrupts
 * between harts, the firmware is asked. Source: RISC-V Privileged, "Supervisor Interrupt (sip and sie) Registers", "Sstc"; SBI
 * specification 2.0, 6 "Timer Extension", 7 "IPI Extension".
 */
#include "include/arch/cpu.h"

#include "drivers/riscv64/hart.h"
#include "include/arch/machine.h"
#include "include/arch/riscv64/insn.h"
#include "include/arch/riscv64/sbi.h"
#include "vmm/riscv64/riscv.h"

enum err arch_interrupts_start(const char **why)
{
	if (hart_timebase_hz() == 0) {
		*why = "the firmware's tables do not say how fast the time counter is";
		return ERR_UNSUPPORTED;
	}
	if (!riscv_features.sstc && !sbi_has(SBI_TIME)) {
		*why = "the firmware's SBI has no timer extension, and the hart no Sstc";
		return ERR_UNSUPPORTED;
	}
	arch_timer_set(NEVER);
	csr_clear(CSR_SIP, BIT(IRQ_SSI));
	csr_set(CSR_SIE, BIT(IRQ_SSI));
	return ERR_OK;
}

uint64_t arch_clock_frequency(void)
{
	return hart_timebase_hz() ? hart_timebase_hz() : 1;
}

void arch_timer_set(uint64_t deadline)
{
	arch_this_cpu()->arch.deadline = deadline;
	timer_rearm();
}

/* Whose time has come? False: only the guest's. If it was ours, whoever goes on sets the timer anew, and the guest's with it. */
static bool take_timer(struct cpu *cpu)
{
	bool ours = csr_read(CSR_TIME) >= cpu->arch.deadline;

	if (cpu->resident && !riscv_features.sstc)
		timer_serve(cpu->resident);
	if (ours) {
		cpu->arch.deadline = NEVER;
		csr_clear(CSR_SIE, BIT(IRQ_STI));
	} else {
		timer_rearm();
	}
	return ours;
}

unsigned arch_interrupts_take(void)
{
	struct cpu *cpu = arch_this_cpu();
	uint64_t pending = csr_read(CSR_SIP) & csr_read(CSR_SIE);
	unsigned events = 0;

	if (pending & BIT(IRQ_SSI)) {
		csr_clear(CSR_SIP, BIT(IRQ_SSI));
		fence(); /* what its sender has written is read after this */
		if (__atomic_load_n(&cpu->stopped, __ATOMIC_RELAXED))
			arch_halt();
		if (cpu->resident)
			harts_serve(cpu->resident);
		events |= CPU_EVENT_IPI;
	}
	if (pending & BIT(IRQ_STI) && take_timer(cpu))
		events |= CPU_EVENT_TIMER;
	return events;
}

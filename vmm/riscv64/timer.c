/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest's timer. With Sstc it is the hart's: vstimecmp raises the guest's interrupt by itself. Without, the
 * host's timer stops the guest in time, and hvip.VSTIP raises it. Source: RISC-V Privileged, "Sstc"; SBI specification 6.
 */
#include "include/arch/riscv64/insn.h"
#include "include/arch/riscv64/sbi.h"
#include "vmm/cpu.h"
#include "vmm/riscv64/riscv.h"

static uint64_t guest_now(const struct vcpu *vcpu)
{
	return csr_read(CSR_TIME) + vcpu->vm->arch.htimedelta;
}

/* The guest's time runs behind ours. Its last days are treated as "never". */
static uint64_t host_time(const struct vcpu *vcpu, uint64_t when)
{
	uint64_t host = when - vcpu->vm->arch.htimedelta;

	return when == NEVER || host < when ? NEVER : host;
}

/* The SBI's own way to clear a timer is a time that never comes; whether it does so at once is the firmware's. So sie masks it. */
static void set_timer(uint64_t deadline)
{
	if (deadline == NEVER) {
		csr_clear(CSR_SIE, BIT(IRQ_STI));
		return;
	}
	if (riscv_features.sstc)
		csr_write(CSR_STIMECMP, deadline);
	else
		sbi_call(SBI_TIME, SBI_TIME_SET_TIMER, deadline, 0, 0);
	csr_set(CSR_SIE, BIT(IRQ_STI));
}

/* One timer for two: the hypervisor's, and that of the guest which is here, if the hart has none for it. */
void timer_rearm(void)
{
	const struct cpu *cpu = arch_this_cpu();
	uint64_t deadline = cpu->arch.deadline;

	if (cpu->resident && !riscv_features.sstc)
		deadline = min_u64(deadline, host_time(cpu->resident, cpu->resident->arch.timer));
	set_timer(deadline);
}

void timer_serve(struct vcpu *vcpu)
{
	if (riscv_features.sstc || guest_now(vcpu) < vcpu->arch.timer || vcpu->arch.timer == NEVER)
		return;
	vcpu->arch.timer = NEVER;
	csr_set(CSR_HVIP, BIT(IRQ_VSTI));
}

void timer_load(struct vcpu *vcpu)
{
	if (riscv_features.sstc)
		csr_write(CSR_VSTIMECMP, vcpu->arch.timer);
	else
		timer_serve(vcpu);
}

void timer_set(struct vcpu *vcpu, uint64_t when)
{
	csr_clear(CSR_HVIP, BIT(IRQ_VSTI));
	if (riscv_features.sstc) {
		csr_write(CSR_VSTIMECMP, when);
		return;
	}
	vcpu->arch.timer = when;
	timer_rearm();
}

/* hip is asked and not vsip, which is the same by the manual, but of which QEMU 7.2 never shows STIP. */
bool timer_is_pending(void)
{
	return VSIE_OF(csr_read(CSR_HIP)) & csr_read(CSR_VSIE);
}

uint64_t timer_wakes_at(const struct vcpu *vcpu)
{
	if (!(csr_read(CSR_VSIE) & VSIE_OF(BIT(IRQ_VSTI))))
		return NEVER;
	return host_time(vcpu, riscv_features.sstc ? csr_read(CSR_VSTIMECMP) : vcpu->arch.timer);
}

/* Frames are cleared while nobody else wants the CPU. */
static void use_the_time(struct vcpu *vcpu)
{
	const struct cpu *cpu = arch_this_cpu();

	while (cpu_ready(cpu) == 0 && !(csr_read(CSR_SIP) & csr_read(CSR_SIE)) && csr_read(CSR_TIME) < vcpu->wake_at &&
	       addr_space_zero_ahead(vcpu->view))
		;
}

void timer_wait(struct vcpu *vcpu)
{
	if (timer_is_pending())
		return;
	vcpu->wake_at = timer_wakes_at(vcpu);
	vcpu->leave_why = NULL;
	vcpu->leave = LEAVE_WAIT;
	if (vcpu->wake_at != NEVER)
		use_the_time(vcpu);
}

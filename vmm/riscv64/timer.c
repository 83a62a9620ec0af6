/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest's timer. With Sstc it is the hart's: vstimecmp raises the guest's interrupt by itself. Without, the
 * firmware's timer stops the guest in time, and hvip.VSTIP raises it. Source: RISC-V Privileged, "Sstc"; SBI specification 6.
 */
#include "include/arch/riscv64/insn.h"
#include "include/arch/riscv64/sbi.h"
#include "mm/frame.h"
#include "vmm/riscv64/riscv.h"

#define NEVER UINT64_MAX

static uint64_t guest_now(void)
{
	return csr_read(CSR_TIME) + csr_read(CSR_HTIMEDELTA);
}

uint64_t timer_deadline(const struct vcpu *vcpu)
{
	return riscv_features.sstc ? csr_read(CSR_VSTIMECMP) : vcpu->arch.timer;
}

/* The guest's time runs behind ours. Its last days are treated as "never". */
static uint64_t host_time(uint64_t when)
{
	uint64_t host = when - csr_read(CSR_HTIMEDELTA);

	return host < when ? NEVER : host;
}

/* Have the firmware's timer raise sip.STIP at guest time `when`. */
static void arm_host(uint64_t when)
{
	if (when == NEVER) {
		csr_clear(CSR_SIE, BIT(IRQ_STI));
		return;
	}
	sbi_call(SBI_TIME, SBI_TIME_SET_TIMER, host_time(when), 0, 0);
	csr_set(CSR_SIE, BIT(IRQ_STI));
}

void timer_reset(struct vcpu *vcpu)
{
	csr_write(CSR_HVIP, 0);
	timer_set(vcpu, NEVER);
}

void timer_set(struct vcpu *vcpu, uint64_t when)
{
	vcpu->arch.timer = when;
	csr_clear(CSR_HVIP, BIT(IRQ_VSTI));
	if (riscv_features.sstc)
		csr_write(CSR_VSTIMECMP, when);
	else
		arm_host(when);
}

void timer_fired(struct vcpu *vcpu)
{
	arm_host(NEVER);
	/* The firmware's timer is coarse about the end of time, and may have been for a wait. */
	if (!riscv_features.sstc && guest_now() >= vcpu->arch.timer) {
		vcpu->arch.timer = NEVER;
		csr_set(CSR_HVIP, BIT(IRQ_VSTI));
	}
}

/* hip is asked and not vsip, which is the same by the manual, but of which QEMU 7.2 never shows STIP. */
static bool is_pending(void)
{
	return VSIE_OF(csr_read(CSR_HIP)) & csr_read(CSR_VSIE);
}

bool timer_can_wake(const struct vcpu *vcpu)
{
	return is_pending() || (csr_read(CSR_VSIE) & VSIE_OF(BIT(IRQ_VSTI)) && timer_deadline(vcpu) != NEVER);
}

/* Interrupts are off in the hypervisor; wfi returns when one is pending all the same. */
void timer_wait(struct vcpu *vcpu)
{
	while (!is_pending() && timer_can_wake(vcpu)) {
		arm_host(timer_deadline(vcpu));
		while (!(csr_read(CSR_SIP) & BIT(IRQ_STI)) && addr_space_zero_ahead(vcpu->view))
			;
		while (!(csr_read(CSR_SIP) & BIT(IRQ_STI)))
			wfi();
		timer_fired(vcpu);
	}
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest's timers, which are the CPU's own. Their interrupts come to EL2, which lets each come once (interrupts_open_timers): as
 * long as the timer's condition is met its line to the guest's interrupt controller is high, and the machine's is closed. Source:
 * Arm ARM (DDI 0487), "The Generic Timer", "CNTV_CTL_EL0".
 */
#include "drivers/aarch64/guest_timers.h"
#include "include/arch/virt.h"
#include "vmm/aarch64/aarch64.h"

#define CNT_CTL_ISTATUS BIT(2)

static bool is_met(uint64_t ctl)
{
	return (ctl & (CNT_CTL_ENABLE | CNT_CTL_IMASK | CNT_CTL_ISTATUS)) == (CNT_CTL_ENABLE | CNT_CTL_ISTATUS);
}

uint32_t timer_lines(void)
{
	return (is_met(read_guest_sysreg(cntv_ctl_el0)) ? (uint32_t)BIT(GUEST_VIRTUAL_TIMER) : 0) |
	       (is_met(read_guest_sysreg(cntp_ctl_el0)) ? (uint32_t)BIT(GUEST_PHYSICAL_TIMER) : 0);
}

void timer_open(uint32_t lines)
{
	interrupts_open_timers((lines & BIT(GUEST_VIRTUAL_TIMER) ? 0 : 1u << GUEST_TIMER_VIRTUAL) |
			       (lines & BIT(GUEST_PHYSICAL_TIMER) ? 0 : 1u << GUEST_TIMER_PHYSICAL));
}

/* When its condition is met, by arch_clock. */
static uint64_t deadline(uint64_t ctl, uint64_t cval)
{
	return (ctl & (CNT_CTL_ENABLE | CNT_CTL_IMASK)) == CNT_CTL_ENABLE ? cval : NEVER;
}

uint64_t timer_wakes_at(uint32_t lines)
{
	uint64_t when = NEVER;

	if (lines & BIT(GUEST_VIRTUAL_TIMER))
		when = deadline(read_guest_sysreg(cntv_ctl_el0), read_guest_sysreg(cntv_cval_el0));
	if (lines & BIT(GUEST_PHYSICAL_TIMER))
		when = min_u64(when, deadline(read_guest_sysreg(cntp_ctl_el0), read_guest_sysreg(cntp_cval_el0)));
	return when;
}

void timer_stop_all(void)
{
	write_guest_sysreg(cntv_ctl_el0, 0);
	write_guest_sysreg(cntp_ctl_el0, 0);
}

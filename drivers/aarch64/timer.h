/* SPDX-License-Identifier: BSD-2-Clause */
/* EL2's physical timer. Source: Arm ARM (DDI 0487), "The Generic Timer", "CNTHP_CTL_EL2". */
#ifndef NESTLING_DRIVERS_AARCH64_TIMER_H
#define NESTLING_DRIVERS_AARCH64_TIMER_H

#include "include/arch/aarch64/insn.h"

/* Its interrupt ends, too, before the controller is told so. */
static inline void timer_stop(void)
{
	write_sysreg(cnthp_ctl_el2, 0);
	isb();
}

#endif

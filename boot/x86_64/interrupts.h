/* SPDX-License-Identifier: BSD-2-Clause */
/* The hypervisor's interrupts and clock on x86-64, beside include/arch/cpu.h. */
#ifndef NESTLING_BOOT_X86_64_INTERRUPTS_H
#define NESTLING_BOOT_X86_64_INTERRUPTS_H

/* Look for what the TSC can be measured by, in the firmware's tables. Its map is in force. */
void interrupts_find_clock(void);

#endif

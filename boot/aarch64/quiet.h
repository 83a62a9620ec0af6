/* SPDX-License-Identifier: BSD-2-Clause */
/* A CPU's own sources of interrupts. */
#ifndef NESTLING_BOOT_AARCH64_QUIET_H
#define NESTLING_BOOT_AARCH64_QUIET_H

/* Mask all interrupts of this CPU for good, and silence what firmware may have left running in it. */
void quiet_cpu(void);

#endif

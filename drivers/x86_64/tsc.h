/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The time-stamp counter, measured against other counters. Sources: ACPI specification 6.4, 4.8.2.1 "Power Management Timer"; Intel
 * 8254 data sheet.
 */
#ifndef NESTLING_DRIVERS_X86_64_TSC_H
#define NESTLING_DRIVERS_X86_64_TSC_H

#include "include/err.h"
#include "include/types.h"

/* A counter that counts up and wraps around. */
struct counter {
	uint32_t (*read)(void);
	uint32_t mask;
};

/*
 * Let the counter make at least `ticks` ticks, less than half its range: `*made` says how many it made while the TSC made `*tsc`.
 * Errors: ERR_UNSUPPORTED: it stands still.
 */
MUST_CHECK enum err tsc_compare(const struct counter *counter, uint32_t ticks, uint64_t *made, uint64_t *tsc);

/*
 * The TSC's frequency in Hz, by the power-management timer at that port; port 0, or one where nothing counts: by the PC's 8254.
 * Takes a fraction of a millisecond. Errors: ERR_UNSUPPORTED: neither counts.
 */
MUST_CHECK enum err tsc_measure(uint16_t pm_timer_port, uint64_t *hz);

#endif

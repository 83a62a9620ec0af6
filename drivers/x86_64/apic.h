/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * This CPU's local APIC: interprocessor interrupts, and a timer. Sources: Intel SDM vol. 3 "Advanced Programmable Interrupt
 * Controller (APIC)", with "Extended XAPIC (x2APIC)"; AMD APM vol. 2 "Advanced Programmable Interrupt Controller (APIC)".
 */
#ifndef NESTLING_DRIVERS_X86_64_APIC_H
#define NESTLING_DRIVERS_X86_64_APIC_H

#include <stdbool.h>

#include "include/arch/x86_64/insn.h"
#include "include/arch/x86_64/msr.h"
#include "include/err.h"
#include "include/mmio.h"
#include "include/types.h"

/* How an IPI is delivered: bits of the interrupt command register. */
#define APIC_FIXED   0x4000 /* and a vector */
#define APIC_NMI     0x4400
#define APIC_INIT    0x4500
#define APIC_STARTUP 0x4600 /* and the number of the page to start at */

/* Ids from here on take x2APIC mode. */
#define APIC_XAPIC_IDS 0xff

/* The page of the registers, for who maps it: as this CPU has them. */
hpa_t apic_page(void);

/* This CPU's id, in whatever mode its APIC is. */
uint32_t apic_id(void);

/*
 * Switch this CPU's APIC on, in x2APIC mode if it can, with all its own sources masked but the timer. On the first CPU before all
 * others: it decides on the mode. ERR_UNSUPPORTED: there is none; `why` is a clause.
 */
MUST_CHECK enum err apic_start(uint8_t timer_vector, uint8_t spurious_vector, const char **why);

/* Does it take ids from APIC_XAPIC_IDS on? After apic_start. */
bool apic_has_wide_ids(void);

/* Measure the timer on the first CPU, after apic_start. Errors: ERR_UNSUPPORTED: it does not count. */
MUST_CHECK enum err apic_measure_timer(void);

/*
 * What the functions below go by, which are compiled into their callers: they are called at each timer of a guest's. Written by
 * the first CPU's apic_start and apic_measure_timer, constant afterwards.
 */
struct apic_driver {
	bool x2apic;
	bool deadline; /* its timer compares with the TSC by itself */
	uint64_t base; /* of its registers */
	uint64_t rate; /* timer ticks for 2^32 of the TSC */
};
extern struct apic_driver apic_driver;

/* Offsets of registers. Intel SDM vol. 3 "Local APIC Register Address Map"; the others are in apic.c. */
enum { APIC_EOI = 0xb0, APIC_TIMER_INITIAL = 0x380 };

static inline __attribute__((always_inline)) void apic_write(unsigned offset, uint32_t value)
{
	if (apic_driver.x2apic)
		wrmsr(IA32_X2APIC_FIRST + offset / 16, value);
	else
		mmio_write32(apic_driver.base + offset, value);
}

/* A timer without deadlines is set to no more than this many of the TSC's, and taken to be at most twice as fast as that. */
#define APIC_TIMER_FAR  BIT(30)
#define APIC_RATE_LIMIT BIT(33)

/* Rounded up; what is far away comes early. */
static inline __attribute__((always_inline)) uint32_t apic_timer_ticks(uint64_t tsc, uint64_t now)
{
	if (tsc == UINT64_MAX)
		return 0;
	if (tsc <= now)
		return 1;
	return (uint32_t)(min_u64(tsc - now, APIC_TIMER_FAR) * apic_driver.rate >> 32) + 1;
}

/*
 * Interrupt this CPU once the TSC, which is at `now`, comes to `tsc`, or earlier, if that is far away: the caller sets it again.
 * UINT64_MAX: never.
 */
static inline __attribute__((always_inline)) void apic_timer_set(uint64_t tsc, uint64_t now)
{
	if (apic_driver.deadline)
		wrmsr(IA32_TSC_DEADLINE, tsc == UINT64_MAX ? 0 : max_u64(tsc, 1)); /* 0: none */
	else
		apic_write(APIC_TIMER_INITIAL, apic_timer_ticks(tsc, now));
}

/* Send to the CPU of that id; memory that was written before is visible to it then. Interrupts are masked. */
void apic_send(uint32_t id, uint32_t command);

/* Is an interrupt pending on this CPU, of whatever vector, that has not been taken? */
bool apic_has_request(void);
/* Is an interrupt of this vector being served? */
bool apic_in_service(uint8_t vector);
/* End the interrupt of the highest vector that is being served. */
static inline __attribute__((always_inline)) void apic_end_of_interrupt(void)
{
	apic_write(APIC_EOI, 0);
}

#endif

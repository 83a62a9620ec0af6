/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * This CPU's local APIC: interprocessor interrupts, and a timer. Sources: Intel SDM vol. 3 "Advanced Programmable Interrupt
 * Controller (APIC)", with "Extended XAPIC (x2APIC)"; AMD APM vol. 2 "Advanced Programmable Interrupt Controller (APIC)".
 */
#ifndef NESTLING_DRIVERS_X86_64_APIC_H
#define NESTLING_DRIVERS_X86_64_APIC_H

#include "include/err.h"
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

/* Interrupt this CPU once the TSC comes to `tsc`, or earlier, if that is far away: the caller sets it again. UINT64_MAX: never. */
void apic_timer_set(uint64_t tsc);

/* Send to the CPU of that id; memory that was written before is visible to it then. Interrupts are masked. */
void apic_send(uint32_t id, uint32_t command);

/* Is an interrupt pending on this CPU, of whatever vector, that has not been taken? */
bool apic_has_request(void);
/* Is an interrupt of this vector being served? */
bool apic_in_service(uint8_t vector);
/* End the interrupt of the highest vector that is being served. */
void apic_end_of_interrupt(void);

#endif

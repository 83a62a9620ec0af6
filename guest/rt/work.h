/* SPDX-License-Identifier: BSD-2-Clause */
/* What the guests that show the memory's workings share: pages to work on, patterns for them, claims that may fail. */
#ifndef NESTLING_GUEST_RT_WORK_H
#define NESTLING_GUEST_RT_WORK_H

#include "guest/rt/rt.h"

#define RT_BLOCK_SIZE 0x200000ul

/*
 * What a program may touch for itself, stack and data, while it watches what its work costs; and what the hypervisor may
 * need for the tables of that.
 */
#define RT_OWN_PAGES 12
#define RT_OWN_BYTES (RT_OWN_PAGES * RT_PAGE_SIZE)

/*
 * Take fresh RAM out of rt_fresh to work on: `bytes`, or half of that, a quarter and so on until there is so much; whole
 * blocks of 2 MiB. The range was discarded, so it costs nothing now, whatever the policy was. Without as much as a block
 * the program ends here.
 */
struct rt_range rt_take(uint64_t bytes);

/* The pages of rt_fresh as one row: how many there are, and the address of one. */
uint64_t rt_fresh_pages(void);
uint64_t rt_fresh_page(uint64_t index);

/* Tell of a claim that does not hold, but not of each of very many. Returns what it was given. */
bool rt_claim(bool holds, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A call that must succeed. */
void rt_must(enum rt_call call, uint64_t arg0, uint64_t arg1, uint64_t arg2);
/* The program's exit status: 0 if all claims held. */
int rt_claims_status(void);

/* The next of a row of pseudo-random numbers; `state` must not be 0. */
uint64_t rt_random(uint64_t *state);

/* A page's content: other numbers for each word of memory and each `salt`, never 0 all over the page. */
void rt_page_fill(uint64_t page, uint64_t salt);
bool rt_page_holds(uint64_t page, uint64_t salt);
bool rt_page_is_zero(uint64_t page);
void rt_page_clear(uint64_t page);

#endif

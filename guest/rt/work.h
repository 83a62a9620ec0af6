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

/* Tell of a claim that does not hold: where it stands, what was claimed, and what is; but not of each of very many. Returns
 * `holds`. */
#define rt_claim(holds, ...) rt_claim_at(holds, RT_HERE ": not so: " #holds, __VA_ARGS__)
bool rt_claim_at(bool holds, const char *claim, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* A call that must succeed. */
#define rt_must(call, ...) rt_must_at(RT_HERE ": refused: " #call, call, __VA_ARGS__)
void rt_must_at(const char *what, enum rt_call call, uint64_t arg0, uint64_t arg1, uint64_t arg2);
#define RT_HERE          __FILE__ ":" RT_TEXT_OF(__LINE__)
#define RT_TEXT_OF(what) RT_TEXT(what)
#define RT_TEXT(what)    #what
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

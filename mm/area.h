/* SPDX-License-Identifier: BSD-2-Clause */
/* The ordered set of an address space's areas. Private to mm/ but for the structures' sizes. */
#ifndef NESTLING_MM_AREA_H
#define NESTLING_MM_AREA_H

#include <sys/tree.h>

#include "include/err.h"
#include "include/types.h"
#include "npt/npt.h"

enum area_backend { AREA_LINEAR, AREA_ALLOC };

struct area {
	RB_ENTRY(area) link;     /* in the set; spare ones are linked through its left pointer */
	uint64_t start, end;     /* gpa, [start, end), 4 KiB aligned */
	struct npt_attr attr;
	uint8_t backend;         /* enum area_backend */
	uint8_t policy;          /* enum alloc_policy, for AREA_ALLOC */
	uint8_t one_page;        /* bit n: the access n (enum npt_prot) to what is not there yet gets a page of memory */
	uint64_t page;           /* what npt_page_entry gives for `attr` */
};

/* Areas that were found are remembered by blocks of this size, modulo their number. */
#define AREA_HINT_SHIFT 21
#define AREA_HINTS      256

/*
 * Area structures come from frames that the set takes one at a time and keeps until it is freed; the first is taken by
 * area_set_init, so that making an area costs no frame until it is full.
 */
struct area_set {
	RB_HEAD(area_tree, area) tree;
	struct area *hint[AREA_HINTS]; /* tried first; what is no area any more is empty, so that it need not be forgotten */
	struct area none;    /* empty, too: what a hint is at first */
	struct area *spare;  /* free structures */
	size_t spares;
	hpa_t chunks;        /* frames that hold the structures; raw 0: none */
};

MUST_CHECK enum err area_set_init(struct area_set *set);
/* Give back all memory; areas in the set are forgotten. */
void area_set_free(struct area_set *set);

/* Make sure that `count` more areas can be inserted without failing. Errors: ERR_NO_MEMORY. */
MUST_CHECK enum err area_reserve(struct area_set *set, size_t count);

/* Insert a copy of `area`, which overlaps none in the set; a reservation must cover it. */
void area_insert(struct area_set *set, const struct area *area);
void area_remove(struct area_set *set, struct area *area);

static inline bool area_holds(const struct area *area, uint64_t gpa)
{
	return gpa >= area->start && gpa < area->end;
}

/* The area that holds `gpa`; NULL when none does. */
struct area *area_search(struct area_set *set, uint64_t gpa);
static inline struct area *area_find(struct area_set *set, uint64_t gpa)
{
	struct area *area = set->hint[(gpa >> AREA_HINT_SHIFT) % AREA_HINTS];

	return area_holds(area, gpa) ? area : area_search(set, gpa);
}
/* The area that holds `gpa`, else the first one above it; NULL when there is none. */
struct area *area_find_from(struct area_set *set, uint64_t gpa);
/* The next one above; NULL at the end. */
struct area *area_next(struct area *area);

/* Make `at` (inside the area, 4 KiB aligned) a border: the area keeps what is below. Takes one reserved structure. */
void area_split(struct area_set *set, struct area *area, uint64_t at);

/* Take the next area in if it begins where this one ends and is alike. False: it is not. */
bool area_join_next(struct area_set *set, struct area *area);

#endif

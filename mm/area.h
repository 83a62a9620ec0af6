/* SPDX-License-Identifier: BSD-2-Clause */
/* The ordered set of an address space's areas. Private to mm/ but for the structures' sizes. */
#ifndef NESTLING_MM_AREA_H
#define NESTLING_MM_AREA_H

#include "include/err.h"
#include "include/types.h"
#include "npt/npt.h"

enum area_backend { AREA_LINEAR, AREA_ALLOC };

struct area {
	struct area *next, *prev; /* by address, in a ring with the set's head */
	struct area *up, *down;   /* its node in the level above, and what a node stands for: see struct area_set */
	uint64_t start, end;      /* gpa, [start, end), 4 KiB aligned */
	struct npt_attr attr;
	uint8_t backend; /* enum area_backend */
	uint8_t policy;  /* enum alloc_policy, for AREA_ALLOC */
	/* Bit n: the access n (enum npt_prot) to what is not there yet gets a page of memory; a window of 64 KiB; a zero page. */
	uint8_t fast_page, fast_window, fast_zero;
	uint64_t page; /* what npt_page_entry gives for `attr` */
};
_Static_assert(sizeof(struct area) == 64, "a cache line");

struct area_set;

/* Who counts what a set takes from the host; a NULL pointer to one: nobody. */
struct area_account {
	/* So many bytes are about to be taken. False: they may not. */
	bool (*charge)(struct area_set *set, uint64_t bytes);
	/* They are given back. */
	void (*uncharge)(struct area_set *set, uint64_t bytes);
};

#define AREA_LEVELS         7
#define AREA_INLINE_HINTS   256
/* A hint is for 2 MiB at most. */
#define AREA_HINT_MAX_SHIFT 21

/*
 * A skip list: the areas are a ring, level 0, in which each has its place by address. About every eighth has a node in level 1,
 * which is a ring, too, every eighth of those one in level 2, and so on, by chance: a search goes along the highest level as far as
 * it can, then down one, and so on. To insert and to remove costs the same few instructions however many areas there are.
 *
 *     level 1   head ──────────────► node ──────────────► head
 *                │                    │ down
 *     level 0   head ──► area ──► area ──► area ──► area ──► head
 *
 * Most searches need no level: the areas that were found last are kept in hints, a direct-mapped cache by address. The more areas
 * there are, the more hints there are, and the fewer addresses share one.
 *
 * The structures come from frames, chunks, that the set takes one at a time; the first is taken by area_set_init and kept, so that
 * making an area costs no frame until it is full. area_trim gives back those in which no structure is in use any more.
 */
struct area_set {
	struct area **hint;          /* tried first; what is no area any more is empty, so that it need not be forgotten */
	uint64_t hint_mask;          /* their number less one */
	unsigned hint_shift;         /* an address shifted so is the number of its hint */
	struct area *top;            /* the highest level there is */
	struct area *free_list;      /* free structures, linked by `up` */
	size_t free_count, reserved; /* how many, and how many of them are kept for areas */
	size_t structures;           /* how many there are in all */
	size_t trimmed;              /* how many were in use when it was last trimmed, or more at a later time */
	const struct area_account *account;
	uint64_t random;
	hpa_t chunks;                   /* frames that hold the structures; raw 0: none */
	hpa_t hint_frames;              /* frames that hold the hints; raw 0: `inline_hints` does */
	struct area level[AREA_LEVELS]; /* the heads of the levels; `start` is -1, above every address */
	struct area *inline_hints[AREA_INLINE_HINTS];
};

/* `account` outlives the set. Errors: ERR_NO_MEMORY. */
MUST_CHECK enum err area_set_init(struct area_set *set, const struct area_account *account);
/* Give back all memory; areas in the set are forgotten. */
void area_set_free(struct area_set *set);

/* Bytes of chunks and hints. */
uint64_t area_set_bytes(const struct area_set *set);

/*
 * Areas have gone: once half of the structures that were in use have, give back chunks that are empty, and hints that are too many.
 * Nothing may be reserved. The time that it takes is that of making the areas that have gone.
 */
void area_trim_now(struct area_set *set);
static inline void area_trim(struct area_set *set)
{
	if (2 * (set->structures - set->free_count) <= set->trimmed)
		area_trim_now(set);
}

/* Make sure that area_new does not fail the next `count` times. Errors: ERR_NO_MEMORY. */
MUST_CHECK enum err area_add_structures(struct area_set *set, size_t count);
MUST_CHECK static inline enum err area_reserve(struct area_set *set, size_t count)
{
	set->reserved = count;
	return set->free_count >= count ? ERR_OK : area_add_structures(set, count);
}

/* A structure to be filled in, and inserted before the set is searched. It must have been reserved. */
static inline struct area *area_new(struct area_set *set)
{
	struct area *area = set->free_list;

	set->free_list = area->up;
	set->free_count--;
	return area;
}
/* Put in what area_new gave: it overlaps none in the set, and is to be behind `before`, which area_before gave for its start. */
void area_insert(struct area_set *set, struct area *before, struct area *area);
void area_remove(struct area_set *set, struct area *area);

static inline struct area **area_hint(struct area_set *set, uint64_t gpa)
{
	return &set->hint[(gpa >> set->hint_shift) & set->hint_mask];
}

static inline bool area_holds(const struct area *area, uint64_t gpa)
{
	return gpa >= area->start && gpa < area->end;
}

/*
 * Is this the last area that begins at `page` or below, or the set's head? Asked about what a hint remembers: that may be spare by
 * now, or a node of a level. `page` is 4 KiB aligned, and so below the head's -1.
 */
static inline bool area_is_before(const struct area *area, uint64_t page)
{
	return !area->down && page - area->start < area->next->start - area->start;
}

/* The last area that begins at `gpa` or below; the set's head, which is empty, when none does. */
struct area *area_search(struct area_set *set, uint64_t page);
static inline struct area *area_before(struct area_set *set, uint64_t gpa)
{
	struct area *area = *area_hint(set, gpa);
	uint64_t page = align_down(gpa, PAGE_SIZE); /* where areas begin */

	return area_is_before(area, page) ? area : area_search(set, page);
}

/* The area that holds `gpa`; NULL when none does. */
struct area *area_find_slowly(struct area_set *set, uint64_t gpa);
static inline struct area *area_find(struct area_set *set, uint64_t gpa)
{
	struct area *area = *area_hint(set, gpa);

	return area_holds(area, gpa) ? area : area_find_slowly(set, gpa);
}

/* The next one above; NULL at the end. */
static inline struct area *area_next(const struct area *area)
{
	return area->next->end > 0 ? area->next : NULL;
}

/* The area that holds `gpa`, else the first one above it; NULL when there is none. */
struct area *area_find_from(struct area_set *set, uint64_t gpa);

/* Split the area at `at` (inside it, 4 KiB aligned): it keeps what is below. Takes one reserved structure. */
void area_split(struct area_set *set, struct area *area, uint64_t at);

/* Join the next area to this one, if it begins where this one ends and has the same attributes. False: nothing was changed. */
bool area_join_next(struct area_set *set, struct area *area);

#endif

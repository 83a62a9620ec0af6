/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ordered set of an address space's areas. Private to mm/; other folders need only the sizes of the structures. Every function
 * is called with the space's lock held.
 */
#ifndef NESTLING_MM_AREA_H
#define NESTLING_MM_AREA_H

#include "include/err.h"
#include "include/types.h"
#include "npt/npt.h"

enum area_backend { AREA_LINEAR, AREA_ALLOC };

struct area {
	struct area *next, *prev; /* by address, in a ring with the set's head */
	struct area *up, *down; /* its node in the level above; for a node, its area or node in the level below: struct area_set */
	uint64_t start, end;    /* gpa, [start, end), 4 KiB aligned */
	struct npt_attr attr;
	uint8_t backend; /* enum area_backend */
	uint8_t policy;  /* enum alloc_policy, for AREA_ALLOC */
	/* Bit n: the fast path serves access n (enum npt_prot) to an unmapped page by a fresh page; by the zero page. */
	uint8_t fast_page, fast_zero;
	uint64_t page; /* npt_page_entry for `attr` */
};
_Static_assert(sizeof(struct area) == 64, "a cache line");

struct area_set;

/* Accounting of the frames that a set allocates; a NULL pointer: they are not accounted. */
struct area_account {
	/* `bytes` are about to be allocated. False: they must not be. */
	bool (*charge)(struct area_set *set, uint64_t bytes);
	/* `bytes` were freed. */
	void (*uncharge)(struct area_set *set, uint64_t bytes);
};

#define AREA_LEVELS         7
#define AREA_INLINE         12 /* structures that are part of the set */
#define AREA_INLINE_HINTS   256
/* A hint is for 2 MiB at most. */
#define AREA_HINT_MAX_SHIFT 21

/*
 * A skip list: the areas are a ring, level 0, in which each has its place by address. About every eighth has a node in level 1,
 * which is a ring, too, every eighth of those one in level 2, and so on, at random. A search goes along the highest level as far as
 * it can, then down one level, and so on. Inserting at a found place and removing take the same time for any number of areas.
 *
 *     level 1   head ──────────────► node ──────────────► head
 *                │                    │ down
 *     level 0   head ──► area ──► area ──► area ──► area ──► head
 *
 * Most searches use no level: hints are a direct-mapped cache, by address, of the areas found last. The number of hints grows with
 * the number of areas.
 *
 * The first structures are part of the set, so that a few areas need no frame. More are allocated in chunks of one frame. area_trim
 * frees chunks in which no structure is in use.
 */
struct area_set {
	struct area **hint;          /* tried first; a removed area has an empty range, so its hint need not be cleared */
	uint64_t hint_mask;          /* number of hints - 1 */
	unsigned hint_shift;         /* (address >> hint_shift) & hint_mask is the index of its hint */
	struct area *top;            /* the highest level in use */
	struct area *free_list;      /* free structures, linked by `up` */
	size_t free_count, reserved; /* number of free structures; how many of these are kept for area_new */
	size_t structures;           /* number of all structures */
	size_t trimmed;              /* the most structures in use since the last trim */
	const struct area_account *account;
	uint64_t random;
	hpa_t chunks;                   /* frames that hold the structures; raw 0: none */
	hpa_t hint_frames;              /* frames that hold the hints; raw 0: `inline_hints` does */
	struct area level[AREA_LEVELS]; /* the heads of the levels; `start` is -1, above every address */
	struct area inline_areas[AREA_INLINE];
	struct area *inline_hints[AREA_INLINE_HINTS];
};

/* Make an empty set. `account` (may be NULL) must outlive it. */
void area_set_init(struct area_set *set, const struct area_account *account);
/* Free all memory of the set, areas that are still in it included. */
void area_set_free(struct area_set *set);

/* Bytes allocated for chunks and hints. */
uint64_t area_set_bytes(const struct area_set *set);

/*
 * To be called after areas were removed: when at most half of the structures are in use that were, free empty chunks and
 * superfluous hints. No structure may be reserved. The time is proportional to that of creating the removed areas.
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

/* Get a reserved structure. The caller fills it in and inserts it before the set is searched again. */
static inline struct area *area_new(struct area_set *set)
{
	struct area *area = set->free_list;

	set->free_list = area->up;
	set->free_count--;
	return area;
}
/* Insert what area_new returned behind `before`, which area_before returned for its start. It must overlap no area in the set. */
void area_insert(struct area_set *set, struct area *before, struct area *area);
void area_remove(struct area_set *set, struct area *area);

static inline struct area **area_hint(struct area_set *set, uint64_t gpa)
{
	uint64_t i = (gpa >> __atomic_load_n(&set->hint_shift, __ATOMIC_RELAXED)) & set->hint_mask;

	/* Else the compiler loads `hint` first, and the fast path of a fault runs out of registers that it need not save. */
	__asm__("" : "+r"(i));
	return &set->hint[i];
}

/* The area that was found last at this address; it need not hold it. Hints are written by all who search, at the same time. */
static inline struct area *area_hinted(struct area_set *set, uint64_t gpa)
{
	return __atomic_load_n(area_hint(set, gpa), __ATOMIC_RELAXED);
}

static inline bool area_holds(const struct area *area, uint64_t gpa)
{
	return gpa >= area->start && gpa < area->end;
}

/*
 * Is this the last area that begins at `page` or below, or the set's head? Used to check a hint, which may point to a free
 * structure or to a node of a level by now. `page` is 4 KiB aligned, and so below the head's -1.
 */
static inline bool area_is_before(const struct area *area, uint64_t page)
{
	return !area->down && page - area->start < area->next->start - area->start;
}

/* The last area that begins at `gpa` or below; the set's head, which is empty, when none does. */
struct area *area_search(struct area_set *set, uint64_t page);
static inline struct area *area_before(struct area_set *set, uint64_t gpa)
{
	struct area *area = area_hinted(set, gpa);
	uint64_t page = align_down(gpa, PAGE_SIZE); /* areas begin at pages */

	return area_is_before(area, page) ? area : area_search(set, page);
}

/* The area that holds `gpa`; NULL when none does. */
struct area *area_find_slowly(struct area_set *set, uint64_t gpa);
static inline struct area *area_find(struct area_set *set, uint64_t gpa)
{
	struct area *area = area_hinted(set, gpa);

	return area_holds(area, gpa) ? area : area_find_slowly(set, gpa);
}

/* The next area by address; NULL at the end. */
static inline struct area *area_next(const struct area *area)
{
	return area->next->end > 0 ? area->next : NULL;
}

/* The area that holds `gpa`, else the first one above it; NULL when there is none. */
struct area *area_find_from(struct area_set *set, uint64_t gpa);

/* Split the area at `at` (inside it, 4 KiB aligned): `area` keeps the part below, a new area gets the rest. Uses one reserved
 * structure. */
void area_split(struct area_set *set, struct area *area, uint64_t at);

/* Join the next area to this one, if it begins where this one ends and has the same attributes. False: nothing was changed. */
bool area_join_next(struct area_set *set, struct area *area);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files that make up an address space share. Private to mm/. Everything here is called with the space's lock
 * held.
 *
 *   addr_space.c  areas, and what is done to ranges
 *   fault.c       a guest's faults: which memory, by which policy
 *   window.c      what else a fault brings along
 *   populate.c    memory for a range at once
 *   reservation.c memory held back for faults to come
 *   promote.c     blocks that become one large leaf
 *   fork.c        a second space over the same memory
 *   track.c       which pages were accessed, which were written
 *   reclaim.c     memory taken back when frames run out
 *   cost.c        what all of it costs the host, and the limit
 *   guest_mem.c   the hypervisor's own accesses
 *   survey.c      what there is, told to whoever shows it
 */
#ifndef NESTLING_MM_SPACE_H
#define NESTLING_MM_SPACE_H

#include "mm/addr_space.h"
#include "mm/frame.h"
#include "npt/pages.h"

#define BLOCK_LEVEL 1 /* of the large leaves that lazy policies make: 2 MiB */
#define BLOCK_SIZE  MIB(2)
#define BLOCK_PAGES (BLOCK_SIZE / PAGE_SIZE)

/* The order of a frame block that a leaf of `level` maps. */
static inline unsigned level_order(unsigned level)
{
	return level * NPT_INDEX_BITS;
}

static inline uint64_t space_size(const struct addr_space *as)
{
	return BIT(as->npt.config.gpa_bits);
}

/* Bring the peaks up to date: before anything goes down, and where somebody asks. So what goes up, like the fault path, only adds. */
static inline void cost_settle(struct addr_space *as)
{
	struct addr_space_stats *stats = &as->stats;

	stats->resident_peak = max_u64(stats->resident_peak, stats->resident);
	stats->memory_peak = max_u64(stats->memory_peak, stats->resident + as->cost.overhead);
}

static inline void count_resident(struct addr_space *as, uint64_t bytes)
{
	as->stats.resident += bytes;
}

static inline void count_gone(struct addr_space *as, uint64_t bytes)
{
	cost_settle(as);
	as->stats.resident -= bytes;
}

/* Bytes that the space may still take. What is left of its run of frames is taken. */
uint64_t cost_room(const struct addr_space *as);
/* May it take so many? What is held for faults goes for it. False: cost.exceeded says that this was why. */
bool cost_fits_limit(struct addr_space *as, uint64_t bytes);
static inline bool cost_fits(struct addr_space *as, uint64_t bytes)
{
	return as->cost.max == COST_NO_LIMIT || cost_fits_limit(as, bytes);
}

/* It takes so many that are not resident: they fit. */
static inline void cost_hold(struct addr_space *as, uint64_t bytes)
{
	as->cost.overhead += bytes;
}

/* The same, if they fit; and it gives them back. */
static inline bool cost_charge(struct addr_space *as, uint64_t bytes)
{
	if (!cost_fits(as, bytes))
		return false;
	cost_hold(as, bytes);
	return true;
}

static inline void cost_uncharge(struct addr_space *as, uint64_t bytes)
{
	cost_settle(as);
	as->cost.overhead -= bytes;
}

/* What a fault wants to know of an area, ready made: to be called when its attributes or its policy have been set. */
void ready_area(const struct addr_space *as, struct area *area);

/* Does the aligned 2 MiB block around `gpa` lie in the area? */
static inline bool holds_block(const struct area *area, uint64_t gpa)
{
	uint64_t block = align_down(gpa, BLOCK_SIZE);

	return block >= area->start && block + BLOCK_SIZE <= area->end;
}

/* And can it be one leaf? */
static inline bool block_in_area(const struct addr_space *as, const struct area *area, uint64_t gpa)
{
	return as->npt.config.max_leaf >= BLOCK_LEVEL && holds_block(area, gpa);
}

/* What a removal gathers: translations to flush, and frames that may be freed only after that. */
struct removal {
	struct npt_gather gather;
	struct frame_chain frames;
	struct addr_space *as;
};

void removal_init(struct removal *removal, struct addr_space *as);
/* Remove the leaves of [start, end), whose ends are borders between leaves; `owned`: their memory is of an Alloc area. */
void remove_leaves(struct removal *removal, uint64_t start, uint64_t end, bool owned);
/*
 * The memory behind `count` leaves, in a row on the host, is not used by this space any more: account for it, and chain what
 * nobody else uses.
 */
void release_leaves(struct removal *removal, hpa_t hpa, unsigned level, uint64_t count);
/* Flush once; only then is the memory anybody else's. */
void removal_finish(struct removal *removal);

/* Split so that both ends of the range are borders between leaves. Errors: ERR_NO_MEMORY, and nothing was changed. */
MUST_CHECK enum err cut_leaves(struct addr_space *as, uint64_t start, uint64_t end);
/* Split the leaf at `gpa` into 4 KiB ones. Errors: ERR_NO_MEMORY. */
MUST_CHECK enum err split_to_pages(struct addr_space *as, uint64_t gpa);

/* Is [gpa, gpa + size) a range of whole pages of the space? */
MUST_CHECK enum err check_range(const struct addr_space *as, gpa_t gpa, uint64_t size);

/* Before we read what a guest may have written. */
static inline void sync_memory(const struct addr_space *as, hpa_t memory, uint64_t size)
{
	if (as->sync)
		as->sync(frame_ptr(memory), size);
}

/* After we have written what a guest will read or execute. */
static inline void publish_memory(const struct addr_space *as, hpa_t memory, uint64_t size)
{
	if (as->publish)
		as->publish(frame_ptr(memory), size);
}

/* Back every page of [start, end) in the area that has no memory of its own yet, by leaves as large as can be. */
MUST_CHECK enum err populate(struct addr_space *as, const struct area *area, uint64_t start, uint64_t end);

/*
 * Make the block around `gpa`, a page that has just got memory, one leaf if that is due: in place if it can be, else by copy.
 * `was_empty`: there was nothing at all before.
 */
void promote_if_dense(struct addr_space *as, const struct area *area, uint64_t gpa, bool was_empty);
/* Put large leaves back where changes of [start, end) have left whole blocks of small ones. */
void merge_leaves(struct addr_space *as, uint64_t start, uint64_t end);

/* Is the block around `gpa` to stay in 4 KiB leaves, since somebody asks which pages of it were written? */
bool is_logged(const struct addr_space *as, uint64_t gpa);
/* Let the child's blocks stay as the parent's do. */
void log_fork(const struct addr_space *parent, struct addr_space *child);

/* Give back frames of the space's that no CPU has come to know. */
void give_back(struct addr_space *as, uint64_t start, uint64_t end);

/* Frames in a row, at most RUN_TAKE_MAX, zeroed and as a guest may see them. Errors: ERR_NO_MEMORY. */
#define RUN_TAKE_MAX 16
MUST_CHECK enum err run_take(struct addr_space *as, unsigned count, hpa_t *frames);
/* Make sure that run_take would have one. False: there is none. */
bool run_ready(struct addr_space *as);

#define RESERVATION_PIECE KIB(64)
/* The memory held back for the 64 KiB at `start`, whose block is reserved if it is not. Errors: ERR_NO_MEMORY, ERR_EXISTS. */
MUST_CHECK enum err reservation_take(struct addr_space *as, uint64_t start, hpa_t *memory);
/* Give back what has not been handed out. True if anything was. */
bool reservation_drop(struct addr_space *as);
/* Bytes of the block in the making that are held back. */
uint64_t reservation_held(const struct addr_space *as);
/* Give back all that is held. True if anything was. */
bool held_drop(struct addr_space *as);

/* Fill up the reserve, if it is empty and there is a frame for it. */
void fill_reserve(struct addr_space *as);

/* Take back memory that is held back, or that holds nothing but zeros. True if some was. */
bool reclaim(struct addr_space *as);

#endif

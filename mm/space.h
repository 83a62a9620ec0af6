/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files that make up an address space share. Private to mm/. Everything here is called with the space's lock
 * held.
 *
 *   addr_space.c    the space as a whole: made, freed, asked
 *   map.c           areas come
 *   change.c        areas go and change: unmap, protect, policy, discard
 *   fork.c          a second space over the same memory
 *   fault.c         a guest's faults: fast path, slow path
 *   fault_around.c  what else a fault brings along
 *   populate.c      memory for a range at once
 *   promote.c       blocks that become one large leaf
 *   reclaim.c       memory taken back when frames run out
 *   fresh.c         one leaf gets memory, or maps a zero page
 *   removal.c       leaves are split and removed, and their memory released
 *   track.c         which pages were accessed, which were written
 *   guest_mem.c     the hypervisor's own accesses
 *   survey.c        what a range is backed by
 *   space_tables.c  where the tables come from, and how CPUs are flushed
 *   run.c           frames for faults to come, cleared ahead
 *   limit.c         how much a space may cost
 *   reservation.c   a block held back for a sequence of faults
 *   cost.c          what a space costs
 *
 * No file needs one that is above it in its group, and no two need each other: tools/check-structure.
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

/* Bring the peaks up to date: before anything goes down, and where somebody asks. So what goes up, like the fault path, only adds.
 */
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

/* Make the CPUs forget, see addr_space_flush. */
static inline void space_flush(struct addr_space *as, gpa_t gpa, uint64_t size)
{
	as->stats.flushes++;
	if (as->flush)
		as->stats.flush_instructions += as->flush(as, gpa, size);
}

/* What the tables of any space get their memory from. */
struct npt_env space_env(void);
/* Frames of the space's that are no guest memory, charged to it. Errors: ERR_NO_MEMORY. */
MUST_CHECK enum err space_take_frames(struct addr_space *as, unsigned order, hpa_t *frames);
void space_give_frames(struct addr_space *as, hpa_t frames, unsigned order);

/* As area_reserve; frames held for future faults are given back if that is needed. Errors: ERR_NO_MEMORY. */
MUST_CHECK enum err reserve_areas_again(struct addr_space *as, size_t count);
MUST_CHECK static inline enum err reserve_areas(struct addr_space *as, size_t count)
{
	return area_reserve(&as->areas, count) == ERR_OK ? ERR_OK : reserve_areas_again(as, count);
}

/* Precompute what the fast path of a fault needs of an area: to be called when its attributes or its policy have been set. */
void set_fast_path(const struct addr_space *as, struct area *area);

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
/* Unmap the leaves of [start, end), no leaf lying across its ends; `owned`: their memory is an Alloc area's. */
void remove_leaves(struct removal *removal, uint64_t start, uint64_t end, bool owned);
/*
 * This space does not use the memory behind `count` leaves, contiguous on the host, any more: account for it, and chain what
 * nobody else uses.
 */
void release_leaves(struct removal *removal, hpa_t hpa, unsigned level, uint64_t count);
/* Flush once; only then is the memory anybody else's. */
void removal_finish(struct removal *removal);

/* Split leaves that lie across an end of the range. Errors: ERR_NO_MEMORY: nothing was changed. */
MUST_CHECK enum err split_leaves_at_boundaries(struct addr_space *as, uint64_t start, uint64_t end);
MUST_CHECK static inline enum err split_at_boundaries(struct addr_space *as, uint64_t start, uint64_t end)
{
	/* In a table of pages there is nothing to split. */
	return npt_walk_cache_covers(&as->npt, GPA(start), end - start) ? ERR_OK : split_leaves_at_boundaries(as, start, end);
}
/* Split the leaf at `gpa` down to 4 KiB; of a 1 GiB leaf the other parts stay 2 MiB. Errors: ERR_NO_MEMORY: nothing was changed. */
MUST_CHECK enum err split_to_pages(struct addr_space *as, uint64_t gpa);

/* Is [gpa, gpa + size) a range of whole pages of the space? */
MUST_CHECK static inline enum err check_range(const struct addr_space *as, gpa_t gpa, uint64_t size)
{
	if (size == 0 || !is_aligned(gpa.raw | size, PAGE_SIZE))
		return ERR_INVALID;
	return size <= as->npt.end && gpa.raw <= as->npt.end - size ? ERR_OK : ERR_RANGE;
}

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
void collapse_leaves_in_place(struct addr_space *as, uint64_t start, uint64_t end);

/* Is the block around `gpa` to stay in 4 KiB leaves, since somebody asks which pages of it were written? */
bool is_logged(const struct addr_space *as, uint64_t gpa);
/* Let the child's blocks stay as the parent's do. */
void log_fork(const struct addr_space *parent, struct addr_space *child);

/* Give back frames of the space's that no CPU has come to know. */
void give_back(struct addr_space *as, uint64_t start, uint64_t end);

/* Contiguous frames, at most RUN_TAKE_MAX, zeroed and published. Errors: ERR_NO_MEMORY. */
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

/* Take back memory that is held back, or that holds only zeros. True if there was some. */
bool reclaim(struct addr_space *as);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The internal interface of the files that implement an address space. Private to mm/.
 *
 * A space is locked by the locks of all its views, in the order of the list: space_lock. Every function here is called so, but for
 * those that say "the view's lock": for them, that of the one view that they are given is enough.
 *
 * What one view's lock permits: to read all of the space, since whoever changes it needs that lock, too; to use all that is in the
 * view; and to fill in empty entries of existing tables, and replace entries of the zero page, by compare-and-swap, with other
 * CPUs doing the same. Nothing else. Who finds that more is needed lets go of it, locks the space, and looks anew.
 *
 *   addr_space.c    creating, freeing and querying a space
 *   map.c           new areas
 *   change.c        changing areas: unmap, protect, policy, discard
 *   discard.c       discarding several ranges at once
 *   fork.c          a copy-on-write copy of a space
 *   piece.c         how much of a range is worked on in one go
 *   fault_fast.c    a guest's faults, by what one view's lock permits
 *   fault.c         all other faults
 *   fault_copy.c    copy-on-write breaks of pages
 *   copy_around.c   windows of such breaks, in a sequence of them
 *   fault_around.c  fault-around windows
 *   populate.c      memory for a whole range at once
 *   promote.c       promotion of blocks to one large leaf
 *   reclaim.c       freeing zero pages when frames run out
 *   fresh.c         mapping memory or a zero page by one leaf
 *   removal.c       splitting and unmapping leaves, releasing their memory
 *   track.c         accessed and dirty bits
 *   guest_mem.c     the hypervisor's own accesses to guest memory
 *   dump.c          a space's areas and leaves as text
 *   copy.c          one part of guest memory copied to another, by mapping it where that can be done
 *   survey.c        what a range is backed by
 *   space_id.c      numbers of spaces
 *   space_tables.c  allocating tables, flushing CPUs
 *   shared_tables.c tables of pages that a space shares with forks
 *   run.c           frames for future faults, cleared ahead
 *   views.c         more vCPUs in a space: their views, and the statistics of all of them
 *   space_lock.c    the locks of all views
 *   limit.c         the limit of what a space costs
 *   reservation.c   a contiguous block reserved for a sequence of faults
 *   cost.c          accounting of what a space costs
 *
 * No two files depend on each other: tools/check-structure.
 */
#ifndef NESTLING_MM_SPACE_H
#define NESTLING_MM_SPACE_H

#include "include/arch/machine.h"
#include "mm/addr_space.h"
#include "mm/frame.h"
#include "npt/pages.h"
#include "npt/share.h"

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

/* --- Locks --- */

/* Take the locks of the views after `view`; let them go. */
void views_lock(struct addr_space_view *view);
void views_unlock(struct addr_space_view *view);

static inline void space_lock(struct addr_space *as)
{
	spin_lock(&as->view.lock);
	if (__builtin_expect(as->view.next != NULL, false))
		views_lock(&as->view);
}

static inline void space_unlock(struct addr_space *as)
{
	if (__builtin_expect(as->view.next != NULL, false))
		views_unlock(&as->view);
	spin_unlock(&as->view.lock);
}

/* Lock the space, when the view's lock is held already. The locks have an order, so that may be let go of meanwhile. */
static inline void space_lock_from(struct addr_space_view *view)
{
	struct addr_space *as = view->as;

	if (__builtin_expect(as->view.next == NULL, true))
		return; /* it is the only one, and no other is added while it is held */
	spin_unlock(&view->lock);
	space_lock(as);
}

/* Keep in mind how a shared leaf looks: addr_space.shared_leaf. */
static inline void note_shared_leaf(struct addr_space *as, const struct npt_cursor *cursor, const struct npt_leaf *leaf)
{
	if (!leaf->access_tracked)
		as->shared_leaf[leaf->level > 0] = cursor->pte & as->npt.page.fixed;
}

/* --- Accounting --- */

/*
 * The fast path of a fault only advances the run: count the frames that it took, and note the last of them as recent. The view's
 * lock. Called before any of that is read, before the run is advanced otherwise, and before it is replaced.
 */
void view_settle_taken(struct addr_space_view *view);
static inline void view_settle(struct addr_space_view *view)
{
	if (view->run.next != view->run.counted)
		view_settle_taken(view);
}

/* Take `size` bytes of the run for another purpose: the caller counts them. The view's lock. */
static inline void run_advance(struct addr_space_view *view, uint64_t size)
{
	view_settle(view);
	view->run.counted += size;
	STORE_RELAXED(view->run.next, view->run.next + size); /* frame_get_stats may read it */
}

/* Sums over all views. */
uint64_t views_resident(const struct addr_space *as);
uint64_t views_overhead(const struct addr_space *as);

/* Resident memory, in bytes. */
static inline uint64_t space_resident(const struct addr_space *as)
{
	if (__builtin_expect(as->view.next != NULL, false))
		return views_resident(as);
	return as->view.stats.resident + (as->view.run.next - as->view.run.counted);
}

/* All else that it costs, in bytes. */
static inline uint64_t space_overhead(const struct addr_space *as)
{
	return as->cost.overhead + (__builtin_expect(as->view.next != NULL, false) ? views_overhead(as) : as->view.overhead);
}

/*
 * Update the peaks. Called before a counter is decreased and before the statistics are read, so that increases, as on the fault
 * path, are a mere addition.
 */
static inline void cost_settle(struct addr_space *as)
{
	uint64_t resident = space_resident(as);

	as->resident_peak = max_u64(as->resident_peak, resident);
	as->memory_peak = max_u64(as->memory_peak, resident + space_overhead(as));
}

/* The space has no limit any more; what it has charged is free. */
void limit_leave(struct addr_space *as);
/* Nothing is charged for the space any more. It has a limit. */
void limit_charge_nothing(struct addr_space *as);
/* What the space has taken now is what it has charged to its limit. */
void limit_settle_now(struct addr_space *as);
static inline void limit_settle(struct addr_space *as)
{
	if (__builtin_expect(as->cost.limit != NULL, false))
		limit_settle_now(as);
}

static inline void count_resident(struct addr_space *as, uint64_t bytes)
{
	as->view.stats.resident += bytes;
}

static inline void count_gone(struct addr_space *as, uint64_t bytes)
{
	cost_settle(as);
	as->view.stats.resident -= bytes;
	limit_settle(as);
}

/* Memory is no longer owned by this space, or by none, but still mapped by forks; or the other way round: frame_chain.orphans. */
static inline void cost_orphans(struct addr_space *as, int64_t bytes)
{
	if (as->cost.limit)
		__atomic_add_fetch(&as->cost.limit->used, (uint64_t)bytes, __ATOMIC_RELAXED);
}
static inline void cost_orphans_of(struct addr_space *as, struct frame_chain *frames)
{
	cost_orphans(as, frames->orphans);
	frames->orphans = 0;
}

/*
 * Does the limit permit `bytes` more? They are set aside for the space until it gives memory back or asks again: by then they must
 * have been counted. cost_fits, if need be, gives back the frames held for future faults. False: cost_fits sets cost.exceeded.
 */
bool limit_reserve(struct addr_space *as, uint64_t bytes);
static inline bool cost_reserve(struct addr_space *as, uint64_t bytes)
{
	return !as->cost.limit || limit_reserve(as, bytes);
}
bool cost_fits_limit(struct addr_space *as, uint64_t bytes);
static inline bool cost_fits(struct addr_space *as, uint64_t bytes)
{
	return !as->cost.limit || cost_fits_limit(as, bytes);
}

/* Count `bytes` as overhead. The caller has checked the limit. */
static inline void cost_hold(struct addr_space *as, uint64_t bytes)
{
	as->cost.overhead += bytes;
}

/* Count `bytes` as overhead, if the limit permits them; false: nothing was changed. cost_uncharge undoes it. */
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
	limit_settle(as);
}

/* Flush a range on all CPUs: see addr_space_flush. The view's lock. */
static inline void view_flush(struct addr_space_view *view, gpa_t gpa, uint64_t size)
{
	struct addr_space *as = view->as;

	view->stats.flushes++;
	if (as->flush)
		view->stats.flush_instructions += as->flush(as, gpa, size);
}
static inline void space_flush(struct addr_space *as, gpa_t gpa, uint64_t size)
{
	view_flush(&as->view, gpa, size);
}

/* A number for a space, as owner of frames; 0: all 65,534 are taken. Given back when no frame has it as its owner any more. */
uint16_t space_id_take(void);
void space_id_give(uint16_t id);

/* The npt_env of a space: its tables are allocated from the frame allocator and charged to the space. */
struct npt_env space_env(struct npt_walk_cache *cache);
/* What its tables need to be shared with forks: mm/shared_tables.c. */
extern const struct npt_sharing space_sharing;
/* Allocate 4 KiB << order for the space itself, not for guest memory, charged to it. Errors: ERR_NO_MEMORY. */
MUST_CHECK enum err space_take_frames(struct addr_space *as, unsigned order, hpa_t *frames);
void space_give_frames(struct addr_space *as, hpa_t frames, unsigned order);

/* As area_reserve; frames held for future faults are given back if that is needed. Errors: ERR_NO_MEMORY. */
MUST_CHECK enum err reserve_areas_again(struct addr_space *as, size_t count);
MUST_CHECK static inline enum err reserve_areas(struct addr_space *as, size_t count)
{
	return area_reserve(&as->areas, count) == ERR_OK ? ERR_OK : reserve_areas_again(as, count);
}

/* Precompute what the fault fast path reads from an area. To be called whenever its attributes or policy have been set. */
void set_fast_path(const struct addr_space *as, struct area *area);

/* Does the aligned 2 MiB block around `gpa` lie in the area? */
static inline bool holds_block(const struct area *area, uint64_t gpa)
{
	uint64_t block = align_down(gpa, BLOCK_SIZE);

	return block >= area->start && block + BLOCK_SIZE <= area->end;
}

/* Does that block lie in the area, and are 2 MiB leaves available? */
static inline bool block_in_area(const struct addr_space *as, const struct area *area, uint64_t gpa)
{
	return as->npt.config.max_leaf >= BLOCK_LEVEL && holds_block(area, gpa);
}

/* Memory of which a reference is to be dropped after the flush. */
struct removal_part {
	hpa_t memory;
	uint64_t size;
};
#define REMOVAL_PARTS 8

/* A removal collects translations to flush; and frames that may be freed, and references that may be dropped, only after the flush.
 */
struct removal {
	struct npt_gather gather;
	struct frame_chain frames; /* of which there is no reference any more */
	struct addr_space *as;
	struct npt_block_place place;
	uint64_t owned; /* bytes of `frames` that are still counted as resident */
	unsigned runs;  /* of leaves that were removed: with frames.parts, what that took */
	unsigned count; /* of `parts`: what other spaces use, too */
	struct removal_part parts[REMOVAL_PARTS];
	hpa_t more; /* a chain of frames full of parts; raw 0: none */
};

void removal_init(struct removal *removal, struct addr_space *as);
/* Memory of `size` bytes is no longer mapped here, `owned` of which were the space's own. */
void count_released(struct addr_space *as, uint64_t size, uint64_t owned);
/* Unmap the leaves of [start, end), no leaf and no shared table lying across its ends; `owned`: their memory is an Alloc area's. */
void remove_leaves(struct removal *removal, uint64_t start, uint64_t end, bool owned);
/* The same for an aligned block of 2 MiB in an Alloc area. False: a larger leaf maps it, and nothing was changed. */
bool remove_block(struct removal *removal, uint64_t start);
/*
 * The memory of `count` leaves of `level`, contiguous from `hpa` on, is no longer mapped by this space, though CPUs may still use
 * it: chain the frames that nobody else uses, and keep the others in mind.
 */
void release_leaves(struct removal *removal, hpa_t hpa, unsigned level, uint64_t count);
/* The memory of a page that was unmapped and flushed: drop the reference, and free it if there is none left. */
void drop_page(struct addr_space *as, hpa_t page);
/* Flush once, then drop the references, and free what has none left. */
void removal_finish(struct removal *removal);

/* Split leaves that lie across an end of the range. Errors: ERR_NO_MEMORY: nothing was changed. */
MUST_CHECK enum err split_leaves_at_boundaries(struct addr_space *as, uint64_t start, uint64_t end);
MUST_CHECK static inline enum err split_at_boundaries(struct addr_space *as, uint64_t start, uint64_t end)
{
	/* A table of level 0 has 4 KiB leaves only: nothing to split. */
	return npt_walk_cache_covers(&as->view.cache, GPA(start), end - start) ? ERR_OK :
										 split_leaves_at_boundaries(as, start, end);
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

/*
 * How far from `at` on a range goes that makes up so much work: by what is mapped there and by its areas, not by its length. At
 * least one entry or area, and never up to the middle of a leaf; `end` at most. Reduces `*left`, which is above 0. The first view's
 * lock is enough.
 */
#define PIECE_COST 512
uint64_t space_piece(struct addr_space *as, uint64_t at, uint64_t end, unsigned *left);
/* The same for a fork: tables of pages are shared, not copied, and none lies across the end. */
uint64_t space_piece_of_fork(struct addr_space *as, uint64_t at, uint64_t end, unsigned *left);

/* To be called before the hypervisor reads what a guest may have written. */
static inline void sync_memory(const struct addr_space *as, hpa_t memory, uint64_t size)
{
	if (as->sync)
		as->sync(frame_ptr(memory), size);
}

/* To be called after the hypervisor has written what a guest will read or execute. */
static inline void publish_memory(const struct addr_space *as, hpa_t memory, uint64_t size)
{
	release_fence(); /* an entry that maps it may be stored by compare-and-swap */
	if (as->publish)
		as->publish(frame_ptr(memory), size);
}

/* Clear frames for a guest: then they are published, too. */
static inline void zero_memory(const struct addr_space *as, hpa_t memory, uint64_t size)
{
	if (as->zero) {
		as->zero(frame_ptr(memory), size);
		release_fence(); /* as above */
		return;
	}
	arch_zero_pages(frame_ptr(memory), size);
	publish_memory(as, memory, size);
}

/* Back every page of [start, end) in the area that has no memory of its own yet, by leaves as large as can be. */
MUST_CHECK enum err populate(struct addr_space *as, const struct area *area, uint64_t start, uint64_t end);

/*
 * Promote the 2 MiB block around `gpa`, a page that has just got memory, to one leaf if its policy and density ask for it: in place
 * if possible, else by copy. `was_empty`: the page was not mapped before, not even to the zero page.
 */
void promote_if_dense(struct addr_space_view *view, const struct area *area, uint64_t gpa, bool was_empty);
/* A cheap test whether promote_if_dense may have anything to do, by the view's walk cache. The view's lock. */
bool promotion_may_be_due(struct addr_space_view *view, const struct area *area, uint64_t gpa, bool was_empty);
/* Collapse in place the blocks of [start, end) that consist of small leaves with equal attributes over contiguous memory. */
void collapse_leaves_in_place(struct addr_space *as, uint64_t start, uint64_t end);

/* In a table's note (frame_table_note): see is_logged; and the number of zero pages that it maps, while spaces share it. */
#define TABLE_LOGGED      BIT(0)
#define TABLE_ZEROS_SHIFT 1

/* Must the block around `gpa` stay in 4 KiB leaves, because its dirty pages are logged exactly (addr_space_dirty_log)? */
bool is_logged(const struct addr_space *as, uint64_t gpa);
/* Copy the parent's is_logged state of the blocks of [start, end) to the child. */
void log_fork(const struct addr_space *parent, struct addr_space *child, uint64_t start, uint64_t end);

/* Free frames [start, end), host-physical, of the space that were never mapped. */
void give_back(struct addr_space *as, uint64_t start, uint64_t end);

/*
 * Contiguous frames, at most RUN_TAKE_MAX, zeroed and published. The view's lock suffices if the space has no limit; if it has
 * one, a new run is allocated only with the space locked (`locked`). Errors: ERR_NO_MEMORY.
 */
#define RUN_TAKE_MAX 16
MUST_CHECK enum err run_take(struct addr_space_view *view, unsigned count, bool locked, hpa_t *frames);
/* Make sure that run_take of one frame will succeed. False: there is no frame. */
bool run_ready(struct addr_space_view *view, bool locked);
/* Free the rest of the run. The view's lock. True if there was any. */
static inline bool run_drop(struct addr_space_view *view)
{
	view_settle(view);
	return frame_run_drop(&view->run, view->as->id);
}

#define RESERVATION_PIECE KIB(64)
/* Reserve memory for the block around `start`, in place of what the view has reserved. Errors: ERR_NO_MEMORY. */
MUST_CHECK enum err reservation_make(struct addr_space_view *view, uint64_t start);
/*
 * Hand out the reserved memory for the 64 KiB at `start`. The view's lock. Errors: ERR_NOT_FOUND (this block has no reserved
 * memory), ERR_EXISTS (it was handed out before).
 */
MUST_CHECK enum err reservation_take(struct addr_space_view *view, uint64_t start, hpa_t *memory);
/* Give back the reserved memory that has not been handed out. True if there was any. */
bool reservation_drop(struct addr_space_view *view);
/* The same for all views. */
bool reservations_drop(struct addr_space *as);
/* Bytes of the reservation that have not been handed out. */
uint64_t reservation_held(const struct addr_space_view *view);
static inline bool any_reservation(const struct addr_space *as)
{
	for (const struct addr_space_view *view = &as->view; view; view = view->next)
		if (view->reservation.memory.raw != 0)
			return true;
	return false;
}
/* Give back all frames that a view holds for future faults: the reservation and the run. True if there were any. */
bool view_held_drop(struct addr_space_view *view);
/* The same for all views. */
bool held_drop(struct addr_space *as);

/* Allocate the reserve frame (addr_space.reserve), if it is in use and there is a free frame. */
void fill_reserve(struct addr_space *as);

/* Free reserved memory, or pages that hold only zeros. True if anything was freed. */
bool reclaim(struct addr_space *as);

#endif

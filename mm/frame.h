/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The frame allocator: a buddy system over the machine's RAM, blocks of 4 KiB (order 0) to 1 GiB (order 18).
 *
 * Free blocks are linked through their own first bytes; everything else about a frame is in an 8-byte record. A block
 * of order n is 4 KiB << n bytes, aligned to its size. Freeing what is not an allocated block of that order is a bug of the
 * hypervisor and panics.
 *
 * Locking: the allocator has its own lock. Every function may be called on any CPU, with address-space locks held; frame_init comes
 * first, on one CPU.
 */
#ifndef NESTLING_MM_FRAME_H
#define NESTLING_MM_FRAME_H

#include "include/err.h"
#include "include/lock.h"
#include "include/types.h"

/* In a frame's record. */
enum frame_state {
	FRAME_NONE = 0, /* not ours, or not the first frame of a block */
	FRAME_FREE,
	FRAME_ALLOCATED,
	FRAME_CHAINED, /* allocated, in a chain that waits for a flush */
};

#define FRAME_MAX_ORDER 18
#define FRAME_MAX_ZONES 8
/* Frames lie below this address, so that a frame number fits in 32 bits. */
#define FRAME_LIMIT     ((uint64_t)UINT32_MAX << PAGE_SHIFT)

/* A range of RAM, bytes, 4 KiB aligned. */
struct ram_range {
	hpa_t start;
	uint64_t size;
};

struct frame_stats {
	uint64_t total; /* bytes ever given to the allocator */
	uint64_t free;  /* bytes free now */
	uint64_t zero;  /* bytes in the shared zero pages */
};

/*
 * Initialise the allocator, with no frames. `span` lists `count` ranges (ascending, not overlapping) in which frame_add may add RAM
 * later. The records (8 bytes for each frame) are at `records`, memory of frame_records_size() bytes that the caller gives for good
 * and does not add. Adding `phys_to_virt` to a host-physical address gives the pointer to it.
 */
uint64_t frame_records_size(const struct ram_range *span, size_t count);
/* Errors: ERR_RANGE (more than FRAME_MAX_ZONES, or beyond FRAME_LIMIT). */
MUST_CHECK enum err frame_init(const struct ram_range *span, size_t count, hpa_t records, uint64_t phys_to_virt);

/* Give free RAM inside the span to the allocator. Page 0 is left out. Errors: ERR_INVALID (alignment), ERR_RANGE (outside the
 * span). */
MUST_CHECK enum err frame_add(struct ram_range range);

/*
 * Count RAM inside the span that is in use, and was never added, as one allocated block after the other, each with one reference:
 * the caller's. So it can be shared, and is never free. No space is its owner, but FRAME_OWNER_FILE. Errors: as frame_add.
 */
#define FRAME_OWNER_FILE UINT16_MAX
MUST_CHECK enum err frame_adopt(struct ram_range range);

/*
 * The reserve, in bytes; 0 at first. Guests cannot take it, so that the hypervisor's own allocations succeed. Records made for a
 * guest's hypercalls leave more of it than faults do, so that the next fault of any VM succeeds.
 */
void frame_set_reserve(uint64_t bytes);
/* The purpose of an allocation. It decides how much of the reserve must stay free. */
enum frame_need {
	FRAME_HYPERVISOR, /* the hypervisor itself: none, even the last frame can be allocated */
	FRAME_GUEST,      /* memory and tables for a guest's fault: half of the reserve stays free */
	FRAME_CALL,       /* records and copies for a guest's hypercall: all of the reserve stays free */
};

/*
 * Allocate a block of 4 KiB << order bytes, aligned to its size, owned by `owner` (0: no owner): see "References" below. Contents
 * are undefined. frame_free or frame_chain_add gives it back. Errors: ERR_NO_MEMORY, ERR_RANGE (order > FRAME_MAX_ORDER).
 */
MUST_CHECK enum err frame_alloc_need(enum frame_need need, unsigned order, uint16_t owner, hpa_t *out);

/* The same for the hypervisor itself, without an owner. */
MUST_CHECK static inline enum err frame_alloc(unsigned order, hpa_t *out)
{
	return frame_alloc_need(FRAME_HYPERVISOR, order, 0, out);
}

/* As frame_alloc, filled with zeros. */
MUST_CHECK enum err frame_alloc_zeroed(unsigned order, hpa_t *out);

/* As frame_alloc_need for a guest's fault. */
MUST_CHECK static inline enum err frame_alloc_for(unsigned order, uint16_t owner, hpa_t *out)
{
	return frame_alloc_need(FRAME_GUEST, order, owner, out);
}

/* Bytes that are free for that need. They need not be contiguous. */
uint64_t frame_free_for(enum frame_need need);

/*
 * The zero page (order 0) or the large zero page (order 9): always zero, and mapped read-only wherever zeros are read. Allocated at
 * the first call and never freed. It has no owner and no reference count. Errors: ERR_NO_MEMORY.
 */
MUST_CHECK enum err frame_zero_page(unsigned order, hpa_t *out);
/* Is this frame in the zero page or the large zero page? */
bool frame_is_zero_page(hpa_t frame);
/* How many of the `size` bytes from `frame` on lie all in one zero page, or all in none? */
uint64_t frame_zero_page_border(hpa_t frame, uint64_t size);

/* Free a block that frame_alloc returned, as a whole. No CPU may use it any more. */
void frame_free(hpa_t frame, unsigned order);

/*
 * Allocate `count` contiguous frames, at most 1 << FRAME_MAX_ORDER, without an owner. Contents are undefined. frame_free_count
 * gives them back. Errors: ERR_NO_MEMORY, ERR_RANGE.
 */
MUST_CHECK enum err frame_alloc_count(enum frame_need need, uint64_t count, hpa_t *out);
void frame_free_count(hpa_t first, uint64_t count);

/*
 * References. A block that frame_alloc returned has one reference and no owner (owner 0). `order` below may be that of an aligned
 * part of an allocated block, which is then divided, and its parts counted separately; or that of a block that was divided before.
 * The owner is a number chosen by the caller: the address space to which the memory is accounted.
 */

/* Add one reference to each part of `count` frames; of a block. At most 2^32 - 1. */
void frame_share_count(hpa_t frame, uint64_t count);
static inline void frame_share(hpa_t frame, unsigned order)
{
	frame_share_count(frame, UINT64_C(1) << order);
}
/* The same of a page that `owner` does not own. False: it does, and nothing was changed. */
bool frame_share_other(hpa_t page, uint16_t owner);
/* The same for pages side by side, each of which is a part from then on: it will be copied by itself. */
void frame_share_pages(hpa_t frame, uint64_t count);
/* Is there a part with more than one reference? */
bool frame_is_shared(hpa_t frame, unsigned order);
/*
 * Allocate a frame for a guest's fault, owned by `owner`, to copy `page` to; or none, raw 0, if that has one reference only and
 * need not be copied. `of_file`: no guest has ever written to the page (frame_adopt). Errors: ERR_NO_MEMORY.
 */
struct frame_copy {
	hpa_t frame;
	bool of_file;
	bool dropped; /* frame_alloc_copy_or_keep has dropped the reference to the page already */
};
MUST_CHECK enum err frame_alloc_copy(hpa_t page, uint16_t owner, struct frame_copy *copy);
/*
 * The same, for whoever uses the frame then without fail. Of a file's page the caller's reference is dropped at once: nobody ever
 * writes to that or frees it. If there is no frame because none is needed, and the page is not of a file, `owner` becomes the owner
 * of the page: `*gained` is how many bytes it did not own before. Else that is not set.
 */
MUST_CHECK enum err frame_alloc_copy_or_keep(hpa_t page, uint16_t owner, struct frame_copy *copy, uint64_t *gained);
/* Are all of `count` frames of a file (frame_adopt)? */
bool frame_is_of_file(hpa_t frame, uint64_t count);
/* Bytes in parts that `owner` does not own. */
uint64_t frame_not_owned(hpa_t frame, unsigned order, uint16_t owner);
/* Make `owner` the owner of all parts; returns the bytes that it did not own before. */
uint64_t frame_take_over(hpa_t frame, unsigned order, uint16_t owner);

/*
 * A chain of blocks that wait for a flush before they are freed. It is linked through the records, not through the memory, which
 * CPUs may still use.
 */
struct frame_chain {
	uint64_t first;  /* frame number; 0 when empty */
	int64_t orphans; /* for the owner: see below */
	uint64_t parts;  /* blocks of which a reference was dropped: by their number goes what that took */
};
/*
 * Drop one reference to each of `count` frames; blocks without a reference are added to the chain. What `owner` owned of them has
 * no owner afterwards; returns how many bytes that are. Adds to chain->orphans the bytes that have lost their owner and still have
 * references, and subtracts those that had lost it before and have no reference any more.
 */
uint64_t frame_chain_add(struct frame_chain *chain, hpa_t frame, uint64_t count, uint16_t owner);
/*
 * The same for one page that no CPU uses any more through the caller's reference: it is freed at once if there is no other.
 * `*orphans` is what frame_chain_add would have added.
 */
uint64_t frame_drop_page(hpa_t frame, uint16_t owner, int64_t *orphans);
/*
 * The same before the flush, while CPUs may still use the frames: stops at the first one that has other references, because whoever
 * has those might write to it, or free it, as soon as this one is dropped. Returns how many frames were dealt with; `*owned` is
 * what frame_chain_add returns.
 */
uint64_t frame_chain_add_unshared(struct frame_chain *chain, hpa_t frame, uint64_t count, uint16_t owner, uint64_t *owned);
/*
 * The quickest form, for what `owner` owns alone: stops at the first block that is not so, or that is not whole in these frames.
 * All that it returns, in frames, was owned.
 */
uint64_t frame_chain_add_owned(struct frame_chain *chain, hpa_t frame, uint64_t count, uint16_t owner);
/* The same for several blocks of this order, wherever they are. Returns how many, from the first one on. */
unsigned frame_chain_add_owned_blocks(struct frame_chain *chain, const hpa_t *blocks, unsigned count, unsigned order,
				      uint16_t owner);
/* Free every block of the chain and empty it. */
void frame_chain_free(struct frame_chain *chain);

/*
 * A run of contiguous frames that its owner takes one after the other by advancing `next`, under a lock of the owner's. The frames
 * [next, end) count as free. The owner zeroes frames and advances `ready`: those in [next, ready) are zeroed.
 */
struct frame_run {
	uint64_t next, ready, end;        /* host-physical addresses */
	uint64_t counted;                 /* for the owner: frames before it are in its statistics; see view_settle in mm/space.h */
	struct frame_run *others, **link; /* the list of all runs: the next one, and what points to this one */
	unsigned count;                   /* runs that were allocated */
};
/*
 * Runs grow with their number, so that a small guest holds few frames that it does not need: 4 frames, 4, 8, 16, and so on. The
 * first ones are together as large as the largest.
 */
#define FRAME_RUN_FIRST_ORDER 2
#define FRAME_RUN_ORDER       7
/* Free the remaining frames. False: there were none. */
bool frame_run_drop(struct frame_run *run, uint16_t owner);
/* Free the remaining frames and allocate a new run of `least` to `most` frames. Errors: ERR_NO_MEMORY: the run is empty. */
MUST_CHECK enum err frame_run_renew(struct frame_run *run, uint16_t owner, unsigned least, uint64_t most);

/* As many references were added to each of `count` frames before: drop one, which is not the last. */
void frame_unshare_pages(hpa_t frame, uint64_t count);
/* What `owner` owns of `count` frames has no owner from now on; its references stay. Returns how many bytes that are. */
uint64_t frame_disown(hpa_t frame, uint64_t count, uint16_t owner);

/*
 * The number of present entries, kept in the record of an allocated frame that holds a page table, and of spaces that share it
 * (npt_sharing). 0 when allocated.
 */
uint32_t *frame_table_present(hpa_t table);
/* A number for the use of the table's owner, in the same record. 0 when allocated. */
uint16_t *frame_table_note(hpa_t table);

struct frame_stats frame_get_stats(void);

/* The pointer to host-physical memory: adds the phys_to_virt of frame_init. */
extern uint64_t frame_phys_to_virt;
static inline void *frame_ptr(hpa_t frame)
{
	return (void *)(uintptr_t)(frame.raw + frame_phys_to_virt);
}

#endif

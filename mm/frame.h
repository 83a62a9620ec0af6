/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The frame allocator: a buddy system over the machine's RAM, blocks of 4 KiB (order 0) to 1 GiB (order 18).
 *
 * Free blocks are linked through their own first bytes; everything else about a frame is in an 8-byte record. A block
 * of order n is 4 KiB << n bytes, aligned to its size. Freeing what is not an allocated block of that order is a
 * mistake of the hypervisor and panics.
 *
 * Locking: a lock of its own; every function may be called on any CPU, with address-space locks held.
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
	FRAME_CHAINED, /* allocated, waiting in a chain */
};

#define FRAME_MAX_ORDER 18
#define FRAME_MAX_ZONES 8
/* No frame is there from here on: its number fits in 32 bits. */
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
 * Start afresh. `span` lists where RAM is or may come to be (ascending, not overlapping): frames in it can be
 * added later. The records (8 bytes a frame) are taken from `records`, which must be usable now and is
 * frame_records_size() bytes; it is not part of what is added. `phys_to_virt` is added to an address to reach memory.
 */
uint64_t frame_records_size(const struct ram_range *span, size_t count);
/* Errors: ERR_RANGE (more than FRAME_MAX_ZONES, or beyond FRAME_LIMIT). */
MUST_CHECK enum err frame_init(const struct ram_range *span, size_t count, hpa_t records, uint64_t phys_to_virt);

/* Hand over free RAM inside the span. Page 0 is left out. Errors: ERR_INVALID, ERR_RANGE (outside the span). */
MUST_CHECK enum err frame_add(struct ram_range range);

/*
 * The reserve: memory that guests cannot take, so that the hypervisor's own calls find some, and that what guests have recorded by
 * calls of theirs cannot take, so that the next fault of any VM finds some. 0 at first.
 */
void frame_set_reserve(uint64_t bytes);
/* Whose need it is says how much of the reserve is left alone. */
enum frame_need {
	FRAME_HYPERVISOR, /* nothing: the last frame can be had */
	FRAME_GUEST,      /* half of it: a fault's memory and tables */
	FRAME_CALL,       /* all of it: records and copies that a guest has asked for */
};

/*
 * Get 4 KiB << order bytes, which belong to `owner`: see below. Contents are undefined.
 * Errors: ERR_NO_MEMORY, ERR_RANGE (order > FRAME_MAX_ORDER).
 */
MUST_CHECK enum err frame_alloc_need(enum frame_need need, unsigned order, uint16_t owner, hpa_t *out);

/* The same for the hypervisor itself: they are nobody's. */
MUST_CHECK static inline enum err frame_alloc(unsigned order, hpa_t *out)
{
	return frame_alloc_need(FRAME_HYPERVISOR, order, 0, out);
}

/* That, all zero. */
MUST_CHECK enum err frame_alloc_zeroed(unsigned order, hpa_t *out);

/* For a guest. */
MUST_CHECK static inline enum err frame_alloc_for(unsigned order, uint16_t owner, hpa_t *out)
{
	return frame_alloc_need(FRAME_GUEST, order, owner, out);
}

/* Bytes that can be had for that need. */
uint64_t frame_free_for(enum frame_need need);

/*
 * The zero page (order 0) or the large zero page (order 9): always zero, and mapped read-only wherever zeros are read. Allocated at
 * the first call, and kept; it is nobody's, and has no references. Errors: ERR_NO_MEMORY.
 */
MUST_CHECK enum err frame_zero_page(unsigned order, hpa_t *out);
/* Is this frame in such a block? */
bool frame_is_zero_page(hpa_t frame);
/* Of the `size` bytes at `frame`, how many from the start on are all in such a block, or all in none? */
uint64_t frame_zero_page_border(hpa_t frame, uint64_t size);

/* Give back a block that frame_alloc returned, whole. */
void frame_free(hpa_t frame, unsigned order);

/*
 * References. A block that frame_alloc returned has one, and belongs to nobody (owner 0). `order` below may be that of an
 * aligned part of an allocated block, whose parts then are counted each on its own; or of a block that was so parted.
 * An owner is whom the memory is accounted to: a number of the caller's.
 */

/* One more reference to each part. At most 2^32 - 1. */
void frame_share(hpa_t frame, unsigned order);
/* Is there a part with more than one reference? */
bool frame_is_shared(hpa_t frame, unsigned order);
/* Bytes in parts that belong to nobody or to somebody else. */
uint64_t frame_not_owned(hpa_t frame, unsigned order, uint16_t owner);
/* Let `owner` own the parts that belong to nobody or somebody else; returns the bytes that were not its own before. */
uint64_t frame_take_over(hpa_t frame, unsigned order, uint16_t owner);

/*
 * A chain of blocks that wait for a flush before they are freed: the memory itself is left alone, since CPUs may still
 * use it; the chain runs through the records.
 */
struct frame_chain {
	uint64_t first; /* frame number; 0 when empty */
};
/*
 * Give up one reference to each of `count` frames; those with none left join the chain, as the blocks that they are. What
 * belonged to `owner` belongs to nobody then. Returns the bytes that did.
 */
uint64_t frame_chain_add(struct frame_chain *chain, hpa_t frame, uint64_t count, uint16_t owner);
/* Free every block of the chain and empty it. */
void frame_chain_free(struct frame_chain *chain);

/*
 * Contiguous frames that an owner takes one after the other, by moving `next`, under a lock of its own: [next, end) are left, and
 * count as free. Those before `ready` are zeroed: that is for the owner to do, and to say.
 */
struct frame_run {
	uint64_t next, ready, end; /* hpa */
	struct frame_run *others;
};
#define FRAME_RUN_ORDER 7
/* Give back what is left. False: nothing was. */
bool frame_run_drop(struct frame_run *run, uint16_t owner);
/* Another run, of `least` frames at least and `most` at most, in place of what is left. Errors: ERR_NO_MEMORY: nothing is left. */
MUST_CHECK enum err frame_run_renew(struct frame_run *run, uint16_t owner, unsigned least, uint64_t most);

/* The count of live entries kept in the record of an allocated frame that holds a page table. 0 when allocated. */
uint16_t *frame_table_present(hpa_t table);
/* A number of its owner's in the same record. 0 when allocated. */
uint32_t *frame_table_note(hpa_t table);

struct frame_stats frame_get_stats(void);

/* A pointer to host memory, by the phys_to_virt of frame_init. */
extern uint64_t frame_phys_to_virt;
static inline void *frame_ptr(hpa_t frame)
{
	return (void *)(uintptr_t)(frame.raw + frame_phys_to_virt);
}

#endif

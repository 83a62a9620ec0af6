/* SPDX-License-Identifier: BSD-2-Clause */
/* The frame allocator's state and records. Private to frame*.c in mm/. */
#ifndef NESTLING_MM_FRAME_STATE_H
#define NESTLING_MM_FRAME_STATE_H

#include "mm/frame.h"

struct frame {
	union {
		struct {
			union {
				uint32_t more;    /* of an allocated block: number of references - 1 */
				uint32_t present; /* of a frame that holds a page table, which is never shared: its present entries
						   */
				uint32_t next;    /* frame number of the next in a chain, 0 at its end */
			};
			union {
				uint16_t note;  /* of a frame that holds a page table: frame_table_note */
				uint16_t owner; /* of any other frame */
			};
			uint8_t order;
			uint8_t state; /* enum frame_state */
		};
		uint64_t all; /* to compare two of them at once */
	};
};
_Static_assert(sizeof(struct frame) == 8, "the cost per frame that is documented");

/* The first bytes of a free block. */
struct free_block {
	struct free_block *next, *prev;
};

struct zone {
	uint64_t first, end; /* frame numbers */
	struct frame *records;
};

/* A stock of single free frames, so that most allocations split and join no block: STOCK frames, refilled by blocks of STOCK_ORDER.
 */
#define STOCK       128
#define STOCK_ORDER 6

/* Protected by `lock`, except `zero`, which is set once and read without the lock, and `zone`, which anybody sets. */
extern struct frame_allocator {
	struct spinlock lock;
	struct zone zones[FRAME_MAX_ZONES];
	size_t zone_count;
	struct zone *zone;                            /* the zone of the last look-up */
	struct free_block lists[FRAME_MAX_ORDER + 1]; /* circular, these are the heads */
	uint32_t nonempty;                            /* bit n: list n has a block */
	unsigned stocked;
	uint64_t stock[STOCK]; /* frame numbers */
	struct frame_run *runs;
	struct {
		hpa_t block; /* raw 0: not allocated yet */
		unsigned order;
	} zero[2];
	struct frame_stats stats;            /* `free` counts the blocks on the lists only */
	uint64_t left_alone[FRAME_CALL + 1]; /* bytes that must stay free, by enum frame_need */
} frames;

static inline uint64_t frame_number(hpa_t frame)
{
	return frame.raw >> PAGE_SHIFT;
}

static inline bool in_zone(const struct zone *zone, uint64_t number)
{
	return number >= zone->first && number < zone->end;
}

/*
 * Look up the zone of a frame that is not in the zone of the last look-up; NULL: there is none. Each file has its own copy, so that
 * the compiler sees which registers it changes, and callers need not save the others for this rare case.
 */
static __attribute__((noinline, unused)) struct zone *other_zone_of(uint64_t number)
{
	for (size_t i = 0; i < frames.zone_count; i++)
		if (in_zone(&frames.zones[i], number)) {
			STORE_RELAXED(frames.zone, &frames.zones[i]);
			return &frames.zones[i];
		}
	return NULL;
}

static inline struct zone *zone_of(uint64_t number)
{
	struct zone *last = __atomic_load_n(&frames.zone, __ATOMIC_RELAXED); /* others may look up theirs now */

	return in_zone(last, number) ? last : other_zone_of(number);
}

/* NULL when the frame is in no zone. */
static inline struct frame *record_of(uint64_t number)
{
	struct zone *zone = zone_of(number);

	return zone ? &zone->records[number - zone->first] : NULL;
}

static inline bool is_block(const struct frame *record, enum frame_state state, unsigned order)
{
	return record && record->state == state && record->order == order;
}

/* The order of the largest block that begins at `number` and ends at `end` at the latest. */
static inline unsigned frame_order_at(uint64_t number, uint64_t end)
{
	unsigned order = (unsigned)min_u64((unsigned)__builtin_ctzll(number), FRAME_MAX_ORDER);

	while (number + (UINT64_C(1) << order) > end)
		order--;
	return order;
}

/* As frame_alloc_need; returns the block's first number. 0: there is none. Called with the lock held. */
uint64_t frame_take(enum frame_need need, unsigned order, uint16_t owner);
/* The same for one frame: where the stock has one and enough is free, without a call. */
static inline uint64_t frame_take_page(enum frame_need need, uint16_t owner)
{
	uint64_t number;

	if (frames.stocked == 0 || frames.stats.free < frames.left_alone[need])
		return frame_take(need, 0, owner);
	number = frames.stock[--frames.stocked];
	*record_of(number) = (struct frame){ .owner = owner, .state = FRAME_ALLOCATED };
	return number;
}
/* Free the frames with numbers [number, end). Called with the lock held. */
void frame_release(uint64_t number, uint64_t end);

#endif

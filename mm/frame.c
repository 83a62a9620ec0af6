/* SPDX-License-Identifier: BSD-2-Clause */
/* The frame allocator: a buddy system with its records outside the frames and its free lists inside them. */
#include "mm/frame.h"

#include <string.h>

#include "include/arch/machine.h"
#include "include/lock.h"
#include "include/panic.h"

struct frame {
	union {
		uint32_t more; /* references beyond the first, of an allocated block */
		uint32_t note; /* of its owner's, for a frame that holds a page table, which nobody shares */
		uint32_t next; /* frame number of the next in a chain, 0 at its end */
	};
	union {
		uint16_t live;  /* entries in use, for a frame that holds a page table */
		uint16_t owner; /* for any other */
	};
	uint8_t order;
	uint8_t state; /* enum frame_state */
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

/* Single frames on hand, without taking blocks apart and together again; as many as that, filled up by blocks of that order. */
#define STOCK       128
#define STOCK_ORDER 6

uint64_t frame_phys_to_virt;

static struct {
	struct spinlock lock;
	struct zone zones[FRAME_MAX_ZONES];
	size_t zone_count;
	struct zone *zone; /* the last one asked for */
	struct free_block lists[FRAME_MAX_ORDER + 1]; /* circular, these are the heads */
	uint32_t nonempty;                            /* bit n: list n has a block */
	unsigned stocked;
	uint64_t stock[STOCK]; /* frame numbers */
	struct frame_run *runs;
	struct {
		hpa_t block; /* raw 0: not taken yet */
		unsigned order;
	} zero[2];
	struct frame_stats stats; /* `free` is what the lists have */
	uint64_t left_alone[FRAME_CALL + 1]; /* bytes of the reserve, by enum frame_need */
} frames;

static uint64_t frame_number(hpa_t frame)
{
	return frame.raw >> PAGE_SHIFT;
}

static struct free_block *block_of(uint64_t number)
{
	return frame_ptr(HPA(number << PAGE_SHIFT));
}

static uint64_t number_of(const struct free_block *block)
{
	return ((uintptr_t)block - frame_phys_to_virt) >> PAGE_SHIFT;
}

static bool in_zone(const struct zone *zone, uint64_t number)
{
	return number >= zone->first && number < zone->end;
}

static __attribute__((noinline)) struct zone *other_zone_of(uint64_t number)
{
	for (size_t i = 0; i < frames.zone_count; i++)
		if (in_zone(&frames.zones[i], number))
			return frames.zone = &frames.zones[i];
	return NULL;
}

static inline struct zone *zone_of(uint64_t number)
{
	return in_zone(frames.zone, number) ? frames.zone : other_zone_of(number);
}

/* NULL when the frame is in no zone. */
static struct frame *record_of(uint64_t number)
{
	struct zone *zone = zone_of(number);

	return zone ? &zone->records[number - zone->first] : NULL;
}

static void list_add(uint64_t number, unsigned order)
{
	struct free_block *head = &frames.lists[order], *block = block_of(number);
	struct frame *record = record_of(number);

	record->state = FRAME_FREE;
	record->order = (uint8_t)order;
	*block = (struct free_block){ .next = head->next, .prev = head };
	head->next->prev = block;
	head->next = block;
	frames.nonempty |= 1u << order;
	frames.stats.free += PAGE_SIZE << order;
}

static void list_remove(uint64_t number, unsigned order)
{
	struct free_block *head = &frames.lists[order], *block = block_of(number);

	block->prev->next = block->next;
	block->next->prev = block->prev;
	if (head->next == head)
		frames.nonempty &= ~(1u << order);
	record_of(number)->state = FRAME_NONE;
	frames.stats.free -= PAGE_SIZE << order;
}

static bool is_block(const struct frame *record, enum frame_state state, unsigned order)
{
	return record && record->state == state && record->order == order;
}

/* Put a block on its list, joined with its free buddies. The first frame's record says FRAME_NONE. */
static void join(uint64_t number, unsigned order)
{
	for (; order < FRAME_MAX_ORDER; order++) {
		uint64_t buddy = number ^ (UINT64_C(1) << order);

		if (!is_block(record_of(buddy), FRAME_FREE, order))
			break;
		list_remove(buddy, order);
		number &= buddy;
	}
	list_add(number, order);
}

/* The frames of [number, end) are free: put them on the lists, as the largest blocks that they make. */
static void join_all(uint64_t number, uint64_t end)
{
	while (number < end) {
		unsigned order = (unsigned)min_u64((unsigned)__builtin_ctzll(number), FRAME_MAX_ORDER);

		while (number + (UINT64_C(1) << order) > end)
			order--;
		join(number, order);
		number += UINT64_C(1) << order;
	}
}

/* The frames of [number, end) are free again. */
static void release(uint64_t number, uint64_t end)
{
	if (end - number == 1 && frames.stocked < STOCK)
		frames.stock[frames.stocked++] = number;
	else
		join_all(number, end);
}

/* Take a block of this order off the lists, a larger one apart if need be. 0: there is none. */
static uint64_t take(unsigned order)
{
	uint32_t fitting = frames.nonempty & ~0u << order;
	uint64_t number;
	unsigned from;

	if (fitting == 0)
		return 0;
	from = (unsigned)__builtin_ctz(fitting);
	number = number_of(frames.lists[from].next);
	list_remove(number, from);
	while (from > order) { /* the upper half goes back */
		from--;
		list_add(number + (UINT64_C(1) << from), from);
	}
	return number;
}

/* Put single frames on hand, those of one block, the lowest on top. */
static void stock_up(void)
{
	unsigned order = STOCK_ORDER;
	uint64_t number = take(order);

	while (number == 0 && order > 0)
		number = take(--order);
	for (unsigned i = number != 0 ? 1u << order : 0; i-- > 0;)
		frames.stock[frames.stocked++] = number + i;
}

/* Let what is on hand join into larger blocks. False: there was nothing. */
static bool unstock(void)
{
	bool any = frames.stocked > 0;

	while (frames.stocked > 0)
		join(frames.stock[--frames.stocked], 0);
	return any;
}

static uint64_t find_frame(void)
{
	if (frames.stocked == 0)
		stock_up();
	return frames.stocked > 0 ? frames.stock[--frames.stocked] : 0;
}

/* A block. For a large one, what is on hand may have to join first. */
static uint64_t find_block(unsigned order)
{
	uint64_t number;

	if (order == 0)
		return find_frame();
	number = take(order);
	if (number == 0 && unstock())
		number = take(order);
	return number;
}

uint64_t frame_records_size(const struct ram_range *span, size_t count)
{
	uint64_t size = 0;

	for (size_t i = 0; i < count; i++)
		size += (span[i].size >> PAGE_SHIFT) * sizeof(struct frame);
	return align_up(size, PAGE_SIZE);
}

enum err frame_init(const struct ram_range *span, size_t count, hpa_t records, uint64_t phys_to_virt)
{
	struct frame *record;

	if (count > FRAME_MAX_ZONES)
		return ERR_RANGE;
	memset(&frames, 0, sizeof(frames));
	frame_phys_to_virt = phys_to_virt;
	for (unsigned order = 0; order <= FRAME_MAX_ORDER; order++)
		frames.lists[order].next = frames.lists[order].prev = &frames.lists[order];
	record = memset(frame_ptr(records), 0, frame_records_size(span, count));
	for (size_t i = 0; i < count; i++) {
		uint64_t first = frame_number(span[i].start), frames_in_span = span[i].size >> PAGE_SHIFT;

		if (first + frames_in_span > FRAME_LIMIT >> PAGE_SHIFT)
			return ERR_RANGE;
		frames.zones[i] = (struct zone){ .first = first, .end = first + frames_in_span, .records = record };
		record += frames_in_span;
	}
	frames.zone_count = count;
	frames.zone = &frames.zones[0];
	return ERR_OK;
}

enum err frame_add(struct ram_range range)
{
	uint64_t number = frame_number(range.start), end = number + (range.size >> PAGE_SHIFT);
	struct zone *zone;

	if (!is_aligned(range.start.raw | range.size, PAGE_SIZE))
		return ERR_INVALID;
	if (number == 0)
		number = 1; /* 0 is our "none", and a null pointer must stay one */
	if (number >= end)
		return ERR_OK;
	zone = zone_of(number);
	if (!zone || end > zone->end)
		return ERR_RANGE;
	spin_lock(&frames.lock);
	frames.stats.total += (end - number) << PAGE_SHIFT;
	join_all(number, end);
	spin_unlock(&frames.lock);
	return ERR_OK;
}

void frame_set_reserve(uint64_t bytes)
{
	spin_lock(&frames.lock);
	frames.left_alone[FRAME_GUEST] = bytes / 2;
	frames.left_alone[FRAME_CALL] = bytes;
	spin_unlock(&frames.lock);
}

/* What runs have left is their owners', who give it back when they cannot have more. */
static bool may_take(enum frame_need need, unsigned order)
{
	return frames.stats.free + ((uint64_t)frames.stocked << PAGE_SHIFT) >= frames.left_alone[need] + (PAGE_SIZE << order);
}

enum err frame_alloc_need(enum frame_need need, unsigned order, uint16_t owner, hpa_t *out)
{
	uint64_t number;

	if (order > FRAME_MAX_ORDER)
		return ERR_RANGE;
	spin_lock(&frames.lock);
	number = may_take(need, order) ? find_block(order) : 0;
	if (number != 0)
		*record_of(number) =
			(struct frame){ .owner = owner, .order = (uint8_t)order, .state = FRAME_ALLOCATED };
	spin_unlock(&frames.lock);
	*out = HPA(number << PAGE_SHIFT);
	return number != 0 ? ERR_OK : ERR_NO_MEMORY;
}

enum err frame_alloc_zeroed(unsigned order, hpa_t *out)
{
	enum err err = frame_alloc(order, out);

	if (err == ERR_OK)
		arch_zero_pages(frame_ptr(*out), PAGE_SIZE << order);
	return err;
}

enum err frame_zero_block(unsigned order, hpa_t *out)
{
	unsigned i = order > 0;
	enum err err;
	hpa_t block;

	if (__atomic_load_n(&frames.zero[i].block.raw, __ATOMIC_ACQUIRE) == 0) {
		/* Without the large one it goes by pages. */
		err = frame_alloc_need(order > 0 ? FRAME_CALL : FRAME_HYPERVISOR, order, 0, &block);
		if (err != ERR_OK)
			return err;
		arch_zero_pages(frame_ptr(block), PAGE_SIZE << order);
		spin_lock(&frames.lock);
		if (frames.zero[i].block.raw == 0) {
			frames.zero[i].order = order;
			__atomic_store_n(&frames.zero[i].block.raw, block.raw, __ATOMIC_RELEASE);
			frames.stats.zero += PAGE_SIZE << order;
			block.raw = 0;
		}
		spin_unlock(&frames.lock);
		if (block.raw != 0) /* somebody else was faster */
			frame_free(block, order);
	}
	*out = frames.zero[i].block;
	return ERR_OK;
}

bool frame_is_zero(hpa_t frame)
{
	for (size_t i = 0; i < ARRAY_LEN(frames.zero); i++)
		if (frames.zero[i].block.raw != 0 &&
		    frame.raw - frames.zero[i].block.raw < PAGE_SIZE << frames.zero[i].order)
			return true;
	return false;
}

uint64_t frame_zero_border(hpa_t frame, uint64_t size)
{
	for (size_t i = 0; i < ARRAY_LEN(frames.zero); i++) {
		uint64_t start = frames.zero[i].block.raw, end = start + (PAGE_SIZE << frames.zero[i].order);

		if (start == 0)
			continue;
		if (frame.raw < start)
			size = min_u64(size, start - frame.raw);
		else if (frame.raw < end)
			size = min_u64(size, end - frame.raw);
	}
	return size;
}

void frame_free(hpa_t frame, unsigned order)
{
	uint64_t number = frame_number(frame);
	struct frame *record = record_of(number);

	spin_lock(&frames.lock);
	if (!is_aligned(frame.raw, PAGE_SIZE) || !is_block(record, FRAME_ALLOCATED, order))
		panic("frame: freeing %#lx, which is not an allocated block of order %u",
		      frame.raw, order);
	record->state = FRAME_NONE;
	release(number, number + (UINT64_C(1) << order));
	spin_unlock(&frames.lock);
}

/*
 * The allocated block that begins at `number`, of at most `order`: cut out of the larger one that it is part of, unless it is
 * parted already.
 */
static struct frame *part_at(uint64_t number, unsigned order)
{
	struct frame *parted = record_of(number);

	if (parted && parted->state == FRAME_ALLOCATED && parted->order <= order)
		return parted;
	for (unsigned above = order + 1; above <= FRAME_MAX_ORDER; above++) {
		uint64_t first = number & ~((UINT64_C(1) << above) - 1);
		struct frame *record = record_of(first);

		if (!is_block(record, FRAME_ALLOCATED, above))
			continue;
		while (above > order) { /* halve, and go on with the half that holds it */
			uint64_t middle = first + (UINT64_C(1) << --above);

			record->order = (uint8_t)above;
			*record_of(middle) = *record;
			if (number >= middle) {
				first = middle;
				record = record_of(middle);
			}
		}
		return record;
	}
	panic("frame: %#lx is not in an allocated block", number << PAGE_SHIFT);
}

/* The part that begins at frame `at`, and ends at `end` at the latest. */
static struct frame *part_up_to(uint64_t at, uint64_t end)
{
	struct frame *record = record_of(at);
	unsigned order;

	if (record && record->state == FRAME_ALLOCATED && at + (UINT64_C(1) << record->order) <= end)
		return record;
	order = (unsigned)min_u64((unsigned)__builtin_ctzll(at), FRAME_MAX_ORDER);
	while (at + (UINT64_C(1) << order) > end)
		order--;
	return part_at(at, order);
}

/* Run the statement for each part of `count` frames: `record`, from frame `at` on. */
#define FOR_EACH_PART(record, at, frame, count)                                                                       \
	for (uint64_t at = frame_number(frame), at##_end = at + (count), at##_next; at < at##_end; at = at##_next)    \
		if (((record) = part_up_to(at, at##_end)), at##_next = at + (UINT64_C(1) << (record)->order), true)

uint64_t frame_not_owned(hpa_t frame, unsigned order, uint16_t owner)
{
	struct frame *record;
	uint64_t bytes = 0;

	spin_lock(&frames.lock);
	FOR_EACH_PART(record, at, frame, UINT64_C(1) << order)
		if (record->owner != owner)
			bytes += PAGE_SIZE << record->order;
	spin_unlock(&frames.lock);
	return bytes;
}

uint64_t frame_take_over(hpa_t frame, unsigned order, uint16_t owner)
{
	struct frame *record;
	uint64_t bytes = 0;

	spin_lock(&frames.lock);
	FOR_EACH_PART(record, at, frame, UINT64_C(1) << order) {
		if (record->owner != owner)
			bytes += PAGE_SIZE << record->order;
		record->owner = owner;
	}
	spin_unlock(&frames.lock);
	return bytes;
}

void frame_share(hpa_t frame, unsigned order)
{
	struct frame *record;

	spin_lock(&frames.lock);
	FOR_EACH_PART(record, at, frame, UINT64_C(1) << order)
		record->more++;
	spin_unlock(&frames.lock);
}

bool frame_is_shared(hpa_t frame, unsigned order)
{
	struct frame *record;
	bool shared = false;

	spin_lock(&frames.lock);
	FOR_EACH_PART(record, at, frame, UINT64_C(1) << order)
		shared |= record->more > 0;
	spin_unlock(&frames.lock);
	return shared;
}

uint64_t frame_chain_add(struct frame_chain *chain, hpa_t frame, uint64_t count, uint16_t owner)
{
	struct frame *record;
	uint64_t owned = 0;

	spin_lock(&frames.lock);
	FOR_EACH_PART(record, at, frame, count) {
		if (record->owner == owner) {
			owned += UINT64_C(1) << record->order;
			record->owner = 0;
		}
		if (record->more > 0) {
			record->more--;
			continue;
		}
		record->state = FRAME_CHAINED;
		record->next = (uint32_t)chain->first;
		chain->first = at;
	}
	spin_unlock(&frames.lock);
	return owned << PAGE_SHIFT;
}

void frame_chain_free(struct frame_chain *chain)
{
	uint64_t first = 0, end = 0; /* of frames in a row that are free */

	if (chain->first == 0)
		return;
	spin_lock(&frames.lock);
	while (chain->first != 0) {
		uint64_t number = chain->first;
		struct frame *record = record_of(number);

		chain->first = record->next;
		record->state = FRAME_NONE;
		if (number + (UINT64_C(1) << record->order) != first) { /* a chain goes downwards, most of the time */
			release(first, end);
			end = number + (UINT64_C(1) << record->order);
		}
		first = number;
	}
	release(first, end);
	spin_unlock(&frames.lock);
}

bool frame_run_drop(struct frame_run *run, uint16_t owner)
{
	uint64_t left = run->end - run->next;
	struct frame_chain chain = { 0 };

	if (run->end == 0)
		return false;
	spin_lock(&frames.lock);
	for (struct frame_run **link = &frames.runs; *link; link = &(*link)->others)
		if (*link == run) {
			*link = run->others;
			break;
		}
	spin_unlock(&frames.lock);
	(void)frame_chain_add(&chain, HPA(run->next), left >> PAGE_SHIFT, owner);
	frame_chain_free(&chain);
	*run = (struct frame_run){ 0 };
	return left > 0;
}

enum err frame_run_renew(struct frame_run *run, uint16_t owner, unsigned least, uint64_t most)
{
	unsigned order = FRAME_RUN_ORDER;
	hpa_t block;
	enum err err;

	frame_run_drop(run, owner);
	while (1u << order > most)
		order--;
	/* A block as any other: it is parted where its frames go different ways. */
	while ((err = frame_alloc_for(order, owner, &block)) != ERR_OK && 1u << order > least)
		order--;
	if (err != ERR_OK)
		return err;
	spin_lock(&frames.lock);
	*run = (struct frame_run){ block.raw, block.raw, block.raw + (PAGE_SIZE << order), frames.runs };
	frames.runs = run;
	spin_unlock(&frames.lock);
	return ERR_OK;
}

uint16_t *frame_table_live(hpa_t table)
{
	return &record_of(frame_number(table))->live;
}

uint32_t *frame_table_note(hpa_t table)
{
	return &record_of(frame_number(table))->note;
}

struct frame_stats frame_get_stats(void)
{
	struct frame_stats stats;

	spin_lock(&frames.lock);
	stats = frames.stats;
	stats.free += (uint64_t)frames.stocked << PAGE_SHIFT;
	for (const struct frame_run *run = frames.runs; run; run = run->others)
		stats.free += run->end - run->next;
	spin_unlock(&frames.lock);
	return stats;
}

uint64_t frame_free_for(enum frame_need need)
{
	uint64_t free = frame_get_stats().free, left = frames.left_alone[need];

	return free > left ? free - left : 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* The frame allocator: a buddy system with its records outside the frames and its free lists inside them. */
#include "mm/frame.h"

#include <string.h>

#include "include/arch/machine.h"
#include "include/panic.h"
#include "mm/frame_state.h"

uint64_t frame_phys_to_virt;
struct frame_allocator frames;

static struct free_block *block_of(uint64_t number)
{
	return frame_ptr(HPA(number << PAGE_SHIFT));
}

static uint64_t number_of(const struct free_block *block)
{
	return ((uintptr_t)block - frame_phys_to_virt) >> PAGE_SHIFT;
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

/* Join a block with its free buddies and put it on its list. The record of its first frame is FRAME_NONE. */
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

/* Put the free frames [number, end) on the lists, as the largest possible blocks. */
static void join_all(uint64_t number, uint64_t end)
{
	while (number < end) {
		unsigned order = frame_order_at(number, end);

		join(number, order);
		number += UINT64_C(1) << order;
	}
}

void frame_release(uint64_t number, uint64_t end)
{
	if (end - number == 1 && frames.stocked < STOCK)
		frames.stock[frames.stocked++] = number;
	else
		join_all(number, end);
}

/* Take a block of this order off the lists, splitting a larger one if needed. 0: there is none. */
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

/* Refill the stock with the frames of one block, the lowest on top. */
static void stock_up(void)
{
	unsigned order = STOCK_ORDER;
	uint64_t number = take(order);

	while (number == 0 && order > 0)
		number = take(--order);
	for (unsigned i = number != 0 ? 1u << order : 0; i-- > 0;)
		frames.stock[frames.stocked++] = number + i;
}

/* Free the stock, so that its frames can join to larger blocks. False: it was empty. */
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

/* Find a block. For a large one, the stock may have to be freed first. */
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
	spin_init(&frames.lock, LOCK_FRAMES);
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

enum err frame_adopt(struct ram_range range)
{
	uint64_t number = frame_number(range.start), end = number + (range.size >> PAGE_SHIFT);
	struct zone *zone = zone_of(number);

	if (!is_aligned(range.start.raw | range.size, PAGE_SIZE))
		return ERR_INVALID;
	if (!zone || end > zone->end)
		return ERR_RANGE;
	spin_lock(&frames.lock);
	while (number < end) {
		unsigned order = frame_order_at(number, end);

		*record_of(number) = (struct frame){ .owner = FRAME_OWNER_FILE, .order = (uint8_t)order, .state = FRAME_ALLOCATED };
		number += UINT64_C(1) << order;
	}
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

/* The frames left in runs are not counted here: their owners give them back when they get no more. */
static bool may_take(enum frame_need need, unsigned order)
{
	return frames.stats.free + ((uint64_t)frames.stocked << PAGE_SHIFT) >= frames.left_alone[need] + (PAGE_SIZE << order);
}

uint64_t frame_take(enum frame_need need, unsigned order, uint16_t owner)
{
	uint64_t number = may_take(need, order) ? find_block(order) : 0;

	if (number != 0)
		*record_of(number) = (struct frame){ .owner = owner, .order = (uint8_t)order, .state = FRAME_ALLOCATED };
	return number;
}

enum err frame_alloc_need(enum frame_need need, unsigned order, uint16_t owner, hpa_t *out)
{
	uint64_t number;

	if (order > FRAME_MAX_ORDER)
		return ERR_RANGE;
	spin_lock(&frames.lock);
	number = frame_take(need, order, owner);
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

void frame_free(hpa_t frame, unsigned order)
{
	uint64_t number = frame_number(frame);
	struct frame *record = record_of(number);

	spin_lock(&frames.lock);
	if (!is_aligned(frame.raw, PAGE_SIZE) || !is_block(record, FRAME_ALLOCATED, order))
		panic("frame: freeing %#lx, which is not an allocated block of order %u", frame.raw, order);
	record->state = FRAME_NONE;
	frame_release(number, number + (UINT64_C(1) << order));
	spin_unlock(&frames.lock);
}

uint32_t *frame_table_present(hpa_t table)
{
	return &record_of(frame_number(table))->present;
}

uint16_t *frame_table_note(hpa_t table)
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
		stats.free += __atomic_load_n(&run->end, __ATOMIC_RELAXED) - __atomic_load_n(&run->next, __ATOMIC_RELAXED);
	spin_unlock(&frames.lock);
	return stats;
}

uint64_t frame_free_for(enum frame_need need)
{
	uint64_t free = frame_get_stats().free, left = frames.left_alone[need];

	return free > left ? free - left : 0;
}

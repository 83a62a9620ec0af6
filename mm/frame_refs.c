/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * References to frames: blocks are divided, shared, owned, and chained until a flush is done. Runs of frames are such blocks, too.
 */
#include "include/panic.h"
#include "mm/frame_state.h"

/*
 * The allocated block that begins at `number`, of at most `order`: the larger block that it is part of is divided first, if it was
 * not before.
 */
static __attribute__((noinline)) struct frame *part_at(uint64_t number, unsigned order)
{
	const struct zone *zone = zone_of(number);
	struct frame *parted = zone ? &zone->records[number - zone->first] : NULL;

	if (parted && parted->state == FRAME_ALLOCATED && parted->order <= order)
		return parted;
	for (unsigned above = order + 1; zone && above <= FRAME_MAX_ORDER; above++) {
		uint64_t first = number & ~((UINT64_C(1) << above) - 1);
		struct frame *record;

		if (first < zone->first)
			break;
		record = parted - (number - first);
		if (record->state != FRAME_ALLOCATED || record->order != above)
			continue;
		while (above > order) { /* divide in two, go on with the half that holds `number` */
			struct frame *middle = record + (UINT64_C(1) << --above);

			record->order = (uint8_t)above;
			*middle = *record;
			if (parted >= middle)
				record = middle;
		}
		return record;
	}
	panic("frame: %#lx is not in an allocated block", number << PAGE_SHIFT);
}

/* The part that is this one frame. */
static inline struct frame *page_at(uint64_t number)
{
	struct frame *record = record_of(number);

	return is_block(record, FRAME_ALLOCATED, 0) ? record : part_at(number, 0);
}

/* The part that begins at frame `at`, and ends at `end` at the latest. */
static struct frame *part_up_to(uint64_t at, uint64_t end)
{
	struct frame *record = record_of(at);

	if (record && record->state == FRAME_ALLOCATED && at + (UINT64_C(1) << record->order) <= end)
		return record;
	return part_at(at, frame_order_at(at, end));
}

/* Run the statement for each part of `count` frames: `record`, from frame `at` on. */
#define FOR_EACH_PART(record, at, frame, count)                                                                    \
	for (uint64_t at = frame_number(frame), at##_end = at + (count), at##_next; at < at##_end; at = at##_next) \
		if (((record) = part_up_to(at, at##_end)), at##_next = at + (UINT64_C(1) << (record)->order), true)

uint64_t frame_not_owned(hpa_t frame, unsigned order, uint16_t owner)
{
	struct frame *record;
	uint64_t bytes = 0;

	spin_lock(&frames.lock);
	FOR_EACH_PART (record, at, frame, UINT64_C(1) << order)
		if (record->owner != owner)
			bytes += PAGE_SIZE << record->order;
	spin_unlock(&frames.lock);
	return bytes;
}

bool frame_is_of_file(hpa_t frame, uint64_t count)
{
	struct frame *record;
	bool of_file = true;

	spin_lock(&frames.lock);
	FOR_EACH_PART (record, at, frame, count)
		of_file &= record->owner == FRAME_OWNER_FILE;
	spin_unlock(&frames.lock);
	return of_file;
}

uint64_t frame_take_over(hpa_t frame, unsigned order, uint16_t owner)
{
	struct frame *record;
	uint64_t bytes = 0;

	spin_lock(&frames.lock);
	FOR_EACH_PART (record, at, frame, UINT64_C(1) << order) {
		if (record->owner != owner)
			bytes += PAGE_SIZE << record->order;
		record->owner = owner;
	}
	spin_unlock(&frames.lock);
	return bytes;
}

void frame_share_count(hpa_t frame, uint64_t count)
{
	struct frame *record;

	spin_lock(&frames.lock);
	FOR_EACH_PART (record, at, frame, count)
		record->more++;
	spin_unlock(&frames.lock);
}

bool frame_share_other(hpa_t page, uint16_t owner)
{
	struct frame *record;
	bool other;

	spin_lock(&frames.lock);
	record = page_at(frame_number(page));
	other = record->owner != owner;
	if (other)
		record->more++;
	spin_unlock(&frames.lock);
	return other;
}

/* Divide a part into frames, all at once, with one reference more to each. A block's records lie side by side. */
static uint64_t divide_and_share(struct frame *record)
{
	const uint64_t count = UINT64_C(1) << record->order;
	struct frame each = *record;

	each.order = 0;
	each.more++;
	_Pragma("GCC unroll 4") for (uint64_t i = 0; i < count; i++) record[i] = each;
	return count;
}

void frame_share_pages(hpa_t frame, uint64_t count)
{
	uint64_t at = frame_number(frame), end = at + count;

	spin_lock(&frames.lock);
	while (at < end) {
		struct frame *record = part_up_to(at, end);
		uint64_t side_by_side = min_u64(end, zone_of(at)->end);

		if (record->order > 0) {
			at += divide_and_share(record);
			continue;
		}
		do {
			record++->more++;
		} while (++at < side_by_side && is_block(record, FRAME_ALLOCATED, 0));
	}
	spin_unlock(&frames.lock);
}

void frame_unshare_pages(hpa_t frame, uint64_t count)
{
	struct frame *record;

	spin_lock(&frames.lock);
	FOR_EACH_PART (record, at, frame, count)
		if (record->more-- == 0)
			panic("frame: %#lx had one reference only", at << PAGE_SHIFT);
	spin_unlock(&frames.lock);
}

bool frame_is_shared(hpa_t frame, unsigned order)
{
	struct frame *record;
	bool shared = false;

	spin_lock(&frames.lock);
	FOR_EACH_PART (record, at, frame, UINT64_C(1) << order)
		shared |= record->more > 0;
	spin_unlock(&frames.lock);
	return shared;
}

/* With the lock held: a frame for a copy, where the page is shared. */
static inline enum err take_copy(const struct frame *record, uint16_t owner, struct frame_copy *copy)
{
	const bool shared = record->more > 0;
	const uint64_t number = shared ? frame_take_page(FRAME_GUEST, owner) : 0;

	*copy = (struct frame_copy){ .frame = HPA(number << PAGE_SHIFT), .of_file = record->owner == FRAME_OWNER_FILE };
	return shared && number == 0 ? ERR_NO_MEMORY : ERR_OK;
}

enum err frame_alloc_copy(hpa_t page, uint16_t owner, struct frame_copy *copy)
{
	enum err err;

	spin_lock(&frames.lock);
	err = take_copy(page_at(frame_number(page)), owner, copy);
	spin_unlock(&frames.lock);
	return err;
}

enum err frame_alloc_copy_or_keep(hpa_t page, uint16_t owner, struct frame_copy *copy, uint64_t *gained)
{
	struct frame *record;
	enum err err;

	spin_lock(&frames.lock);
	record = page_at(frame_number(page));
	err = take_copy(record, owner, copy);
	if (__builtin_expect(copy->of_file, false)) {
		copy->dropped = copy->frame.raw != 0;
		record->more -= copy->dropped;
	} else if (__builtin_expect(record->more == 0, false)) {
		*gained = record->owner == owner ? 0 : PAGE_SIZE;
		record->owner = owner;
	}
	spin_unlock(&frames.lock);
	return err;
}

/* `owner` gives up what it owns of the part; returns that in frames. */
static inline uint64_t disown(struct frame *record, uint16_t owner)
{
	if (record->owner != owner)
		return 0;
	record->owner = 0;
	return UINT64_C(1) << record->order;
}

uint64_t frame_disown(hpa_t frame, uint64_t count, uint16_t owner)
{
	struct frame *record;
	uint64_t owned = 0;

	spin_lock(&frames.lock);
	FOR_EACH_PART (record, at, frame, count)
		owned += disown(record, owner);
	spin_unlock(&frames.lock);
	return owned << PAGE_SHIFT;
}

/* The part from `at` on, without a reference now. */
static inline void chain_part(struct frame_chain *chain, struct frame *record, uint64_t at)
{
	record->state = FRAME_CHAINED;
	record->next = (uint32_t)chain->first;
	chain->first = at;
}

uint64_t frame_chain_add(struct frame_chain *chain, hpa_t frame, uint64_t count, uint16_t owner)
{
	struct frame *record;
	uint64_t owned = 0, parts = 0;

	spin_lock(&frames.lock);
	FOR_EACH_PART (record, at, frame, count) {
		bool orphan = record->owner == 0;
		uint64_t gone = disown(record, owner);

		parts++;
		owned += gone;
		if (record->more > 0) {
			record->more--;
			chain->orphans += (int64_t)(gone << PAGE_SHIFT);
		} else {
			chain->orphans -= orphan ? (int64_t)(PAGE_SIZE << record->order) : 0;
			chain_part(chain, record, at);
		}
	}
	chain->parts += parts;
	spin_unlock(&frames.lock);
	return owned << PAGE_SHIFT;
}

uint64_t frame_drop_page(hpa_t frame, uint16_t owner, int64_t *orphans)
{
	uint64_t number = frame_number(frame), owned;
	struct frame *record;

	spin_lock(&frames.lock);
	record = page_at(number);
	*orphans = 0;
	if (record->more > 0) {
		record->more--;
		owned = disown(record, owner) << PAGE_SHIFT;
		*orphans = (int64_t)owned;
	} else {
		*orphans = record->owner == 0 ? -(int64_t)PAGE_SIZE : 0;
		owned = disown(record, owner) << PAGE_SHIFT;
		record->state = FRAME_NONE;
		frame_release(number, number + 1);
	}
	spin_unlock(&frames.lock);
	return owned;
}

uint64_t frame_chain_add_unshared(struct frame_chain *chain, hpa_t frame, uint64_t count, uint16_t owner, uint64_t *owned)
{
	uint64_t done = 0, taken = 0, parts = 0;
	struct frame *record;

	spin_lock(&frames.lock);
	FOR_EACH_PART (record, at, frame, count) {
		if (record->more > 0)
			break;
		parts++;
		done += UINT64_C(1) << record->order;
		chain->orphans -= record->owner == 0 ? (int64_t)(PAGE_SIZE << record->order) : 0;
		taken += disown(record, owner);
		chain_part(chain, record, at);
	}
	chain->parts += parts;
	spin_unlock(&frames.lock);
	*owned = taken << PAGE_SHIFT;
	return done;
}

uint64_t frame_chain_add_owned(struct frame_chain *chain, hpa_t frame, uint64_t count, uint16_t owner)
{
	uint64_t first = frame_number(frame), at = first, end = first + count, parts = 0;

	spin_lock(&frames.lock);
	while (at < end) {
		struct frame *record = record_of(at);
		uint64_t next;

		if (!record || record->state != FRAME_ALLOCATED || record->owner != owner || record->more > 0)
			break;
		next = at + (UINT64_C(1) << record->order);
		if (next > end)
			break;
		record->owner = 0;
		chain_part(chain, record, at);
		parts++;
		at = next;
	}
	chain->parts += parts;
	spin_unlock(&frames.lock);
	return at - first;
}

unsigned frame_chain_add_owned_blocks(struct frame_chain *chain, const hpa_t *blocks, unsigned count, unsigned order,
				      uint16_t owner)
{
	const struct frame owned = { .owner = owner, .order = (uint8_t)order, .state = FRAME_ALLOCATED };
	const struct zone *zone = frames.zones;
	uint64_t first = chain->first;
	unsigned done = 0;

	spin_lock(&frames.lock);
	for (; done < count; done++) {
		uint64_t number = frame_number(blocks[done]);
		struct frame *record;

		if (!in_zone(zone, number) && !(zone = zone_of(number)))
			break;
		record = &zone->records[number - zone->first];
		if (record->all != owned.all)
			break;
		*record = (struct frame){ .next = (uint32_t)first, .order = (uint8_t)order, .state = FRAME_CHAINED };
		first = number;
	}
	chain->first = first;
	chain->parts += done;
	spin_unlock(&frames.lock);
	return done;
}

void frame_chain_free(struct frame_chain *chain)
{
	uint64_t first = 0, end = 0, number = chain->first; /* `first` to `end`: contiguous free frames */
	const struct zone *zone = frames.zones;

	if (number == 0)
		return;
	spin_lock(&frames.lock);
	for (uint64_t next; number != 0; number = next) {
		struct frame *record;
		uint64_t behind;

		zone = in_zone(zone, number) ? zone : zone_of(number);
		record = &zone->records[number - zone->first];
		behind = number + (UINT64_C(1) << record->order);
		next = record->next;
		record->state = FRAME_NONE;
		if (behind != first) { /* most chains are in descending order */
			frame_release(first, end);
			end = behind;
		}
		first = number;
	}
	chain->first = 0;
	frame_release(first, end);
	spin_unlock(&frames.lock);
}

enum err frame_alloc_count(enum frame_need need, uint64_t count, hpa_t *out)
{
	unsigned order = count > 1 ? 64u - (unsigned)__builtin_clzll(count - 1) : 0;
	enum err err = frame_alloc_need(need, order, 0, out);

	if (err == ERR_OK)
		frame_free_count(HPA(out->raw + count * PAGE_SIZE), (UINT64_C(1) << order) - count);
	return err;
}

void frame_free_count(hpa_t first, uint64_t count)
{
	struct frame_chain chain = { 0 };

	(void)frame_chain_add(&chain, first, count, 0);
	frame_chain_free(&chain);
}

bool frame_run_drop(struct frame_run *run, uint16_t owner)
{
	uint64_t left = run->end - run->next;
	struct frame_chain chain = { 0 };

	if (run->end == 0)
		return false;
	spin_lock(&frames.lock);
	*run->link = run->others;
	if (run->others)
		run->others->link = run->link;
	spin_unlock(&frames.lock);
	(void)frame_chain_add(&chain, HPA(run->next), left >> PAGE_SHIFT, owner);
	frame_chain_free(&chain);
	*run = (struct frame_run){ .count = run->count };
	return left > 0;
}

/* A run that has been used up stays in the list, so that a new one takes the allocator's lock once. */
enum err frame_run_renew(struct frame_run *run, uint16_t owner, unsigned least, uint64_t most)
{
	unsigned order = (unsigned)min_u64(max_u64(run->count + 1, FRAME_RUN_FIRST_ORDER), FRAME_RUN_ORDER);
	uint64_t number;

	if (run->next != run->end)
		frame_run_drop(run, owner);
	while (1u << order < least)
		order++;
	while (1u << order > most)
		order--;
	spin_lock(&frames.lock);
	/* An ordinary block: it is divided when its frames are freed separately. */
	while ((number = frame_take(FRAME_GUEST, order, owner)) == 0 && 1u << order > least)
		order--;
	if (number != 0) {
		run->next = run->ready = run->counted = number << PAGE_SHIFT;
		run->end = run->next + (PAGE_SIZE << order);
		run->count++;
	}
	if (number != 0 && !run->link) {
		run->others = frames.runs;
		run->link = &frames.runs;
		if (run->others)
			run->others->link = &run->others;
		frames.runs = run;
	}
	spin_unlock(&frames.lock);
	return number != 0 ? ERR_OK : ERR_NO_MEMORY;
}

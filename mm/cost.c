/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a space costs the host.
 *
 * Resident memory is counted where leaves are mapped and unmapped. Everything else is `overhead`, which changes rarely. The fault
 * fast path does not check the limit: it is checked when a run of frames is allocated, and all of the run counts from then on.
 *
 * limit->used is the sum of what each space has charged, and of the memory that is nobody's: what its owner has given up while
 * forks still map it. Each space charges, with itself locked, what it has taken: resident memory, overhead, and the rest of its
 * runs, so that a fault that takes a frame from a run changes nothing here. Before a space takes more, it charges that by one
 * compare-and-swap, so that spaces that do so at the same time do not exceed the limit together. When it gives memory back, it
 * charges anew.
 */
#include "mm/space.h"

uint64_t views_resident(const struct addr_space *as)
{
	uint64_t bytes = 0;

	for (const struct addr_space_view *view = &as->view; view; view = view->next)
		bytes += view->stats.resident + (view->run.next - view->run.counted);
	return bytes;
}

uint64_t views_overhead(const struct addr_space *as)
{
	uint64_t bytes = 0;

	for (const struct addr_space_view *view = &as->view; view; view = view->next)
		bytes += view->overhead;
	return bytes;
}

void view_settle_taken(struct addr_space_view *view)
{
	struct frame_run *run = &view->run;
	uint64_t size = run->next - run->counted, pages = size >> PAGE_SHIFT;
	uint64_t frame = run->next - min_u64(size, ADDR_SPACE_RECENT * PAGE_SIZE);

	run->counted = run->next;
	view->stats.resident += size;
	view->cache.leaves += pages;
	view->given += pages;
	for (uint64_t i = view->given - (run->next - frame) / PAGE_SIZE; frame < run->next; frame += PAGE_SIZE)
		view->recent[i++ % ADDR_SPACE_RECENT] = frame | ADDR_SPACE_RECENT_FRAME;
}

/* --- Under a limit ---------------------------------------------------------------------------------------------------- */

static uint64_t taken_by(const struct addr_space *as)
{
	uint64_t taken = space_resident(as) + space_overhead(as) + as->cost.in_hand;

	for (const struct addr_space_view *view = &as->view; view; view = view->next)
		taken += view->run.end - view->run.next;
	return taken;
}

/* Charge so much in all. False: that is more than before, and more than the limit permits; nothing was changed. */
static bool charge(struct addr_space *as, uint64_t bytes, uint64_t max)
{
	struct addr_space_limit *limit = as->cost.limit;
	uint64_t used = __atomic_load_n(&limit->used, __ATOMIC_RELAXED), wanted;

	do {
		wanted = used - as->cost.charged + bytes;
		if (bytes > as->cost.charged && wanted > max)
			return false;
	} while (!__atomic_compare_exchange_n(&limit->used, &used, wanted, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	as->cost.charged = bytes;
	return true;
}

void limit_settle_now(struct addr_space *as)
{
	(void)charge(as, taken_by(as), UINT64_MAX);
}

bool limit_reserve(struct addr_space *as, uint64_t bytes)
{
	return charge(as, taken_by(as) + bytes, as->cost.limit->max);
}

void limit_charge_nothing(struct addr_space *as)
{
	(void)charge(as, 0, UINT64_MAX);
}

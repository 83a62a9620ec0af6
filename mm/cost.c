/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a space costs the host.
 *
 * Resident memory is counted where leaves are mapped and unmapped. Everything else is `overhead`, which changes rarely. The fault
 * fast path does not check the limit: it is checked when a run of frames is allocated, and all of the run counts from then on.
 */
#include "mm/space.h"

uint64_t cost_room(const struct addr_space *as)
{
	uint64_t taken = space_resident(as) + space_overhead(as) + as->cost.in_hand;

	for (const struct addr_space_view *view = &as->view; view; view = view->next)
		taken += view->run.end - view->run.next;

	return as->cost.max > taken ? as->cost.max - taken : 0;
}

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

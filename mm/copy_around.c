/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copy-around: under `auto`, a write to a page of a file that goes on with a sequence of writes also copies pages after it. A
 * kernel that relocates itself, or writes over what it has unpacked, changes one page after the other.
 */
#include "mm/fault.h"
#include "npt/batch.h"

/* The largest window. It ends where aligned memory of its size does. */
#define COPY_AROUND_PAGES NPT_REPLACE_MAX
/* A window needs so many times as many pages before it that are the space's own: what is copied in vain is a quarter at most. */
#define COPY_AROUND_RUN   4

/* How many of the `most` entries before `slot` map pages of the space's own? */
static unsigned own_before(const struct npt *npt, const uint64_t *slot, uint64_t own, unsigned most)
{
	unsigned count = 0;

	while (count < most && npt_is_like(npt, __atomic_load_n(slot - count - 1, __ATOMIC_RELAXED), own))
		count++;
	return count;
}

/* How many of the `most` entries from `slot` on map shared pages that lie side by side? `*first` is the first of these. */
static unsigned shared_from(const struct addr_space *as, const uint64_t *slot, unsigned most, hpa_t *first)
{
	const struct npt_page_format *page = &as->npt.page;
	const uint64_t address = __atomic_load_n(slot, __ATOMIC_RELAXED) & page->address;
	const struct npt_batch batch = {
		.entry = as->shared_leaf[0] | address,
		.mask = page->fixed | page->address,
		.step = PAGE_SIZE >> page->shift,
	};

	*first = HPA(address << page->shift);
	return npt_batch_length(slot, batch, most);
}

static unsigned power_of_two_in(unsigned count)
{
	return 1u << (31 - (unsigned)__builtin_clz(count));
}

/* The pages that a write to the page at `slot` copies, from `*file` on; 1: that page only. They are of a file. */
static unsigned window_of(const struct addr_space *as, const struct area *area, uint64_t gpa, const uint64_t *slot, hpa_t *file)
{
	const unsigned page = (unsigned)(gpa / PAGE_SIZE % BLOCK_PAGES);
	unsigned most = COPY_AROUND_PAGES - page % COPY_AROUND_PAGES;

	most = (unsigned)min_u64(min_u64(most, page / COPY_AROUND_RUN), (area->end - gpa) / PAGE_SIZE);
	if (most > 1)
		most = shared_from(as, slot, most, file);
	if (most > 1)
		most = own_before(&as->npt, slot, area->page, most * COPY_AROUND_RUN) / COPY_AROUND_RUN;
	if (most < 2 || is_logged(as, gpa))
		return 1;
	most = power_of_two_in(most);
	return frame_is_of_file(*file, most) ? most : 1;
}

bool copy_around(struct addr_space *as, const struct area *area, uint64_t gpa, uint64_t *slot)
{
	hpa_t file = HPA(0), copy;
	unsigned pages;
	uint64_t size;

	gpa = align_down(gpa, PAGE_SIZE);
	pages = window_of(as, area, gpa, slot, &file);
	size = pages * PAGE_SIZE;
	if (pages == 1 || !cost_reserve(as, size) || frame_alloc_for((unsigned)__builtin_ctz(pages), as->id, &copy) != ERR_OK)
		return false;
	for (uint64_t at = 0; at < size; at += PAGE_SIZE) /* as in fault_copy.c, a file's pages need no sync_memory */
		arch_copy_page(frame_ptr(HPA(copy.raw + at)), frame_ptr(HPA(file.raw + at)));
	publish_memory(as, copy, size);
	npt_replace_pages(&as->npt, GPA(gpa), slot, pages, copy, area->attr);
	count_resident(as, size);
	frame_unshare_pages(file, pages);
	as->view.stats.shared -= size;
	as->view.stats.handled_copy++;
	return true;
}

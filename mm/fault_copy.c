/* SPDX-License-Identifier: BSD-2-Clause */
/* Copy-on-write breaks of pages. */
#include "mm/fault.h"

/* A page that is being copied. */
struct copied_page {
	hpa_t old;
	struct frame_copy copy;
};

/* No guest has ever written to a file's page: what is in memory is what our caches have. */
static inline void copy_page(struct addr_space *as, const struct copied_page *page)
{
	if (!page->copy.of_file)
		sync_memory(as, page->old, PAGE_SIZE);
	arch_copy_page(frame_ptr(page->copy.frame), frame_ptr(page->old));
	publish_memory(as, page->copy.frame, PAGE_SIZE);
}

/* No CPU reads the old page through this space any more. Of a file's page the hypervisor keeps a reference. */
static inline void drop_old(struct addr_space *as, const struct copied_page *page)
{
	if (!page->copy.of_file) {
		drop_page(as, page->old);
		return;
	}
	frame_unshare_pages(page->old, 1);
	as->view.stats.shared -= PAGE_SIZE;
}

void fault_copy_to(struct addr_space *as, gpa_t gpa, uint64_t *slot, uint64_t entry, hpa_t old, struct frame_copy copy)
{
	const struct copied_page page = { old, copy };

	copy_page(as, &page);
	npt_replace_page(&as->npt, gpa, slot, copy.frame, entry);
	count_resident(as, PAGE_SIZE);
	drop_old(as, &page);
	as->view.stats.handled_copy++;
}

/* --- By the lock of the only view ---------------------------------------------------------------------------------- */

/* A frame for a copy of the page that the entry maps. False: that is not shared, or not any more, or no frame is free. */
static inline bool prepare(struct addr_space_view *view, uint64_t pte, struct copied_page *page)
{
	const struct npt_page_format *format = &view->as->npt.page;

	if ((pte & format->fixed) != view->as->shared_leaf[0])
		return false;
	page->old = HPA((pte & format->address) << format->shift);
	if (frame_is_zero_page(page->old))
		return false;
	return frame_alloc_copy(page->old, view->as->id, &page->copy) == ERR_OK && page->copy.frame.raw != 0;
}

bool fault_copy_page(struct addr_space_view *view, gpa_t gpa, uint64_t *slot, uint64_t entry)
{
	struct addr_space *as = view->as;
	struct copied_page page;

	if (as->view.next || as->cost.limit || !prepare(view, __atomic_load_n(slot, __ATOMIC_RELAXED), &page))
		return false;
	fault_copy_to(as, gpa, slot, entry, page.old, page.copy);
	return true;
}

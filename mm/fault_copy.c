/* SPDX-License-Identifier: BSD-2-Clause */
/* Copy-on-write breaks of pages. */
#include "mm/fault.h"

/* No guest has ever written to a file's page: what is in memory is what our caches have. */
static inline void copy_page(struct addr_space *as, hpa_t old, const struct frame_copy *copy)
{
	if (!copy->of_file)
		sync_memory(as, old, PAGE_SIZE);
	arch_copy_page(frame_ptr(copy->frame), frame_ptr(old));
	publish_memory(as, copy->frame, PAGE_SIZE);
}

/* No CPU reads the old page through this space any more. Of a file's page the hypervisor keeps a reference. */
static inline void drop_old(struct addr_space *as, hpa_t old, const struct frame_copy *copy)
{
	if (!copy->of_file) {
		drop_page(as, old);
		return;
	}
	if (!copy->dropped)
		frame_unshare_pages(old, 1);
	as->view.stats.shared -= PAGE_SIZE;
}

void fault_copy_to(struct addr_space *as, gpa_t gpa, uint64_t *slot, uint64_t entry, hpa_t old, const struct frame_copy *copy)
{
	copy_page(as, old, copy);
	npt_replace_page(&as->npt, gpa, slot, copy->frame, entry);
	count_resident(as, PAGE_SIZE);
	drop_old(as, old, copy);
	as->view.stats.handled_copy++;
}

/* --- By the lock of the only view ---------------------------------------------------------------------------------- */

/* The page that the entry maps, if the entry is known for that of a shared page, and it is not the zero page. */
static inline bool is_shared_page(const struct addr_space *as, uint64_t pte, hpa_t *page)
{
	const struct npt_page_format *format = &as->npt.page;

	if ((pte & format->fixed) != as->shared_leaf[0])
		return false;
	*page = HPA((pte & format->address) << format->shift);
	return !frame_is_zero_page(*page);
}

/* The page has no other user any more, and is the space's now: `gained` bytes of it were not before. */
static inline void keep_page(struct addr_space *as, uint64_t *slot, uint64_t entry, hpa_t page, uint64_t gained)
{
	as->view.stats.shared -= gained;
	count_resident(as, gained);
	npt_keep_page(&as->npt, slot, page, entry);
	as->view.stats.handled_reuse++;
}

bool fault_copy_page(struct addr_space_view *view, gpa_t gpa, uint64_t *slot, uint64_t entry)
{
	struct addr_space *as = view->as;
	struct frame_copy copy;
	uint64_t gained;
	hpa_t page;

	if (as->view.next || as->cost.limit || !is_shared_page(as, __atomic_load_n(slot, __ATOMIC_RELAXED), &page) ||
	    frame_alloc_copy_or_keep(page, as->id, &copy, &gained) != ERR_OK)
		return false;
	if (copy.frame.raw != 0)
		fault_copy_to(as, gpa, slot, entry, page, &copy);
	else if (!copy.of_file)
		keep_page(as, slot, entry, page, gained);
	return copy.frame.raw != 0 || !copy.of_file;
}

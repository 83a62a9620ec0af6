/* SPDX-License-Identifier: BSD-2-Clause */
/* New areas: Linear and Alloc. */
#include "mm/space.h"

void set_fast_path(const struct addr_space *as, struct area *area)
{
	/* Indexed by permissions: the write accesses that these permit, one bit for each access (enum npt_prot). */
	static const uint8_t writes[] = {
		[NPT_W] = BIT(NPT_W),
		[NPT_RW] = BIT(NPT_W) | BIT(NPT_RW),
		[NPT_W | NPT_X] = BIT(NPT_W) | BIT(NPT_W | NPT_X),
		[NPT_RWX] = BIT(NPT_W) | BIT(NPT_RW) | BIT(NPT_W | NPT_X) | BIT(NPT_RWX),
	};
	/* The same for accesses that do not write. */
	static const uint8_t reads[] = {
		[NPT_R] = BIT(NPT_R),
		[NPT_X] = BIT(NPT_X),
		[NPT_RX] = BIT(NPT_R) | BIT(NPT_X) | BIT(NPT_RX),
	};
	uint8_t writing = area->backend == AREA_ALLOC ? writes[area->attr.prot] : 0;

	area->page = npt_page_entry(&as->npt, area->attr);
	area->fast_page = area->policy == ALLOC_LAZY_4K ? writing : 0;
	area->fast_zero = area->backend == AREA_ALLOC && area->policy == ALLOC_LAZY_4K ? reads[area->attr.prot & NPT_RX] : 0;
}

enum err reserve_areas_again(struct addr_space *as, size_t count)
{
	return held_drop(as) ? area_reserve(&as->areas, count) : ERR_NO_MEMORY;
}

/* Check that an area with these attributes may be inserted here, and reserve its structure. `*before`: see area_insert. */
static enum err prepare_area(struct addr_space *as, gpa_t gpa, uint64_t size, struct npt_attr attr, struct area **before)
{
	enum err err = check_range(as, gpa, size);

	if (err == ERR_OK)
		err = npt_check(&as->npt, attr);
	if (err != ERR_OK)
		return err;
	*before = area_before(&as->areas, gpa.raw);
	if ((*before)->end > gpa.raw || (*before)->next->start < gpa.raw + size)
		return ERR_EXISTS;
	return reserve_areas(as, 1);
}

/* Fill in the members of a new structure that all areas have. */
static inline void fill_area(struct area *area, gpa_t gpa, uint64_t size, struct npt_attr attr, uint64_t page)
{
	area->start = gpa.raw;
	area->end = gpa.raw + size;
	area->attr = attr;
	area->backend = AREA_LINEAR;
	area->policy = area->fast_page = area->fast_zero = 0;
	area->page = page;
}

/* The slow path. Called with the lock held, which it releases. */
static __attribute__((noinline)) enum err map_linear(struct addr_space *as, gpa_t gpa, hpa_t hpa, uint64_t size,
						     struct npt_attr attr)
{
	struct area *before;
	enum err err = prepare_area(as, gpa, size, attr, &before);

	if (err == ERR_OK)
		err = npt_map(&as->npt, gpa, hpa, size, attr);
	if (err == ERR_OK) {
		struct area *area = area_new(&as->areas);

		fill_area(area, gpa, size, attr, npt_page_entry(&as->npt, attr));
		area_insert(&as->areas, before, area);
	}
	space_unlock(as);
	return err;
}

/* The fast path: one page where nothing is mapped, in a table that is in the walk cache. False: nothing was changed; take the slow
 * path. */
static inline bool map_page(struct addr_space *as, gpa_t gpa, hpa_t hpa, struct npt_attr attr)
{
	uint64_t *slot, page;
	struct area *before, *area;

	if (!is_aligned(gpa.raw | hpa.raw, PAGE_SIZE) || gpa.raw >= as->npt.end || hpa.raw >= as->npt.host_end)
		return false;
	slot = npt_walk_cache_lookup(&as->view.cache, gpa);
	if (!slot || __atomic_load_n(slot, __ATOMIC_RELAXED) != 0)
		return false;
	page = npt_page_entry(&as->npt, attr);
	if (page == 0 || !as->areas.free_list)
		return false;
	before = *area_hint(&as->areas, gpa.raw);
	if (!area_is_before(before, gpa.raw) || before->end > gpa.raw)
		return false;
	npt_fill_pages(&as->view.cache, gpa, slot, 1, hpa, page);
	area = area_new(&as->areas);
	fill_area(area, gpa, PAGE_SIZE, attr, page);
	area_insert(&as->areas, before, area);
	return true;
}

enum err addr_space_map_linear(struct addr_space *as, gpa_t gpa, hpa_t hpa, uint64_t size, struct npt_attr attr)
{
	if (attr.shared)
		return ERR_INVALID;
	space_lock(as);
	if (size != PAGE_SIZE || !map_page(as, gpa, hpa, attr))
		return map_linear(as, gpa, hpa, size, attr);
	space_unlock(as);
	return ERR_OK;
}

static enum err map_shared(struct addr_space *as, gpa_t gpa, hpa_t hpa, uint64_t size)
{
	const struct area *area = area_find(&as->areas, gpa.raw);
	struct npt_attr attr;
	enum err err;

	if (!area || area->backend != AREA_ALLOC || area->end - gpa.raw < size)
		return ERR_NOT_FOUND;
	attr = area->attr;
	attr.prot &= (uint8_t)~NPT_W;
	attr.shared = true;
	publish_memory(as, hpa, size);
	err = npt_map(&as->npt, gpa, hpa, size, attr);
	if (err != ERR_OK)
		return err;
	frame_share_count(hpa, size >> PAGE_SHIFT);
	as->view.stats.shared += size;
	return ERR_OK;
}

enum err addr_space_map_shared(struct addr_space *as, gpa_t gpa, hpa_t hpa, uint64_t size)
{
	enum err err;

	space_lock(as);
	err = check_range(as, gpa, size);
	if (err == ERR_OK)
		err = map_shared(as, gpa, hpa, size);
	space_unlock(as);
	return err;
}

/* Populate a new area, or undo all of it. */
static enum err populate_new(struct addr_space *as, gpa_t gpa, uint64_t size, struct npt_attr attr)
{
	const struct area area = {
		.start = gpa.raw,
		.end = gpa.raw + size,
		.attr = attr,
		.backend = AREA_ALLOC,
		.policy = ALLOC_POPULATE,
	};
	struct removal undo;
	uint64_t peak;
	enum err err;

	cost_settle(as);
	peak = as->resident_peak;
	err = populate(as, &area, area.start, area.end);
	if (err != ERR_OK) {
		removal_init(&undo, as);
		remove_leaves(&undo, area.start, area.end, true);
		removal_finish(&undo);
		cost_settle(as);
		as->resident_peak = peak; /* the guest never had this memory */
	}
	return err;
}

enum err addr_space_map_alloc(struct addr_space *as, gpa_t gpa, uint64_t size, unsigned prot, enum alloc_policy policy)
{
	const struct npt_attr attr = { .prot = (uint8_t)prot, .memtype = NPT_WB };
	struct area *before;
	enum err err;

	if (prot > NPT_RWX || policy >= ALLOC_POLICIES)
		return ERR_INVALID;
	space_lock(as);
	err = prepare_area(as, gpa, size, attr, &before);
	if (err == ERR_OK && policy == ALLOC_POPULATE)
		err = populate_new(as, gpa, size, attr);
	if (err == ERR_OK) {
		struct area *area = area_new(&as->areas);

		fill_area(area, gpa, size, attr, 0);
		area->backend = AREA_ALLOC;
		area->policy = (uint8_t)policy;
		set_fast_path(as, area);
		area_insert(&as->areas, before, area);
	}
	space_unlock(as);
	return err;
}

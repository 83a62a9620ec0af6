/* SPDX-License-Identifier: BSD-2-Clause */
/* A guest's address space: the areas, and what is done to ranges of them. */
#include "mm/addr_space.h"

#include "include/arch/machine.h"
#include "include/panic.h"
#include "mm/space.h"
#include "mm/table_frames.h"

/* What is on the short ways: a call for each of them would take as long as it does. */
#define SHORT static inline __attribute__((always_inline))

/* --- Tables and flushes ------------------------------------------------------------------------------------------- */

static struct addr_space *space_of(struct npt_env *env)
{
	return CONTAINER_OF(env, struct addr_space, env);
}

static void env_flush(struct npt_env *env, gpa_t gpa, uint64_t size)
{
	struct addr_space *as = space_of(env);

	as->stats.flushes++;
	if (as->flush)
		as->stats.flush_instructions += as->flush(as, gpa, size);
}

/* A frame or more that are no guest's. */
static enum err take_frames(struct addr_space *as, unsigned order, hpa_t *frames)
{
	enum err err;

	if (!cost_charge(as, PAGE_SIZE << order))
		return ERR_NO_MEMORY;
	err = frame_alloc_need(as->need, order, 0, frames);
	if (err != ERR_OK && held_drop(as))
		err = frame_alloc_need(as->need, order, 0, frames);
	if (err != ERR_OK)
		cost_uncharge(as, PAGE_SIZE << order);
	return err;
}

static void give_frames(struct addr_space *as, hpa_t frames, unsigned order)
{
	frame_free(frames, order);
	cost_uncharge(as, PAGE_SIZE << order);
}

/* Taking memory back may itself need a table, when there is no frame for one: that is what the reserve is for. */
static enum err env_alloc_table(struct npt_env *env, unsigned order, hpa_t *table)
{
	struct addr_space *as = space_of(env);
	enum err err = take_frames(as, order, table);

	if (err != ERR_OK && order == 0 && as->reclaiming && as->reserve.raw != 0) {
		*table = as->reserve;
		as->reserve = HPA(0);
		err = ERR_OK;
	}
	if (err == ERR_OK)
		arch_zero_pages(frame_ptr(*table), PAGE_SIZE << order);
	return err;
}

static void env_free_table(struct npt_env *env, hpa_t table, unsigned order)
{
	give_frames(space_of(env), table, order);
}

void fill_reserve(struct addr_space *as)
{
	if (as->reserve.raw == 0 && take_frames(as, 0, &as->reserve) != ERR_OK)
		as->reserve = HPA(0);
}

/* Of the limit records leave something to faults, as they leave the host's reserve. */
#define LIMIT_LEFT(max) min_u64((max) / 64, MIB(1))

static bool charge_areas(struct area_set *areas, uint64_t bytes)
{
	struct addr_space *as = CONTAINER_OF(areas, struct addr_space, areas);

	return cost_fits(as, bytes + LIMIT_LEFT(as->cost.max)) && cost_charge(as, bytes);
}

static void uncharge_areas(struct area_set *areas, uint64_t bytes)
{
	cost_uncharge(CONTAINER_OF(areas, struct addr_space, areas), bytes);
}

static const struct area_account area_account = { charge_areas, uncharge_areas };

/* --- New and gone ------------------------------------------------------------------------------------------------- */

/* 0 is the owner of what nobody owns. */
static uint16_t next_id(void)
{
	static uint32_t last; /* a whole word: see include/lock.h */

	return (uint16_t)(__atomic_fetch_add(&last, 1, __ATOMIC_RELAXED) % UINT16_MAX + 1);
}

enum err addr_space_new(struct addr_space *as, const struct npt_ops *ops, const struct npt_config *config,
			addr_space_flush flush)
{
	enum err err;

	*as = (struct addr_space){
		.env = table_frames_env(env_flush), .flush = flush, .id = next_id(), .cost.max = COST_NO_LIMIT, .need = FRAME_CALL,
	};
	as->env.alloc_table = env_alloc_table;
	as->env.free_table = env_free_table;
	err = area_set_init(&as->areas, &area_account);
	if (err != ERR_OK)
		return err;
	err = take_frames(as, 0, &as->reserve);
	if (err != ERR_OK)
		goto free_areas;
	err = npt_new(&as->npt, ops, config, &as->env);
	if (err != ERR_OK)
		goto free_reserve;
	as->need = FRAME_GUEST;
	return ERR_OK;

free_reserve:
	give_frames(as, as->reserve, 0);
free_areas:
	area_set_free(&as->areas);
	return err;
}

void addr_space_free(struct addr_space *as)
{
	addr_space_clear(as);
	held_drop(as);
	npt_free(&as->npt);
	area_set_free(&as->areas);
	if (as->reserve.raw != 0)
		frame_free(as->reserve, 0);
}

/* --- Ranges ------------------------------------------------------------------------------------------------------- */

enum err check_range(const struct addr_space *as, gpa_t gpa, uint64_t size)
{
	if (size == 0 || !is_aligned(gpa.raw | size, PAGE_SIZE))
		return ERR_INVALID;
	return size <= as->npt.end && gpa.raw <= as->npt.end - size ? ERR_OK : ERR_RANGE;
}

/* The zero leaf of 2 MiB that a cut at `edge` would split; UINT64_MAX: there is none. */
static uint64_t zero_block_across(const struct addr_space *as, uint64_t edge)
{
	struct npt_leaf leaf;

	if (is_aligned(edge, BLOCK_SIZE) || npt_query(&as->npt, GPA(edge), &leaf) != ERR_OK ||
	    leaf.level != BLOCK_LEVEL || !frame_is_zero(leaf.hpa))
		return UINT64_MAX;
	return leaf.gpa.raw;
}

static void count_zero_split(struct addr_space *as)
{
	as->stats.zero_leaves[BLOCK_LEVEL]--;
	as->stats.zero_leaves[0] += BLOCK_PAGES;
}

/* Each table that a split took is one leaf split. */
static void count_splits(struct addr_space *as, uint64_t tables_before)
{
	as->stats.split += (as->npt.table_bytes - tables_before) / PAGE_SIZE;
}

enum err cut_leaves(struct addr_space *as, uint64_t start, uint64_t end)
{
	uint64_t low, high, tables = as->npt.table_bytes;
	enum err err;

	if (npt_known_range(&as->npt, GPA(start), end - start))
		return ERR_OK; /* pages, and nothing to split */
	low = zero_block_across(as, start);
	high = zero_block_across(as, end);
	err = npt_cut(&as->npt, GPA(start), end - start);
	if (err != ERR_OK)
		return err;
	count_splits(as, tables);
	if (low != UINT64_MAX)
		count_zero_split(as);
	if (high != UINT64_MAX && high != low)
		count_zero_split(as);
	return ERR_OK;
}

enum err split_to_pages(struct addr_space *as, uint64_t gpa)
{
	bool zero = zero_block_across(as, gpa | PAGE_SIZE) != UINT64_MAX;
	uint64_t tables = as->npt.table_bytes;
	enum err err = npt_split(&as->npt, GPA(gpa), 0);

	if (err != ERR_OK)
		return err;
	count_splits(as, tables);
	if (zero)
		count_zero_split(as);
	return ERR_OK;
}

/* --- Removal ------------------------------------------------------------------------------------------------------ */

void release_leaves(struct removal *removal, hpa_t hpa, unsigned level, uint64_t count)
{
	struct addr_space *as = removal->as;
	uint64_t left = count * npt_level_size(level), size, owned;

	for (; left > 0; left -= size, hpa.raw += size) {
		size = frame_zero_border(hpa, left);
		if (frame_is_zero(hpa)) {
			as->stats.zero_leaves[level] -= size / npt_level_size(level);
			continue;
		}
		owned = frame_chain_add(&removal->frames, hpa, size >> PAGE_SHIFT, as->id);
		count_gone(as, owned);
		as->stats.shared -= size - owned;
	}
}

static void leaves_gone(struct npt_gather *gather, hpa_t hpa, unsigned level, uint64_t count)
{
	release_leaves(CONTAINER_OF(gather, struct removal, gather), hpa, level, count);
}

void removal_init(struct removal *removal, struct addr_space *as)
{
	*removal = (struct removal){ .as = as };
	npt_gather_init(&removal->gather, &as->npt);
}

void remove_leaves(struct removal *removal, uint64_t start, uint64_t end, bool owned)
{
	removal->gather.leaves_gone = owned ? leaves_gone : NULL;
	if (npt_unmap(&removal->as->npt, GPA(start), end - start, &removal->gather) != ERR_OK)
		panic("addr_space: malformed entry in [%#lx, %#lx)", start, end);
}

void removal_finish(struct removal *removal)
{
	npt_gather_finish(&removal->gather);
	frame_chain_free(&removal->frames);
}

/* --- Areas come --------------------------------------------------------------------------------------------------- */

void ready_area(const struct addr_space *as, struct area *area)
{
	/* By permissions, the accesses that write and are within them, a bit each. */
	static const uint8_t writes[] = {
		[NPT_W] = BIT(NPT_W),
		[NPT_RW] = BIT(NPT_W) | BIT(NPT_RW),
		[NPT_W | NPT_X] = BIT(NPT_W) | BIT(NPT_W | NPT_X),
		[NPT_RWX] = BIT(NPT_W) | BIT(NPT_RW) | BIT(NPT_W | NPT_X) | BIT(NPT_RWX),
	};
	/* And those that do not write. */
	static const uint8_t reads[] = {
		[NPT_R] = BIT(NPT_R), [NPT_X] = BIT(NPT_X), [NPT_RX] = BIT(NPT_R) | BIT(NPT_X) | BIT(NPT_RX),
	};
	uint8_t writing = area->backend == AREA_ALLOC ? writes[area->attr.prot] : 0;

	area->page = npt_page_entry(&as->npt, area->attr);
	area->one_page = area->policy == ALLOC_LAZY_4K ? writing : 0;
	area->one_zero = area->backend == AREA_ALLOC && area->policy == ALLOC_LAZY_4K ? reads[area->attr.prot & NPT_RX] : 0;
	area->one_window = area->policy == ALLOC_LAZY_64K ? writing : 0;
}

static __attribute__((noinline)) enum err reserve_again(struct addr_space *as, size_t count)
{
	return held_drop(as) ? area_reserve(&as->areas, count) : ERR_NO_MEMORY;
}

/* As area_reserve; what is held for faults may have to go for it. */
SHORT enum err reserve_areas(struct addr_space *as, size_t count)
{
	return area_reserve(&as->areas, count) == ERR_OK ? ERR_OK : reserve_again(as, count);
}

/* The ends of [start, end) that are no borders between areas yet. */
static size_t missing_borders(struct addr_space *as, uint64_t start, uint64_t end)
{
	const struct area *first = area_find(&as->areas, start), *last = area_find(&as->areas, end - PAGE_SIZE);

	return (size_t)(first && first->start < start) + (size_t)(last && last->end > end);
}

/* What two splits at the ends of the range can need. Whoever has no memory left can still change what is one area, and so join it. */
SHORT enum err reserve_borders(struct addr_space *as, uint64_t start, uint64_t end)
{
	return reserve_areas(as, 2) == ERR_OK ? ERR_OK : area_reserve(&as->areas, missing_borders(as, start, end));
}

/* May an area of these attributes be put here, behind `*before`? Makes sure that it then can be. */
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

/* What is common to all areas, in a structure that is new. */
static inline void fill_area(struct area *area, gpa_t gpa, uint64_t size, struct npt_attr attr, uint64_t page)
{
	area->start = gpa.raw;
	area->end = gpa.raw + size;
	area->attr = attr;
	area->backend = AREA_LINEAR;
	area->policy = area->one_page = area->one_zero = area->one_window = 0;
	area->page = page;
}

/* All that takes longer than one page. Called with the lock held, which it lets go. */
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
	spin_unlock(&as->lock);
	return err;
}

/* One page where nothing is, by the short way: all that it needs is on hand. False: it is another case, and nothing was changed. */
static inline bool map_page(struct addr_space *as, gpa_t gpa, hpa_t hpa, struct npt_attr attr)
{
	uint64_t *slot, page;
	struct area *before, *area;

	if (!is_aligned(gpa.raw | hpa.raw, PAGE_SIZE) || gpa.raw >= as->npt.end || hpa.raw >= as->npt.host_end)
		return false;
	slot = npt_known_slot(&as->npt, gpa);
	if (!slot || *slot != 0)
		return false;
	page = npt_page_entry(&as->npt, attr);
	if (page == 0 || !as->areas.spare)
		return false;
	before = *area_hint(&as->areas, gpa.raw);
	if (!area_is_before(before, gpa.raw) || before->end > gpa.raw)
		return false;
	npt_fill_pages(&as->npt, gpa, slot, 1, hpa, page);
	area = area_new(&as->areas);
	fill_area(area, gpa, PAGE_SIZE, attr, page);
	area_insert(&as->areas, before, area);
	return true;
}

enum err addr_space_map_linear(struct addr_space *as, gpa_t gpa, hpa_t hpa, uint64_t size, struct npt_attr attr)
{
	if (attr.shared)
		return ERR_INVALID;
	spin_lock(&as->lock);
	if (size != PAGE_SIZE || !map_page(as, gpa, hpa, attr))
		return map_linear(as, gpa, hpa, size, attr);
	spin_unlock(&as->lock);
	return ERR_OK;
}

/* Populate what is to be an area, or leave nothing of it. */
static enum err populate_new(struct addr_space *as, gpa_t gpa, uint64_t size, struct npt_attr attr)
{
	const struct area area = {
		.start = gpa.raw, .end = gpa.raw + size, .attr = attr, .backend = AREA_ALLOC, .policy = ALLOC_POPULATE,
	};
	struct removal undo;
	uint64_t peak;
	enum err err;

	cost_settle(as);
	peak = as->stats.resident_peak;
	err = populate(as, &area, area.start, area.end);
	if (err != ERR_OK) {
		removal_init(&undo, as);
		remove_leaves(&undo, area.start, area.end, true);
		removal_finish(&undo);
		cost_settle(as);
		as->stats.resident_peak = peak; /* no guest saw it */
	}
	return err;
}

enum err addr_space_map_alloc(struct addr_space *as, gpa_t gpa, uint64_t size, unsigned prot,
			      enum alloc_policy policy)
{
	const struct npt_attr attr = { .prot = (uint8_t)prot, .memtype = NPT_WB };
	struct area *before;
	enum err err;

	if (prot > NPT_RWX || policy >= ALLOC_POLICIES)
		return ERR_INVALID;
	spin_lock(&as->lock);
	err = prepare_area(as, gpa, size, attr, &before);
	if (err == ERR_OK && policy == ALLOC_POPULATE)
		err = populate_new(as, gpa, size, attr);
	if (err == ERR_OK) {
		struct area *area = area_new(&as->areas);

		fill_area(area, gpa, size, attr, 0);
		area->backend = AREA_ALLOC;
		area->policy = (uint8_t)policy;
		ready_area(as, area);
		area_insert(&as->areas, before, area);
	}
	spin_unlock(&as->lock);
	return err;
}

/* --- Areas go ----------------------------------------------------------------------------------------------------- */

/*
 * The common case by the short way: what one page maps, in a table that is known and has others, too. False: it is another case,
 * and nothing was changed.
 */
SHORT bool remove_page(struct addr_space *as, uint64_t gpa, bool owned)
{
	uint64_t *slot = npt_known_slot(&as->npt, GPA(gpa));
	hpa_t hpa;

	if (!slot || (owned && as->reservation.memory.raw != 0) ||
	    !npt_remove_page(&as->npt, GPA(gpa), slot, &hpa))
		return false;
	env_flush(&as->env, GPA(gpa), PAGE_SIZE);
	if (owned) {
		struct removal removal;

		removal_init(&removal, as);
		release_leaves(&removal, hpa, 0, 1);
		removal_finish(&removal);
	}
	return true;
}

/* Remove what lies in [start, end): leaves cut at both ends, structures for two area splits reserved. */
static void remove_areas(struct addr_space *as, uint64_t start, uint64_t end)
{
	struct area *area = area_find_from(&as->areas, start), *next;
	struct removal removal;

	npt_known_untell(&as->npt, start, end);
	removal_init(&removal, as);
	for (; area && area->start < end; area = next) {
		if (area->start < start) {
			area_split(&as->areas, area, start);
			next = area_next(area);
			continue;
		}
		if (area->end > end)
			area_split(&as->areas, area, end);
		next = area_next(area);
		remove_leaves(&removal, area->start, area->end, area->backend == AREA_ALLOC);
		area_remove(&as->areas, area);
	}
	removal_finish(&removal);
	reservation_drop(as);
	area_trim(&as->areas);
}

/* All that takes longer than one page. Called with the lock held, which it lets go. */
static __attribute__((noinline)) enum err unmap_range(struct addr_space *as, gpa_t gpa, uint64_t size)
{
	enum err err = check_range(as, gpa, size);

	if (err == ERR_OK)
		err = reserve_borders(as, gpa.raw, gpa.raw + size);
	if (err == ERR_OK)
		err = cut_leaves(as, gpa.raw, gpa.raw + size);
	if (err == ERR_OK)
		remove_areas(as, gpa.raw, gpa.raw + size);
	spin_unlock(&as->lock);
	return err;
}

enum err addr_space_unmap(struct addr_space *as, gpa_t gpa, uint64_t size)
{
	struct area *area;

	spin_lock(&as->lock);
	area = *area_hint(&as->areas, gpa.raw);
	/* A Linear area of one page. */
	if (size != PAGE_SIZE || area->start != gpa.raw || area->end != gpa.raw + size || area->backend != AREA_LINEAR ||
	    !remove_page(as, gpa.raw, false))
		return unmap_range(as, gpa, size);
	area_remove(&as->areas, area);
	spin_unlock(&as->lock);
	return ERR_OK;
}

void addr_space_clear(struct addr_space *as)
{
	spin_lock(&as->lock);
	remove_areas(as, 0, space_size(as));
	spin_unlock(&as->lock);
}

/* --- Areas change ------------------------------------------------------------------------------------------------- */

/* Do areas cover [start, end) without a hole? With `alloc`, none of them may be Linear. */
static enum err check_cover(struct addr_space *as, uint64_t start, uint64_t end, bool alloc)
{
	struct area *area = area_find(&as->areas, start);

	for (; start < end; start = area->end, area = area_next(area)) {
		if (!area || area->start > start)
			return ERR_NOT_FOUND;
		if (alloc && area->backend != AREA_ALLOC)
			return ERR_INVALID;
	}
	return ERR_OK;
}

/* May all areas of [start, end), which cover it, have `prot`? */
static enum err check_protect(struct addr_space *as, uint64_t start, uint64_t end, unsigned prot)
{
	struct area *area = area_find(&as->areas, start);
	enum err err = ERR_OK;

	for (; err == ERR_OK && area && area->start < end; area = area_next(area))
		err = npt_check(&as->npt, (struct npt_attr){ .prot = (uint8_t)prot, .memtype = area->attr.memtype });
	return err;
}

/* Make both ends of the range, which areas cover, borders between areas; returns the first of them. Two are reserved. */
static struct area *border_areas(struct addr_space *as, uint64_t start, uint64_t end)
{
	struct area *first = area_find(&as->areas, start), *last;

	if (first->start < start) {
		area_split(&as->areas, first, start);
		first = area_next(first);
	}
	last = area_find(&as->areas, end - PAGE_SIZE);
	if (last->end > end)
		area_split(&as->areas, last, end);
	return first;
}

/* Join what has become alike in and around [start, end). */
static void join_areas(struct addr_space *as, uint64_t start, uint64_t end)
{
	struct area *area = area_find_from(&as->areas, start > 0 ? start - 1 : 0);

	while (area && area->start < end) {
		if (!area_join_next(&as->areas, area))
			area = area_next(area);
	}
	area_trim(&as->areas);
}

/* Prepare a change of the areas of a range: whether it may be, and that it cannot fail any more. */
static enum err prepare_change(struct addr_space *as, gpa_t gpa, uint64_t size, bool alloc)
{
	enum err err = check_range(as, gpa, size);

	if (err == ERR_OK)
		err = check_cover(as, gpa.raw, gpa.raw + size, alloc);
	if (err == ERR_OK)
		err = reserve_borders(as, gpa.raw, gpa.raw + size);
	return err;
}

static enum err protect_range(struct addr_space *as, uint64_t start, uint64_t end, unsigned prot)
{
	struct npt_gather gather;
	struct area *area;
	enum err err;

	npt_gather_init(&gather, &as->npt);
	err = npt_protect(&as->npt, GPA(start), end - start, prot, &gather);
	npt_gather_finish(&gather);
	if (err != ERR_OK)
		return err;
	npt_known_untell(&as->npt, start, end);
	for (area = border_areas(as, start, end); area && area->start < end; area = area_next(area)) {
		area->attr.prot = (uint8_t)prot;
		ready_area(as, area);
	}
	join_areas(as, start, end);
	merge_leaves(as, start, end);
	return ERR_OK;
}

enum err addr_space_protect(struct addr_space *as, gpa_t gpa, uint64_t size, unsigned prot)
{
	enum err err;

	if (prot > NPT_RWX)
		return ERR_INVALID;
	spin_lock(&as->lock);
	err = prepare_change(as, gpa, size, false);
	if (err == ERR_OK)
		err = check_protect(as, gpa.raw, gpa.raw + size, prot);
	if (err == ERR_OK)
		err = cut_leaves(as, gpa.raw, gpa.raw + size);
	if (err == ERR_OK)
		err = protect_range(as, gpa.raw, gpa.raw + size, prot);
	spin_unlock(&as->lock);
	return err;
}

static enum err change_policy(struct addr_space *as, uint64_t start, uint64_t end, enum alloc_policy policy)
{
	struct area *first = border_areas(as, start, end), *area;
	enum err err = ERR_OK;

	if (policy == ALLOC_POPULATE)
		for (area = first; err == ERR_OK && area && area->start < end; area = area_next(area))
			err = populate(as, area, area->start, area->end);
	npt_known_untell(&as->npt, start, end);
	if (err == ERR_OK)
		for (area = first; area && area->start < end; area = area_next(area)) {
			area->policy = (uint8_t)policy;
			ready_area(as, area);
		}
	join_areas(as, start, end);
	merge_leaves(as, start, end);
	return err;
}

enum err addr_space_set_policy(struct addr_space *as, gpa_t gpa, uint64_t size, enum alloc_policy policy)
{
	enum err err;

	if (policy >= ALLOC_POLICIES)
		return ERR_INVALID;
	spin_lock(&as->lock);
	err = prepare_change(as, gpa, size, true);
	/* No leaf ever lies across a border of areas. */
	if (err == ERR_OK)
		err = cut_leaves(as, gpa.raw, gpa.raw + size);
	if (err == ERR_OK)
		err = change_policy(as, gpa.raw, gpa.raw + size, policy);
	spin_unlock(&as->lock);
	return err;
}

static void discard_range(struct addr_space *as, uint64_t start, uint64_t end)
{
	uint64_t before = as->stats.resident + as->stats.shared;
	struct removal removal;

	if (end - start != PAGE_SIZE || !remove_page(as, start, true)) {
		removal_init(&removal, as);
		remove_leaves(&removal, start, end, true);
		removal_finish(&removal);
		reservation_drop(as);
	}
	as->stats.discarded += before - as->stats.resident - as->stats.shared;
}

enum err addr_space_discard(struct addr_space *as, gpa_t gpa, uint64_t size)
{
	enum err err;

	spin_lock(&as->lock);
	err = check_range(as, gpa, size);
	if (err == ERR_OK)
		err = check_cover(as, gpa.raw, gpa.raw + size, true);
	if (err == ERR_OK)
		err = cut_leaves(as, gpa.raw, gpa.raw + size);
	if (err == ERR_OK)
		discard_range(as, gpa.raw, gpa.raw + size);
	spin_unlock(&as->lock);
	return err;
}

/* --- Questions ---------------------------------------------------------------------------------------------------- */

bool addr_space_area_at(struct addr_space *as, gpa_t gpa, struct addr_space_area *area)
{
	const struct area *found;

	spin_lock(&as->lock);
	found = area_find(&as->areas, gpa.raw);
	if (found)
		*area = (struct addr_space_area){ GPA(found->start), found->end - found->start, found->attr.prot };
	spin_unlock(&as->lock);
	return found != NULL;
}

/* What is not told at a glance. Called with the lock held, which it lets go. */
static __attribute__((noinline)) enum err translate_slowly(struct addr_space *as, gpa_t gpa, hpa_t *hpa)
{
	enum err err = npt_translate_by_walk(&as->npt, gpa, hpa);

	spin_unlock(&as->lock);
	return err;
}

enum err addr_space_translate(struct addr_space *as, gpa_t gpa, hpa_t *hpa)
{
	spin_lock(&as->lock);
	if (!npt_translate_known(&as->npt, gpa, hpa))
		return translate_slowly(as, gpa, hpa);
	spin_unlock(&as->lock);
	return ERR_OK;
}

struct addr_space_stats addr_space_get_stats(struct addr_space *as)
{
	struct addr_space_stats stats;

	spin_lock(&as->lock);
	cost_settle(as);
	stats = as->stats;
	stats.memory_used = stats.resident + as->cost.overhead;
	stats.handled_fresh = as->given - stats.handled_unzero;
	/* What was handled is counted by what it came to. */
	stats.faults[FAULT_HANDLED] = stats.handled_zero + stats.handled_fresh + stats.handled_unzero + stats.handled_copy +
				      stats.handled_reuse + stats.handled_tracked;
	spin_unlock(&as->lock);
	return stats;
}

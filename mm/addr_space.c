/* SPDX-License-Identifier: BSD-2-Clause */
/* A guest's address space: the areas, and the faults that turn promises into memory. */
#include "mm/addr_space.h"

#include "include/panic.h"
#include "mm/frame.h"
#include "mm/table_frames.h"

/* What a removal gathers: translations to flush, and frames that may be freed only after that. */
struct removal {
	struct npt_gather gather;
	struct frame_chain frames;
	uint64_t bytes;
};

static unsigned level_order(unsigned level)
{
	return level * NPT_INDEX_BITS;
}

static uint64_t space_size(const struct addr_space *as)
{
	return BIT(as->npt.config.gpa_bits);
}

static void env_flush(struct npt_env *env, gpa_t gpa, uint64_t size)
{
	struct addr_space *as = CONTAINER_OF(env, struct addr_space, env);

	as->stats.flushes++;
	if (as->flush)
		as->stats.flush_instructions += as->flush(as, gpa, size);
}

enum err addr_space_new(struct addr_space *as, const struct npt_ops *ops, const struct npt_config *config,
			addr_space_flush flush)
{
	enum err err;

	*as = (struct addr_space){ .env = table_frames_env(env_flush), .flush = flush };
	err = area_set_init(&as->areas);
	if (err != ERR_OK)
		return err;
	err = npt_new(&as->npt, ops, config, &as->env);
	if (err != ERR_OK)
		area_set_free(&as->areas);
	return err;
}

void addr_space_free(struct addr_space *as)
{
	addr_space_clear(as);
	npt_free(&as->npt);
	area_set_free(&as->areas);
}

static void count_resident(struct addr_space *as, uint64_t bytes)
{
	as->stats.resident += bytes;
	as->stats.resident_peak = max_u64(as->stats.resident_peak, as->stats.resident);
}

static enum err check_range(const struct addr_space *as, gpa_t gpa, uint64_t size)
{
	if (size == 0 || !is_aligned(gpa.raw | size, PAGE_SIZE))
		return ERR_INVALID;
	return size <= space_size(as) && gpa.raw <= space_size(as) - size ? ERR_OK : ERR_RANGE;
}

/* May an area of these attributes be put here? Makes sure that it then can be. */
static enum err prepare_area(struct addr_space *as, gpa_t gpa, uint64_t size, struct npt_attr attr)
{
	const struct area *above;
	enum err err = check_range(as, gpa, size);

	if (err == ERR_OK)
		err = npt_check(&as->npt, attr);
	if (err != ERR_OK)
		return err;
	above = area_find_from(&as->areas, gpa.raw);
	if (above && above->start < gpa.raw + size)
		return ERR_EXISTS;
	return area_reserve(&as->areas, 1);
}

enum err addr_space_map_linear(struct addr_space *as, gpa_t gpa, hpa_t hpa, uint64_t size, struct npt_attr attr)
{
	const struct area area = {
		.start = gpa.raw, .end = gpa.raw + size, .attr = attr, .backend = AREA_LINEAR,
	};
	enum err err;

	spin_lock(&as->lock);
	err = prepare_area(as, gpa, size, attr);
	if (err == ERR_OK)
		err = npt_map(&as->npt, gpa, hpa, size, attr);
	if (err == ERR_OK)
		area_insert(&as->areas, &area);
	spin_unlock(&as->lock);
	return err;
}

static void frame_gone(struct npt_gather *gather, hpa_t hpa, unsigned level)
{
	struct removal *removal = CONTAINER_OF(gather, struct removal, gather);

	(void)frame_chain_add(&removal->frames, hpa, level_order(level), 0);
	removal->bytes += npt_level_size(level);
}

static void removal_init(struct removal *removal, struct addr_space *as)
{
	*removal = (struct removal){ .bytes = 0 };
	npt_gather_init(&removal->gather, &as->npt);
}

/* Remove the leaves of [start, end), whose ends are borders between leaves. */
static void remove_leaves(struct addr_space *as, uint64_t start, uint64_t end, enum area_backend backend,
			  struct removal *removal)
{
	removal->gather.leaf_gone = backend == AREA_ALLOC ? frame_gone : NULL;
	if (start < end && npt_unmap(&as->npt, GPA(start), end - start, &removal->gather) != ERR_OK)
		panic("addr_space: malformed entry in [%#lx, %#lx)", start,
		      end);
}

/* Flush once; only then is the memory anybody else's. */
static void removal_finish(struct removal *removal, struct addr_space *as)
{
	npt_gather_finish(&removal->gather);
	frame_chain_free(&removal->frames);
	as->stats.resident -= removal->bytes;
}

/* A zeroed block of frames, as a guest may see it. */
static enum err guest_frame_alloc(struct addr_space *as, unsigned order, hpa_t *frame)
{
	enum err err = frame_alloc_zeroed(order, frame);

	if (err == ERR_OK && as->sync)
		as->sync(frame_ptr(*frame), PAGE_SIZE << order);
	return err;
}

/* Back [*at, end) with one frame block, the largest that alignment, space and allocator allow. */
static enum err populate_block(struct addr_space *as, uint64_t *at, uint64_t end, struct npt_attr attr)
{
	unsigned level = as->npt.config.max_leaf;

	for (;; level--) {
		uint64_t size = npt_level_size(level);
		hpa_t frame;
		enum err err;

		if (!is_aligned(*at, size) || end - *at < size)
			continue; /* level 0 always fits */
		err = guest_frame_alloc(as, level_order(level), &frame);
		if (err != ERR_OK) {
			if (level == 0)
				return err;
			continue;
		}
		err = npt_map(&as->npt, GPA(*at), frame, size, attr);
		if (err != ERR_OK) {
			frame_free(frame, level_order(level));
			return err;
		}
		count_resident(as, size);
		*at += size;
		return ERR_OK;
	}
}

static enum err populate(struct addr_space *as, const struct area *area)
{
	uint64_t peak = as->stats.resident_peak, at = area->start;
	struct removal undo;
	enum err err = ERR_OK;

	while (err == ERR_OK && at < area->end)
		err = populate_block(as, &at, area->end, area->attr);
	if (err != ERR_OK) {
		removal_init(&undo, as);
		remove_leaves(as, area->start, at, AREA_ALLOC, &undo);
		removal_finish(&undo, as);
		as->stats.resident_peak = peak; /* no guest saw it */
	}
	return err;
}

enum err addr_space_map_alloc(struct addr_space *as, gpa_t gpa, uint64_t size, unsigned prot,
			      enum alloc_policy policy)
{
	const struct npt_attr attr = { .prot = (uint8_t)prot, .memtype = NPT_WB };
	const struct area area = {
		.start = gpa.raw, .end = gpa.raw + size, .attr = attr, .backend = AREA_ALLOC, .policy = (uint8_t)policy,
	};
	enum err err;

	if (prot > NPT_RWX)
		return ERR_INVALID;
	spin_lock(&as->lock);
	err = prepare_area(as, gpa, size, attr);
	if (err == ERR_OK && policy == ALLOC_POPULATE)
		err = populate(as, &area);
	if (err == ERR_OK)
		area_insert(&as->areas, &area);
	spin_unlock(&as->lock);
	return err;
}

/* Remove what lies in [start, end): leaves cut at both ends, structures for two area splits reserved. */
static void remove_areas(struct addr_space *as, uint64_t start, uint64_t end)
{
	struct area *area = area_find_from(&as->areas, start), *next;
	struct removal removal;

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
		remove_leaves(as, area->start, area->end, area->backend, &removal);
		area_remove(&as->areas, area);
	}
	removal_finish(&removal, as);
}

enum err addr_space_unmap(struct addr_space *as, gpa_t gpa, uint64_t size)
{
	enum err err;

	spin_lock(&as->lock);
	err = check_range(as, gpa, size);
	if (err == ERR_OK)
		err = area_reserve(&as->areas, 2);
	if (err == ERR_OK)
		err = npt_cut(&as->npt, gpa, size);
	if (err == ERR_OK)
		remove_areas(as, gpa.raw, gpa.raw + size);
	spin_unlock(&as->lock);
	return err;
}

void addr_space_clear(struct addr_space *as)
{
	spin_lock(&as->lock);
	remove_areas(as, 0, space_size(as));
	spin_unlock(&as->lock);
}

/* Do areas cover [start, end) without a hole, and may each have `prot`? */
static enum err check_protect(struct addr_space *as, uint64_t start, uint64_t end, unsigned prot)
{
	struct area *area = area_find(&as->areas, start);

	for (; start < end; start = area->end, area = area_next(area)) {
		enum err err;

		if (!area || area->start > start)
			return ERR_NOT_FOUND;
		err = npt_check(&as->npt, (struct npt_attr){ .prot = (uint8_t)prot, .memtype = area->attr.memtype });
		if (err != ERR_OK)
			return err;
	}
	return ERR_OK;
}

static void protect_areas(struct addr_space *as, uint64_t start, uint64_t end, unsigned prot)
{
	struct area *area = area_find(&as->areas, start);

	if (area->start < start) {
		area_split(&as->areas, area, start);
		area = area_next(area);
	}
	for (; area && area->start < end; area = area_next(area)) {
		if (area->end > end)
			area_split(&as->areas, area, end);
		area->attr.prot = (uint8_t)prot;
	}
}

enum err addr_space_protect(struct addr_space *as, gpa_t gpa, uint64_t size, unsigned prot)
{
	struct npt_gather gather;
	enum err err;

	if (prot > NPT_RWX)
		return ERR_INVALID;
	spin_lock(&as->lock);
	npt_gather_init(&gather, &as->npt);
	err = check_range(as, gpa, size);
	if (err == ERR_OK)
		err = check_protect(as, gpa.raw, gpa.raw + size, prot);
	if (err == ERR_OK)
		err = area_reserve(&as->areas, 2);
	if (err == ERR_OK)
		err = npt_protect(&as->npt, gpa, size, prot, &gather);
	if (err == ERR_OK)
		protect_areas(as, gpa.raw, gpa.raw + size, prot);
	npt_gather_finish(&gather);
	spin_unlock(&as->lock);
	return err;
}

/* First touch: one zeroed frame at the empty entry where the walk ended. */
static enum fault_outcome back_page(struct addr_space *as, const struct area *area, uint64_t gpa,
				    const struct npt_cursor *cursor)
{
	hpa_t frame;
	enum err err;

	if (guest_frame_alloc(as, 0, &frame) != ERR_OK)
		return FAULT_NO_MEMORY;
	err = npt_map_at(&as->npt, cursor, GPA(align_down(gpa, PAGE_SIZE)), 0, frame, area->attr);
	if (err == ERR_OK) {
		count_resident(as, PAGE_SIZE);
		return FAULT_HANDLED;
	}
	frame_free(frame, 0);
	if (err != ERR_NO_MEMORY)
		panic("addr_space: cannot map a frame at %#lx: %s", gpa, err_name(err));
	return FAULT_NO_MEMORY;
}

static enum fault_outcome serve_fault(struct addr_space *as, const struct npt_fault *fault)
{
	uint64_t gpa = fault->gpa.raw;
	struct npt_cursor cursor;
	struct npt_leaf leaf;
	const struct area *area;

	area = area_find(&as->areas, gpa);
	if (!area)
		return FAULT_UNMAPPED;
	if (fault->access & ~area->attr.prot)
		return FAULT_DENIED;
	switch (npt_find(&as->npt, fault->gpa, &cursor)) {
	case NPT_EMPTY:
		return area->backend == AREA_ALLOC ? back_page(as, area, gpa, &cursor) : FAULT_UNMAPPED;
	case NPT_LEAF:
		/* Somebody else was here first, or a CPU remembers what was before. */
		npt_decode(&as->npt, &cursor, fault->gpa, &leaf);
		return fault->access & ~leaf.attr.prot ? FAULT_DENIED : FAULT_SPURIOUS;
	default:
		panic("addr_space: malformed entry %#lx for %#lx", cursor.pte,
		      gpa);
	}
}

enum fault_outcome addr_space_handle_fault(struct addr_space *as, const struct npt_fault *fault)
{
	enum fault_outcome outcome;

	spin_lock(&as->lock);
	outcome = serve_fault(as, fault);
	as->stats.faults[outcome]++;
	spin_unlock(&as->lock);
	return outcome;
}

enum err addr_space_translate(struct addr_space *as, gpa_t gpa, hpa_t *hpa)
{
	enum err err;

	spin_lock(&as->lock);
	err = npt_translate(&as->npt, gpa, hpa);
	spin_unlock(&as->lock);
	return err;
}

struct addr_space_stats addr_space_get_stats(struct addr_space *as)
{
	struct addr_space_stats stats;

	spin_lock(&as->lock);
	stats = as->stats;
	spin_unlock(&as->lock);
	return stats;
}

const char *fault_outcome_name(enum fault_outcome outcome)
{
	static const char *const names[] = {
		[FAULT_HANDLED] = "handled",
		[FAULT_SPURIOUS] = "spurious",
		[FAULT_DENIED] = "denied",
		[FAULT_UNMAPPED] = "unmapped",
		[FAULT_NO_MEMORY] = "no_memory",
	};

	return names[outcome];
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tables of pages that a space shares with forks: npt_sharing. A table's references to what it maps are its own, and not those of
 * the spaces that have it; a space that leaves it, or copies it, counts the same memory as before.
 *
 * The table itself is paid for by the space that had it before it was shared. When that leaves it, and others have it still, it is
 * nobody's, as memory is that has lost its owner (frame_chain.orphans): only the limit, which all of them have, counts it. The last
 * one pays for it again.
 *
 * Only a space that pays for a table can own what it maps: all others have it from a fork, and own nothing that is in it.
 */
#include "mm/space.h"

static struct addr_space *space_of(struct npt_env *env)
{
	return CONTAINER_OF(env, struct addr_space, env);
}

static uint64_t zeros_in(hpa_t table)
{
	return *frame_table_note(table) >> TABLE_ZEROS_SHIFT;
}

/* Its leaves, and who has it besides: others may change the latter at any time. */
static uint32_t present_in(hpa_t table)
{
	return __atomic_load_n(frame_table_present(table), __ATOMIC_RELAXED);
}

static bool has_others(hpa_t table)
{
	return __atomic_load_n(frame_table_present(table), __ATOMIC_ACQUIRE) >= NPT_SHARER;
}

/* One space less has the table. True: there is none any more. */
static bool count_down(hpa_t table)
{
	return __atomic_fetch_sub(frame_table_present(table), NPT_SHARER, __ATOMIC_ACQ_REL) < NPT_SHARER;
}

/* --- What a table maps ------------------------------------------------------------------------------------------------ */

struct visit {
	struct addr_space *as;
	void (*memory)(struct visit *visit, hpa_t hpa, uint64_t count);
	struct frame_chain frames;
	uint64_t owned;
};

static void visit_run(hpa_t hpa, uint64_t count, void *context)
{
	struct visit *visit = context;
	uint64_t left = count * PAGE_SIZE, size;

	for (; left > 0; left -= size, hpa.raw += size) {
		size = frame_zero_page_border(hpa, left);
		if (!frame_is_zero_page(hpa))
			visit->memory(visit, hpa, size / PAGE_SIZE);
	}
}

/* Call `memory` for all memory in the table but the zero pages. */
static void visit_memory(struct addr_space *as, hpa_t table, struct visit *visit)
{
	visit->as = as;
	npt_visit_pages(&as->npt, table, visit_run, visit);
}

static void share_memory(struct visit *visit, hpa_t hpa, uint64_t count)
{
	(void)visit;
	frame_share_pages(hpa, count);
}

static void unshare_memory(struct visit *visit, hpa_t hpa, uint64_t count)
{
	(void)visit;
	frame_unshare_pages(hpa, count);
}

static void disown_memory(struct visit *visit, hpa_t hpa, uint64_t count)
{
	visit->owned += frame_disown(hpa, count, visit->as->id);
}

static void drop_references(struct visit *visit, hpa_t hpa, uint64_t count)
{
	visit->owned += frame_chain_add(&visit->frames, hpa, count, visit->as->id);
}

/* --- Having it ---------------------------------------------------------------------------------------------------------- */

static void note_pages(struct npt_env *env, hpa_t table, hpa_t page, uint64_t count)
{
	uint64_t left = count * PAGE_SIZE, size, zeros = 0;

	(void)env;
	for (; left > 0; left -= size, page.raw += size) {
		size = frame_zero_page_border(page, left);
		if (frame_is_zero_page(page))
			zeros += size / PAGE_SIZE;
	}
	*frame_table_note(table) = (uint16_t)(*frame_table_note(table) + (zeros << TABLE_ZEROS_SHIFT));
}

static void count_mapped(struct addr_space *as, hpa_t table)
{
	uint64_t zeros = zeros_in(table);

	as->view.stats.shared += (NPT_PRESENT(present_in(table)) - zeros) * PAGE_SIZE;
	as->view.stats.zero_leaves[0] += zeros;
}

static bool join(struct npt_env *env, hpa_t table)
{
	if (present_in(table) >= UINT32_MAX - NPT_SHARER)
		return false;
	__atomic_fetch_add(frame_table_present(table), NPT_SHARER, __ATOMIC_RELAXED);
	count_mapped(space_of(env), table);
	return true;
}

static bool take(struct npt_env *env, hpa_t table, bool pays)
{
	struct addr_space *as = space_of(env);

	if (has_others(table))
		return false;
	*frame_table_note(table) &= TABLE_LOGGED;
	if (pays)
		return true;
	cost_hold(as, PAGE_SIZE);
	limit_settle(as);
	cost_orphans(as, -(int64_t)PAGE_SIZE);
	return true;
}

static void copy(struct npt_env *env, hpa_t from, hpa_t to)
{
	struct visit visit = { .memory = share_memory };

	visit_memory(space_of(env), from, &visit);
	*frame_table_note(to) = *frame_table_note(from) & TABLE_LOGGED;
}

/* --- Leaving it ----------------------------------------------------------------------------------------------------------- */

/* Nobody has the table any more, but what it maps is in a copy, too. */
static void drop_copied(struct addr_space *as, hpa_t table)
{
	struct visit visit = { .memory = unshare_memory };

	visit_memory(as, table, &visit);
}

/* Nobody has the table any more. Returns the bytes that the space owned of what it maps. */
static uint64_t drop_all(struct addr_space *as, hpa_t table)
{
	struct visit visit = { .memory = drop_references };

	visit_memory(as, table, &visit);
	cost_orphans_of(as, &visit.frames);
	frame_chain_free(&visit.frames);
	return visit.owned;
}

static uint64_t disown_all(struct addr_space *as, hpa_t table)
{
	struct visit visit = { .memory = disown_memory };

	visit_memory(as, table, &visit);
	cost_orphans(as, (int64_t)visit.owned);
	return visit.owned;
}

/* What the table maps is no longer mapped in the space. True: it was the last one that had the table. */
static bool leave_memory(struct addr_space *as, hpa_t table, bool pays)
{
	uint64_t zeros = zeros_in(table), size = (NPT_PRESENT(present_in(table)) - zeros) * PAGE_SIZE, owned = 0;
	bool last;

	/* As long as the table is counted as the space's, nobody else changes it. */
	if (pays && has_others(table))
		owned = disown_all(as, table);
	last = count_down(table);
	if (last)
		owned += drop_all(as, table);
	as->view.stats.zero_leaves[0] -= zeros;
	count_released(as, size, owned);
	return last;
}

static void leave(struct npt_env *env, hpa_t table, bool pays, bool copied)
{
	struct addr_space *as = space_of(env);
	bool last = copied ? count_down(table) : leave_memory(as, table, pays);

	if (last && copied)
		drop_copied(as, table);
	if (last)
		frame_free(table, 0);
	if (pays)
		cost_uncharge(as, PAGE_SIZE);
	if (pays != last)
		cost_orphans(as, last ? -(int64_t)PAGE_SIZE : (int64_t)PAGE_SIZE);
}

const struct npt_sharing space_sharing = { .pages = note_pages, .join = join, .take = take, .copy = copy, .leave = leave };

/* SPDX-License-Identifier: BSD-2-Clause */
/* Making and freeing tables, and remembering those that walks come to. */
#include "npt/engine.h"

#include <string.h>

static void make_fresh(struct npt *npt)
{
	const unsigned values = NPT_ATTR_MAX + 1, kinds = values * values;
	uint64_t *entries = npt->fresh[0][0];

	for (unsigned i = 0; i < 2 * kinds; i++) {
		struct npt_attr attr = {
			.prot = (uint8_t)(i % values), .memtype = (uint8_t)(i / values % values), .shared = i >= kinds,
		};

		if (npt_check(npt, attr) == ERR_OK)
			entries[i] = engine_leaf(npt->ops->format, HPA(0), attr, 0, npt->config.hw_ad);
	}
}

enum err npt_new(struct npt *npt, const struct npt_ops *ops, const struct npt_config *config, struct npt_env *env)
{
	const struct npt_format *format = ops->format;
	unsigned base = PAGE_SHIFT + NPT_INDEX_BITS * config->levels;
	unsigned order = format->min_root_order;
	enum err err;

	*npt = (struct npt){ .ops = ops, .env = env, .config = *config };
	if (config->levels < format->min_levels || config->levels > format->max_levels ||
	    config->gpa_bits > format->max_gpa_bits || config->hpa_bits > format->max_hpa_bits ||
	    config->gpa_bits <= PAGE_SHIFT || config->max_leaf >= NPT_LEAF_LEVELS)
		return ERR_INVALID;
	if (config->gpa_bits + format->sign_bits > base + order)
		order = config->gpa_bits + format->sign_bits - base;
	if (order > format->max_root_order)
		return ERR_INVALID;
	/* Where the width of the address picks the first level, it must be picked so that the root is in use. */
	if (format->max_root_order > format->min_root_order && config->gpa_bits <= base - NPT_INDEX_BITS)
		return ERR_INVALID;
	err = env->alloc_table(env, order, &npt->root);
	if (err != ERR_OK)
		return err;
	npt->root_order = (uint8_t)order;
	npt->root_shift = (uint8_t)(base - NPT_INDEX_BITS);
	npt->end = BIT(config->gpa_bits);
	npt->host_end = BIT(config->hpa_bits);
	npt->table_bytes = PAGE_SIZE << order;
	npt->page = format->page;
	npt->block_bits = format->leaf(HPA(0), NPT_WB, 0) ^ format->leaf(HPA(0), NPT_WB, 1);
	make_fresh(npt);
	npt->known.block[0] = UINT64_MAX; /* not block 0; the others are not what the 0 in them says */
	return ERR_OK;
}

/* Where walks end is no part of what an address space is: a const one may learn it, too. */
void engine_remember(const struct npt *npt, uint64_t gpa, hpa_t table)
{
	struct npt_known *known = &((struct npt *)(uintptr_t)npt)->known;
	unsigned i = npt_known_index(gpa);

	known->block[i] = gpa >> NPT_BLOCK_SHIFT;
	known->entries[i] = engine_entries(npt, table);
	known->live[i] = npt->env->live(npt->env, table);
	known->accesses[i] = 0;
}

void engine_forget(struct npt *npt, uint64_t gpa)
{
	struct npt_known *known = &npt->known;
	unsigned i = npt_known_index(gpa);

	if (known->block[i] == gpa >> NPT_BLOCK_SHIFT)
		known->block[i] = UINT64_MAX;
}

void npt_known_untell(struct npt *npt, uint64_t start, uint64_t end)
{
	uint8_t *accesses = npt->known.accesses;
	uint64_t first = start >> NPT_BLOCK_SHIFT, last = (end - 1) >> NPT_BLOCK_SHIFT;

	if (last - first >= NPT_KNOWN)
		memset(accesses, 0, NPT_KNOWN);
	else
		for (; first <= last; first++)
			accesses[first % NPT_KNOWN] = 0;
}

/* Free the tables below `table`, and itself unless it is the root. Recursion is as deep as there are levels. */
static void free_below(struct npt *npt, hpa_t table, unsigned level, unsigned entries)
{
	const struct npt_format *format = npt->ops->format;
	unsigned left = level > 0 ? *npt->env->live(npt->env, table) : 0;

	for (unsigned i = 0; left > 0 && i < entries; i++) {
		uint64_t pte = pte_load(engine_entries(npt, table) + i);
		enum npt_kind kind = format->kind(pte, level);

		if (kind == NPT_EMPTY)
			continue;
		left--;
		if (kind == NPT_TABLE)
			free_below(npt, engine_table_addr(format, pte), level - 1, NPT_ENTRIES);
	}
	if (level < npt->config.levels - 1u)
		engine_free_table(npt, table);
}

void npt_free(struct npt *npt)
{
	npt->env->flush(npt->env, GPA(0), NPT_FLUSH_ALL);
	free_below(npt, npt->root, npt->config.levels - 1u, NPT_ENTRIES << npt->root_order);
	npt->env->free_table(npt->env, npt->root, npt->root_order);
	npt->table_bytes = 0;
	for (unsigned level = 0; level < NPT_LEAF_LEVELS; level++)
		npt->leaves[level] = 0;
}

void engine_free_table(struct npt *npt, hpa_t table)
{
	npt->table_bytes -= PAGE_SIZE;
	npt->env->free_table(npt->env, table, 0);
}

enum err engine_alloc_tables(struct npt *npt, hpa_t *tables, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		enum err err = npt->env->alloc_table(npt->env, 0, &tables[i]);

		if (err != ERR_OK) {
			while (i > 0)
				engine_free_table(npt, tables[--i]);
			return err;
		}
		npt->table_bytes += PAGE_SIZE;
	}
	return ERR_OK;
}

void engine_extend(struct npt *npt, struct npt_cursor *cursor, uint64_t gpa, unsigned level, uint64_t first,
		   const hpa_t *tables)
{
	const uint64_t virt = npt->env->phys_to_virt;
	struct npt_cursor top = *cursor;
	uint64_t pte = first;

	*cursor = (struct npt_cursor){
		.slot = engine_slot(tables[0], virt, gpa, level), .table = tables[0], .level = level,
	};
	for (unsigned i = 0; level + i < top.level; i++) {
		*engine_slot(tables[i], virt, gpa, level + i) = pte;
		*npt->env->live(npt->env, tables[i]) = 1;
		pte = npt->ops->format->table(tables[i]);
	}
	pte_store(top.slot, pte);
	if (level == 0)
		engine_remember(npt, gpa, tables[0]);
	++*npt->env->live(npt->env, top.table);
	npt->leaves[level]++;
}

enum err engine_map_below(struct npt *npt, struct npt_cursor cursor, uint64_t gpa, unsigned level, uint64_t first)
{
	hpa_t tables[NPT_MAX_LEVELS];
	enum err err = engine_alloc_tables(npt, tables, cursor.level - level);

	if (err == ERR_OK)
		engine_extend(npt, &cursor, gpa, level, first, tables);
	return err;
}

void engine_prune(struct npt *npt, uint64_t gpa, struct npt_gather *gather)
{
	for (unsigned level = 0; level < npt->config.levels - 1u; level++) {
		uint64_t span = npt_level_size(level + 1);
		struct npt_cursor parent;
		hpa_t table;

		if (engine_find(npt, gpa, level + 1, &parent) != NPT_TABLE)
			continue; /* the way ends higher up */
		table = engine_table_addr(npt->ops->format, parent.pte);
		if (*npt->env->live(npt->env, table) != 0)
			return;
		pte_store(parent.slot, 0);
		if (level == 0)
			engine_forget(npt, gpa);
		--*npt->env->live(npt->env, parent.table);
		npt_gather_range(gather, align_down(gpa, span), align_down(gpa, span) + span);
		npt_gather_table(gather, table);
	}
}

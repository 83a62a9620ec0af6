/* SPDX-License-Identifier: BSD-2-Clause */
/* A space of nested tables: creating and freeing it, and questions about one address. */
#include "npt/npt.h"

#include "npt/engine.h"

const char *npt_name(const struct npt *npt)
{
	return npt->ops->format->name(&npt->config);
}

enum err npt_check(const struct npt *npt, struct npt_attr attr)
{
	return npt->ops->format->check(&npt->config, attr);
}

enum err npt_query(const struct npt *npt, gpa_t gpa, struct npt_leaf *leaf)
{
	struct npt_cursor cursor;

	if (gpa.raw >= npt->end)
		return ERR_RANGE;
	switch (npt_find(npt, gpa, &cursor)) {
	case NPT_LEAF:
		npt_decode(npt, &cursor, gpa, leaf);
		return ERR_OK;
	case NPT_EMPTY:
		return ERR_NOT_FOUND;
	default:
		return ERR_CORRUPT;
	}
}

static void make_fresh(struct npt *npt)
{
	const unsigned values = NPT_ATTR_MAX + 1, kinds = values * values;
	uint64_t *entries = npt->fresh[0][0];

	for (unsigned i = 0; i < 2 * kinds; i++) {
		struct npt_attr attr = {
			.prot = (uint8_t)(i % values),
			.memtype = (uint8_t)(i / values % values),
			.shared = i >= kinds,
		};

		if (npt_check(npt, attr) == ERR_OK)
			entries[i] = engine_leaf(npt->ops->format, HPA(0), attr, 0, npt->config.hardware_ad);
	}
}

enum err npt_new(struct npt *npt, const struct npt_ops *ops, const struct npt_config *config, struct npt_env *env)
{
	const struct npt_attr writable = { .prot = NPT_RW, .memtype = NPT_WB };
	const struct npt_format *format = ops->format;
	unsigned base = PAGE_SHIFT + NPT_INDEX_BITS * config->levels;
	unsigned order = format->min_root_order;
	enum err err;

	if (config->page_exec && !ops->page_exec)
		return ERR_UNSUPPORTED;
	*npt = (struct npt){ .ops = config->page_exec ? ops->page_exec : ops, .env = env, .config = *config };
	npt->config.exec_only = config->exec_only && !config->page_exec;
	if (config->levels < format->min_levels || config->levels > format->max_levels || config->gpa_bits > format->max_gpa_bits ||
	    config->hpa_bits > format->max_hpa_bits || config->gpa_bits <= PAGE_SHIFT || config->max_leaf >= NPT_LEAF_LEVELS)
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
	npt->page.scale = BIT(format->page.shift);
	npt->page.fixed = ~(format->page.address | (config->hardware_ad ? format->hardware_ad_bits : 0));
	npt->page.written = engine_leaf_with_ad(format, HPA(0), writable, NPT_ACCESSED | NPT_DIRTY, 0, config->hardware_ad) ^
			    engine_leaf(format, HPA(0), writable, 0, config->hardware_ad);
	npt->block_bits = format->leaf(HPA(0), NPT_WB, 0) ^ format->leaf(HPA(0), NPT_WB, 1);
	make_fresh(npt);
	npt_attach(npt, env->cache);
	return ERR_OK;
}

uint64_t npt_empty_end(const struct npt *npt, const struct npt_cursor *cursor, gpa_t gpa)
{
	uint64_t size = npt_level_size(cursor->level), end = engine_table_end(npt, gpa.raw, cursor->level);
	uint64_t at = align_down(gpa.raw, size);

	for (const uint64_t *slot = cursor->slot; at < end && pte_load(slot) == 0; slot++)
		at += size;
	return at;
}

/* Free the tables below `table`, and itself unless it is the root. Recursion is as deep as there are levels. */
static void free_below(struct npt *npt, hpa_t table, unsigned level, unsigned entries)
{
	const struct npt_format *format = npt->ops->format;
	unsigned left = level > 0 ? *npt->env->present(npt->env, table) : 0;

	for (unsigned i = 0; left > 0 && i < entries; i++) {
		uint64_t pte = pte_load(engine_entries(npt, table) + i);
		enum npt_kind kind = format->kind(pte, level);

		if (kind == NPT_EMPTY)
			continue;
		left--;
		if (kind == NPT_SHARED)
			engine_forget_table(npt, engine_entries(npt, table) + i);
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
	npt->cache->leaves = 0;
}

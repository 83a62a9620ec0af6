/* SPDX-License-Identifier: BSD-2-Clause */
/* Gathering of flushes, and of empty tables, which are freed after the flush. */
#include "npt/engine.h"

void npt_gather_init(struct npt_gather *gather, struct npt *npt)
{
	gather->npt = npt;
	gather->start = UINT64_MAX;
	gather->end = 0;
	gather->tables = HPA(0);
	gather->left_count = 0; /* and so `left` is not read */
	gather->left_sum = 0;
	gather->leaves_gone = NULL;
}

void npt_gather_range(struct npt_gather *gather, uint64_t start, uint64_t end)
{
	gather->start = min_u64(gather->start, start);
	gather->end = max_u64(gather->end, end);
}

/*
 * The chain of emptied tables runs through their first entries. A CPU may still come upon a table there: the link's low
 * twelve bits are zero, which every format reads as "not present".
 */
void engine_gather_table(struct npt_gather *gather, hpa_t table)
{
	pte_store(engine_entries(gather->npt, table), gather->tables.raw);
	gather->tables = table;
}

/* The shared tables that were gathered have been flushed. */
static void leave_tables(struct npt_gather *gather)
{
	struct npt_env *env = gather->npt->env;

	for (unsigned i = 0; i < gather->left_count; i++)
		env->sharing->leave(env, HPA(gather->left[i] & ~UINT64_C(1)), gather->left[i] & 1, false);
	gather->left_count = 0;
}

void npt_gather_flush(struct npt_gather *gather)
{
	struct npt *npt = gather->npt;

	if (gather->start < gather->end) {
		uint64_t size = gather->end - gather->start;

		npt->env->flush(npt->env, GPA(gather->start), size <= NPT_FLUSH_RANGE_MAX ? size : NPT_FLUSH_ALL);
	}
	gather->start = UINT64_MAX;
	gather->end = 0;
	if (gather->left_count > 0)
		leave_tables(gather);
}

void npt_gather_finish(struct npt_gather *gather)
{
	struct npt *npt = gather->npt;

	npt_gather_flush(gather);
	while (gather->tables.raw != 0) {
		hpa_t table = gather->tables;

		gather->tables = HPA(*engine_entries(npt, table));
		engine_free_table(npt, table);
	}
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
		if (*npt->env->present(npt->env, table) != 0)
			return;
		pte_store(parent.slot, 0);
		npt_walk_cache_invalidate(npt, gpa, level);
		--*npt->env->present(npt->env, parent.table);
		npt_gather_range(gather, align_down(gpa, span), align_down(gpa, span) + span);
		engine_gather_table(gather, table);
	}
}

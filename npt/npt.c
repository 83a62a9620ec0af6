/* SPDX-License-Identifier: BSD-2-Clause */
/* Questions about one address, and the gathering of what CPUs must forget. */
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

void npt_gather_init(struct npt_gather *gather, struct npt *npt)
{
	*gather = (struct npt_gather){ .npt = npt, .start = UINT64_MAX };
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
void npt_gather_table(struct npt_gather *gather, hpa_t table)
{
	pte_store(engine_entries(gather->npt, table), gather->tables.raw);
	gather->tables = table;
}

void npt_gather_finish(struct npt_gather *gather)
{
	struct npt *npt = gather->npt;

	if (gather->start < gather->end) {
		uint64_t size = gather->end - gather->start;

		npt->env->flush(npt->env, GPA(gather->start), size <= NPT_FLUSH_RANGE_MAX ? size : NPT_FLUSH_ALL);
	}
	while (gather->tables.raw != 0) {
		hpa_t table = gather->tables;

		gather->tables = HPA(*engine_entries(npt, table));
		engine_free_table(npt, table);
	}
	npt_gather_init(gather, npt);
}

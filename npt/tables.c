/* SPDX-License-Identifier: BSD-2-Clause */
/* Allocating and freeing tables, and linking new ones below an empty entry. */
#include "include/lock.h"
#include "npt/engine.h"

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

void engine_extend(struct npt *npt, struct npt_cursor *cursor, uint64_t gpa, unsigned level, uint64_t first, const hpa_t *tables)
{
	const uint64_t virt = npt->env->phys_to_virt;
	struct npt_cursor top = *cursor;
	uint64_t pte = first;

	*cursor = (struct npt_cursor){
		.slot = engine_slot(tables[0], virt, gpa, level),
		.table = tables[0],
		.level = level,
	};
	for (unsigned i = 0; level + i < top.level; i++) {
		*engine_slot(tables[i], virt, gpa, level + i) = pte;
		*npt->env->present(npt->env, tables[i]) = 1;
		pte = npt->ops->format->table(tables[i]);
	}
	pte_store(top.slot, pte);
	if (level == 0)
		npt_walk_cache_insert(npt, npt->cache, gpa, tables[0]);
	++*npt->env->present(npt->env, top.table);
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

bool npt_try_extend(struct npt *npt, struct npt_walk_cache *cache, const struct npt_cursor *cursor, gpa_t gpa, hpa_t table,
		    hpa_t hpa, uint64_t entry)
{
	uint64_t empty = 0;

	*engine_slot(table, npt->env->phys_to_virt, gpa.raw, 0) = entry + (hpa.raw >> npt->page.shift);
	*npt->env->present(npt->env, table) = 1;
	release_fence();
	if (!pte_replace(cursor->slot, &empty, npt->ops->format->table(table)))
		return false;
	npt_count_present(npt->env->present(npt->env, cursor->table), 1);
	__atomic_fetch_add(&npt->table_bytes, PAGE_SIZE, __ATOMIC_RELAXED);
	npt_walk_cache_insert(npt, cache, gpa.raw, table);
	return true;
}

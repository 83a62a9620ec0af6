/* SPDX-License-Identifier: BSD-2-Clause */
/* A walk with each of its steps, for people. */
#include "npt/explain.h"

#include "npt/engine.h"

unsigned npt_explain(const struct npt *npt, gpa_t gpa, struct npt_step steps[NPT_MAX_LEVELS])
{
	const struct npt_format *format = npt->ops->format;
	unsigned level = npt->config.levels - 1u, count = 0;
	hpa_t table = npt->root;
	const uint64_t *slot = engine_entries(npt, table) + (gpa.raw >> npt->root_shift);

	if (gpa.raw >= npt->end)
		return 0;
	for (;; level--) {
		struct npt_step *step = &steps[count++];

		*step = (struct npt_step){ .level = level, .table = table, .pte = pte_load(slot) };
		step->kind = format->kind(step->pte, level);
		step->index = (unsigned)(slot - engine_entries(npt, table));
		if (step->kind == NPT_LEAF)
			npt->ops->decode(step->pte, gpa.raw, level, &step->leaf);
		if ((step->kind != NPT_TABLE && step->kind != NPT_SHARED) || level == 0)
			return count;
		table = engine_table_addr(format, step->pte);
		slot = engine_slot(table, npt->env->phys_to_virt, gpa.raw, level - 1);
	}
}

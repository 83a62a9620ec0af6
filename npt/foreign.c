/* SPDX-License-Identifier: BSD-2-Clause */
/* Finds page tables that were made by others, such as the firmware. */
#include "npt/foreign.h"

#include "npt/engine.h"

struct tour {
	const struct npt_format *format;
	uint64_t phys_to_virt;
	npt_table_visitor visit;
	void *context;
};

/* The first `entries` of a table of `level`, and all below them: at most NPT_MAX_LEVELS deep. */
static void visit_table(const struct tour *tour, hpa_t table, unsigned level, unsigned entries)
{
	const uint64_t *entry = (const uint64_t *)(uintptr_t)(table.raw + tour->phys_to_virt);

	if (!tour->visit(table, tour->context) || level == 0)
		return;
	for (unsigned i = 0; i < entries; i++) {
		uint64_t pte = pte_load(&entry[i]);

		if (tour->format->kind(pte, level) == NPT_TABLE)
			visit_table(tour, engine_table_addr(tour->format, pte), level - 1, 1u << NPT_INDEX_BITS);
	}
}

void npt_visit_tables(const struct npt_ops *ops, const struct npt_config *config, hpa_t root, uint64_t phys_to_virt,
		      npt_table_visitor visit, void *context)
{
	const struct tour tour = { ops->format, phys_to_virt, visit, context };
	unsigned shift = PAGE_SHIFT + NPT_INDEX_BITS * (config->levels - 1u);
	unsigned bits = config->gpa_bits + ops->format->sign_bits - shift;

	visit_table(&tour, root, config->levels - 1u, 1u << bits);
}

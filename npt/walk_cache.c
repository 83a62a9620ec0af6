/* SPDX-License-Identifier: BSD-2-Clause */
/* The walk cache: tables of pages join it and leave it. */
#include "npt/walk_cache.h"

#include <string.h>

#include "npt/engine.h"

/* Where walks end is no part of what an address space is: a const one may learn it, too. */
void npt_known_insert(const struct npt *npt, uint64_t gpa, hpa_t table)
{
	struct npt_known *known = &((struct npt *)(uintptr_t)npt)->known;
	unsigned i = npt_known_index(gpa);

	known->block[i] = gpa >> NPT_BLOCK_SHIFT;
	known->entries[i] = engine_entries(npt, table);
	known->live[i] = npt->env->live(npt->env, table);
	known->accesses[i] = 0;
}

void npt_known_forget(struct npt *npt, uint64_t gpa)
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

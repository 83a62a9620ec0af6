/* SPDX-License-Identifier: BSD-2-Clause */
/* The fast path of npt_unmap_block, for many large leaves one after the other: compiled into its caller, it calls nothing. */
#ifndef NESTLING_NPT_BLOCK_H
#define NESTLING_NPT_BLOCK_H

#include "npt/npt.h"

/* A copy of the place, of which a compiler keeps in registers what it needs; and how many blocks may go: never all of a table. */
struct npt_alike {
	struct npt_block_place place;
	uint64_t block; /* that the table's first entry maps, by number */
	uint32_t first, left;
};

/* Up to `most` blocks, which is not 0. */
static inline struct npt_alike npt_alike_begin(const struct npt_block_place *place, uint32_t most)
{
	uint32_t left = place->mask != 0 ? (uint32_t)min_u64(*place->present - 1, most) : 0;

	return (struct npt_alike){ .place = *place, .block = place->region << NPT_INDEX_BITS, .first = left, .left = left };
}

/*
 * Unmap the aligned 2 MiB at `gpa`, in the space, if they are mapped by a leaf like the last one that npt_unmap_block has met at
 * the place, and in the same table. The caller gathers the flush (npt_gather_range), and releases the leaf's memory, `*hpa`, which
 * CPUs use until then. False: nothing was changed, and npt_unmap_block is to do it.
 */
static inline __attribute__((always_inline)) bool npt_unmap_alike(const struct npt *npt, gpa_t gpa, struct npt_alike *alike,
								  hpa_t *hpa)
{
	uint64_t index = (gpa.raw >> (PAGE_SHIFT + NPT_INDEX_BITS)) - alike->block, pte;
	uint64_t *slot = &alike->place.entries[index];

	if (index >= UINT64_C(1) << NPT_INDEX_BITS || alike->left == 0)
		return false;
	pte = __atomic_load_n(slot, __ATOMIC_RELAXED);
	if (((pte ^ alike->place.value) & alike->place.mask) != 0)
		return false;
	__atomic_store_n(slot, 0, __ATOMIC_RELEASE);
	alike->left--;
	*hpa = HPA((pte & alike->place.address) * npt->page.scale);
	return true;
}

/* Counts what was unmapped; returns that. */
static inline uint32_t npt_alike_end(struct npt *npt, const struct npt_alike *alike)
{
	uint32_t gone = alike->first - alike->left;

	if (gone > 0)
		*alike->place.present -= gone;
	npt->leaves[1] -= gone;
	return gone;
}

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* What a page-table format tells the engine: pure functions over one entry. Private to npt/. */
#ifndef NESTLING_NPT_FORMAT_H
#define NESTLING_NPT_FORMAT_H

#include "npt/npt.h"

/*
 * Immutable; one per format. No function allocates, flushes or dereferences, and each is total over its arguments.
 * The engine passes leaves only attributes that `check` accepted, and addresses that fit config.hpa_bits.
 */
struct npt_format {
	const char *(*name)(const struct npt_config *config);
	/* Extra index bits of the root, beyond 9: RISC-V x4 roots always have 2, Arm concatenates up to 4 as gpa_bits needs. */
	unsigned min_root_order, max_root_order;
	unsigned min_levels, max_levels;
	unsigned max_gpa_bits, max_hpa_bits;
	/* Replacing a valid entry by another valid one goes through an invalid entry and a flush (Arm). */
	bool break_before_make;

	enum npt_kind (*kind)(uint64_t pte, unsigned level);
	enum err (*check)(const struct npt_config *config, struct npt_attr attr);
	uint64_t (*table)(hpa_t table);
	/* With `hw_ad` accessed and dirty start clear, otherwise set. Entries of neighbours differ by their address only. */
	uint64_t (*leaf)(hpa_t hpa, struct npt_attr attr, unsigned level, bool hw_ad);
	/* The address in a table or leaf entry. */
	hpa_t (*addr)(uint64_t pte, unsigned level);
	struct npt_attr (*attr)(uint64_t pte, unsigned level);
	/* The same leaf with other permissions; accessed and dirty are kept. */
	uint64_t (*set_prot)(uint64_t pte, unsigned prot, bool hw_ad);
	bool (*accessed)(uint64_t pte);
	bool (*dirty)(uint64_t pte);
	/* The entry of `level - 1` that maps the first part of this leaf, with all its attributes, accessed and dirty. */
	uint64_t (*shrink)(uint64_t pte, unsigned level);
};

#endif

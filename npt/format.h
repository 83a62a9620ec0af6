/* SPDX-License-Identifier: BSD-2-Clause */
/* The interface between the engine and a page-table format: pure functions over one entry. Private to npt/. */
#ifndef NESTLING_NPT_FORMAT_H
#define NESTLING_NPT_FORMAT_H

#include "npt/npt.h"

/*
 * Immutable; one per format. No function allocates, flushes or dereferences, and each is total over its arguments.
 * `kind` is called most often. It recognises the entries that the engine writes with as few tests as possible, tables first; rare
 * and malformed entries are left to a function of their own.
 * The engine passes leaves only attributes that `check` accepted, and addresses that fit config.hpa_bits.
 *
 * An access-tracked leaf has its present (or valid) bit clear, so hardware reads it as "not present", and a software bit set that
 * no empty entry has; all other bits stay. Only `kind`, `split`, `access_tracked` and `untrack_access` are asked about
 * access-tracked leaves.
 */
struct npt_format {
	const char *(*name)(const struct npt_config *config);
	/* Extra index bits of the root, beyond 9: RISC-V x4 roots always have 2, Arm concatenates up to 4 as gpa_bits needs. */
	unsigned min_root_order, max_root_order;
	unsigned min_levels, max_levels;
	/* 1: addresses are sign-extended, and one to one ends below the sign bit. */
	unsigned sign_bits;
	unsigned max_gpa_bits, max_hpa_bits;
	/* Replacing a valid entry by another valid one goes through an invalid entry and a flush (Arm). */
	bool break_before_make;
	/* The pattern of 4 KiB leaves. Entries that point to tables have the same address bits. */
	struct npt_page_format page;
	/*
	 * In an entry of level 1 that points to a table: the bits that are different if it is NPT_SHARED, and a bit that says
	 * that the space pays for that table. Hardware ignores them, or permits no writing by them. 0: no table is shared.
	 */
	uint64_t table_shared, table_paid;
	/* The bits of a leaf that hardware may set by itself (accessed, dirty); 0 if it never does. */
	uint64_t hardware_ad_bits;

	enum npt_kind (*kind)(uint64_t pte, unsigned level);
	enum err (*check)(const struct npt_config *config, struct npt_attr attr);
	uint64_t (*table)(hpa_t table);
	/* A leaf without permissions, accessed and dirty bits, for `set` to complete. Entries of neighbours differ by their address
	 * only. */
	uint64_t (*leaf)(hpa_t hpa, unsigned memtype, unsigned level);
	struct npt_attr (*attr)(uint64_t pte, unsigned level);
	unsigned (*ad_bits)(uint64_t pte); /* a mask of enum npt_ad */
	/* The same leaf with these permissions, `shared` and accessed and dirty bits; `attr.memtype` is ignored. */
	uint64_t (*set)(uint64_t pte, struct npt_attr attr, unsigned ad_bits, bool hardware_ad);
	bool (*access_tracked)(uint64_t pte);
	uint64_t (*track_access)(uint64_t pte);   /* of a leaf that is not access-tracked */
	uint64_t (*untrack_access)(uint64_t pte); /* of any leaf */
	/* The entry of `level - 1` that maps the first part of this leaf, with all its attributes. */
	uint64_t (*split)(uint64_t pte, unsigned level);
};

/* Checks common to all formats: attributes that no format can express, or no area may have. */
static inline enum err npt_check_common(const struct npt_config *config, struct npt_attr attr)
{
	if (attr.prot == 0 || attr.prot > NPT_RWX || attr.memtype > NPT_UC || (attr.shared && (attr.prot & NPT_W)))
		return ERR_INVALID;
	if (!(attr.prot & NPT_R) && ((attr.prot & NPT_W) || !config->exec_only))
		return ERR_UNSUPPORTED;
	return ERR_OK;
}

#endif

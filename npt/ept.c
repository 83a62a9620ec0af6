/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Intel EPT entries. Source: Intel SDM vol. 3C, "The Extended Page Table Mechanism (EPT)", tables "Format of an EPT
 * PML4E/PDPTE/PDE/PTE" and section "EPT Misconfigurations".
 *
 * Level 0 is an EPT PTE, 1 a PDE, 2 a PDPTE, 3 a PML4E, 4 a PML5E.
 */
#include "npt/walk.h"

enum {
	EPT_MEMTYPE_SHIFT = 3, /* bits 5:3 of a leaf */
	EPT_SAVED_SHIFT = 54,  /* an access-tracked leaf keeps its access bits in bits 56:54 */
};

#define EPT_READ           BIT(0)
#define EPT_WRITE          BIT(1)
#define EPT_EXECUTE        BIT(2)
#define EPT_ACCESS         (EPT_READ | EPT_WRITE | EPT_EXECUTE)
#define EPT_MEMTYPE        BITS(5, 3)
#define EPT_WRITE_BACK     (UINT64_C(6) << EPT_MEMTYPE_SHIFT)
#define EPT_IPAT           BIT(6) /* ignore the guest's PAT: the type in this entry is final */
#define EPT_LEAF           BIT(7) /* in a PDE or PDPTE; ignored in a PTE */
/* Ignored in a table's entry. What a shared one permits nothing below it may exceed: it goes without writing. */
#define EPT_TABLE_SHARED   BIT(11)
#define EPT_TABLE_PAID     BIT(53)
#define EPT_TABLE_BITS     (EPT_ACCESS | EPT_MEMTYPE | EPT_IPAT | EPT_LEAF) /* all that count in a table's entry */
#define EPT_ACCESSED       BIT(8)
#define EPT_DIRTY          BIT(9)
#define EPT_ADDR           BITS(51, 12)
/* Ignored by hardware: bits 56:52 and 59 of a leaf, and all of an entry without access. */
#define EPT_SHARED         BIT(52)
#define EPT_ACCESS_TRACKED BIT(53)
#define EPT_EXECUTE_LATER  BIT(59) /* of a large leaf: may be executed, but by smaller ones, and so hardware may not */

_Static_assert(EPT_READ == NPT_R && EPT_WRITE == NPT_W && EPT_EXECUTE == NPT_X, "permissions are used as they are");

static const uint8_t ept_memtype[] = { [NPT_WB] = 6, [NPT_WT] = 4, [NPT_WP] = 5, [NPT_WC] = 1, [NPT_UC] = 0 };

/* The reverse; 2, 3 and 7 are reserved. */
static const int8_t npt_memtype[8] = { NPT_UC, NPT_WC, -1, -1, NPT_WT, NPT_WP, NPT_WB, -1 };

static const char *ept_name(const struct npt_config *config)
{
	(void)config;
	return "ept";
}

/* Writable without readable is a misconfiguration at any level. */
static inline bool ept_access_ok(uint64_t pte)
{
	return (pte & EPT_READ) || !(pte & EPT_WRITE);
}

static inline bool ept_access_tracked(uint64_t pte)
{
	return (pte & (EPT_ACCESS_TRACKED | EPT_ACCESS)) == EPT_ACCESS_TRACKED;
}

static inline uint64_t ept_track_access(uint64_t pte)
{
	return (pte & ~EPT_ACCESS) | (pte & EPT_ACCESS) << EPT_SAVED_SHIFT | EPT_ACCESS_TRACKED;
}

static inline uint64_t ept_untrack_access(uint64_t pte)
{
	if (!ept_access_tracked(pte))
		return pte;
	return (pte & ~(EPT_ACCESS_TRACKED | EPT_ACCESS << EPT_SAVED_SHIFT)) | ((pte >> EPT_SAVED_SHIFT) & EPT_ACCESS);
}

/* The low address bits, which a leaf of this level must have clear. */
static inline uint64_t ept_misaligned(unsigned level)
{
	return EPT_ADDR & (npt_level_size(level) - 1);
}

/* All entries but those that ept_kind recognises by itself. */
static __attribute__((noinline)) enum npt_kind ept_rare_kind(uint64_t pte, unsigned level)
{
	uint64_t untracked = ept_untrack_access(pte);

	if (!(untracked & EPT_ACCESS) || !ept_access_ok(untracked))
		return pte & (EPT_ACCESS | EPT_ACCESS_TRACKED) ? NPT_MALFORMED : NPT_EMPTY;
	if (level > 0 && !(pte & EPT_LEAF)) /* a table that does not grant everything */
		return untracked != pte || pte & (EPT_MEMTYPE | EPT_IPAT) ? NPT_MALFORMED :
		       level == 1 && pte & EPT_TABLE_SHARED               ? NPT_SHARED :
									    NPT_TABLE;
	return level < NPT_LEAF_LEVELS && npt_memtype[(pte & EPT_MEMTYPE) >> EPT_MEMTYPE_SHIFT] >= 0 &&
			       !(pte & ept_misaligned(level)) ?
		       NPT_LEAF :
		       NPT_MALFORMED;
}

static inline enum npt_kind ept_kind(uint64_t pte, unsigned level)
{
	uint64_t leaf = EPT_READ | EPT_WRITE_BACK | (level > 0 ? EPT_LEAF : 0);

	if (level > 0 && (pte & EPT_TABLE_BITS) == EPT_ACCESS)
		return NPT_TABLE;
	if (level < NPT_LEAF_LEVELS && (pte & (leaf | EPT_MEMTYPE | ept_misaligned(level))) == leaf)
		return NPT_LEAF;
	return pte == 0 ? NPT_EMPTY : ept_rare_kind(pte, level);
}

static inline enum err ept_check(const struct npt_config *config, struct npt_attr attr)
{
	return npt_check_common(config, attr);
}

static inline uint64_t ept_table(hpa_t table)
{
	return table.raw | EPT_ACCESS;
}

static inline uint64_t ept_leaf(hpa_t hpa, unsigned memtype, unsigned level)
{
	return hpa.raw | ((uint64_t)ept_memtype[memtype] << EPT_MEMTYPE_SHIFT) | EPT_IPAT | (level > 0 ? EPT_LEAF : 0);
}

static inline struct npt_attr ept_attr(uint64_t pte, unsigned level)
{
	(void)level;
	return (struct npt_attr){
		.prot = pte & EPT_ACCESS,
		.memtype = (uint8_t)npt_memtype[(pte & EPT_MEMTYPE) >> EPT_MEMTYPE_SHIFT],
		.shared = pte & EPT_SHARED,
	};
}

static inline unsigned ept_ad_bits(uint64_t pte)
{
	return (pte & EPT_ACCESSED ? NPT_ACCESSED : 0) | (pte & EPT_DIRTY ? NPT_DIRTY : 0);
}

static inline uint64_t ept_set(uint64_t pte, struct npt_attr attr, unsigned ad_bits, bool hardware_ad)
{
	(void)hardware_ad;
	return (pte & ~(EPT_ACCESS | EPT_SHARED | EPT_ACCESSED | EPT_DIRTY)) | attr.prot | (attr.shared ? EPT_SHARED : 0) |
	       (ad_bits & NPT_ACCESSED ? EPT_ACCESSED : 0) | (ad_bits & NPT_DIRTY ? EPT_DIRTY : 0);
}

static inline uint64_t ept_split(uint64_t pte, unsigned level)
{
	return level == 1 ? pte & ~EPT_LEAF : pte;
}

/* --- Where only pages execute: npt_config.page_exec --- */

static inline struct npt_attr ept_attr_page_exec(uint64_t pte, unsigned level)
{
	struct npt_attr attr = ept_attr(pte, level);

	if (level > 0 && pte & EPT_EXECUTE_LATER)
		attr.prot |= NPT_X;
	return attr;
}

static inline uint64_t ept_set_page_exec(uint64_t pte, struct npt_attr attr, unsigned ad_bits, bool hardware_ad)
{
	pte = ept_set(pte & ~EPT_EXECUTE_LATER, attr, ad_bits, hardware_ad);
	return pte & EPT_LEAF && pte & EPT_EXECUTE ? pte ^ (EPT_EXECUTE | EPT_EXECUTE_LATER) : pte;
}

static inline uint64_t ept_split_page_exec(uint64_t pte, unsigned level)
{
	if (level == 1 && pte & EPT_EXECUTE_LATER)
		pte = (pte ^ EPT_EXECUTE_LATER) | (ept_access_tracked(pte) ? EPT_EXECUTE << EPT_SAVED_SHIFT : EPT_EXECUTE);
	return ept_split(pte, level);
}

#define EPT_FORMAT(variant)                                                                                                   \
	{                                                                                                                     \
		.name = ept_name, .min_levels = 4, .max_levels = 5, .max_gpa_bits = 57, .max_hpa_bits = 52,                   \
		.page = { .mask = EPT_READ | EPT_MEMTYPE, .value = EPT_READ | EPT_WRITE_BACK, .address = EPT_ADDR },          \
		.table_shared = EPT_TABLE_SHARED | EPT_WRITE, .table_paid = EPT_TABLE_PAID,                                   \
		.hardware_ad_bits = EPT_ACCESSED | EPT_DIRTY, .kind = ept_kind, .check = ept_check, .table = ept_table,       \
		.leaf = ept_leaf, .attr = ept_attr##variant, .ad_bits = ept_ad_bits, .set = ept_set##variant,                 \
		.access_tracked = ept_access_tracked, .track_access = ept_track_access, .untrack_access = ept_untrack_access, \
		.split = ept_split##variant,                                                                                  \
	}

static const struct npt_format ept_page_exec_format = EPT_FORMAT(_page_exec);
NPT_INSTANTIATE(npt_ept_page_exec, ept_page_exec_format, .page_exec = &npt_ept_page_exec);

static const struct npt_format ept_format = EPT_FORMAT();
NPT_INSTANTIATE(npt_ept, ept_format, .page_exec = &npt_ept_page_exec);

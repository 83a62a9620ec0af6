/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Intel EPT entries. Source: Intel SDM vol. 3C, "The Extended Page Table Mechanism (EPT)", tables "Format of an EPT
 * PML4E/PDPTE/PDE/PTE" and section "EPT Misconfigurations".
 *
 * Level 0 is an EPT PTE, 1 a PDE, 2 a PDPTE, 3 a PML4E, 4 a PML5E.
 */
#include "npt/instance.h"

enum {
	EPT_MEMTYPE_SHIFT = 3, /* bits 5:3 of a leaf */
};

#define EPT_READ     BIT(0)
#define EPT_WRITE    BIT(1)
#define EPT_EXECUTE  BIT(2)
#define EPT_ACCESS   (EPT_READ | EPT_WRITE | EPT_EXECUTE)
#define EPT_MEMTYPE  BITS(5, 3)
#define EPT_IPAT     BIT(6) /* ignore the guest's PAT: the type in this entry is final */
#define EPT_LEAF     BIT(7) /* in a PDE or PDPTE; ignored in a PTE */
#define EPT_ACCESSED BIT(8)
#define EPT_DIRTY    BIT(9)
#define EPT_ADDR     BITS(51, 12)

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

static inline enum npt_kind ept_kind(uint64_t pte, unsigned level)
{
	if (!(pte & EPT_ACCESS))
		return NPT_EMPTY;
	if (level > 0 && !(pte & EPT_LEAF))
		return ept_access_ok(pte) && !(pte & (EPT_MEMTYPE | EPT_IPAT)) ? NPT_TABLE : NPT_MALFORMED;
	if (level >= NPT_LEAF_LEVELS || !ept_access_ok(pte) ||
	    npt_memtype[(pte & EPT_MEMTYPE) >> EPT_MEMTYPE_SHIFT] < 0 ||
	    !is_aligned(pte & EPT_ADDR, npt_level_size(level)))
		return NPT_MALFORMED;
	return NPT_LEAF;
}

static inline enum err ept_check(const struct npt_config *config, struct npt_attr attr)
{
	return npt_check_common(config, attr);
}

static inline uint64_t ept_table(hpa_t table)
{
	return table.raw | EPT_ACCESS;
}

static inline uint64_t ept_leaf(hpa_t hpa, struct npt_attr attr, unsigned level, bool hw_ad)
{
	return hpa.raw | attr.prot | ((uint64_t)ept_memtype[attr.memtype] << EPT_MEMTYPE_SHIFT) | EPT_IPAT |
	       (level > 0 ? EPT_LEAF : 0) | (hw_ad ? 0 : EPT_ACCESSED | EPT_DIRTY);
}

static inline hpa_t ept_addr(uint64_t pte, unsigned level)
{
	(void)level;
	return HPA(pte & EPT_ADDR);
}

static inline struct npt_attr ept_attr(uint64_t pte, unsigned level)
{
	(void)level;
	return (struct npt_attr){
		.prot = pte & EPT_ACCESS,
		.memtype = (uint8_t)npt_memtype[(pte & EPT_MEMTYPE) >> EPT_MEMTYPE_SHIFT],
	};
}

static inline uint64_t ept_set_prot(uint64_t pte, unsigned prot, bool hw_ad)
{
	(void)hw_ad;
	return (pte & ~EPT_ACCESS) | prot;
}

static inline bool ept_accessed(uint64_t pte)
{
	return pte & EPT_ACCESSED;
}

static inline bool ept_dirty(uint64_t pte)
{
	return pte & EPT_DIRTY;
}

static inline uint64_t ept_shrink(uint64_t pte, unsigned level)
{
	return level == 1 ? pte & ~EPT_LEAF : pte;
}

static const struct npt_format ept_format = {
	.name = ept_name,
	.min_levels = 4,
	.max_levels = 5,
	.max_gpa_bits = 57,
	.max_hpa_bits = 52,
	.kind = ept_kind,
	.check = ept_check,
	.table = ept_table,
	.leaf = ept_leaf,
	.addr = ept_addr,
	.attr = ept_attr,
	.set_prot = ept_set_prot,
	.accessed = ept_accessed,
	.dirty = ept_dirty,
	.shrink = ept_shrink,
};

NPT_INSTANTIATE(npt_ept, ept_format);

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * x86-64 long-mode entries, in two uses: AMD nested paging, and the hypervisor's own map on both x86 vendors.
 * Source: AMD APM vol. 2, "Long-Mode Page Translation" and "Nested Paging"; Intel SDM vol. 3A, "4-Level Paging".
 *
 * The nested walk treats every access as a user access, so nested entries carry U/S at all levels; the hypervisor's own
 * never do. The memory type goes through the PAT register: the indices here are those that the hypervisor programs
 * into its own (include/arch/x86_64/msr.h).
 *
 * Level 0 is a PTE, 1 a PDE, 2 a PDPE, 3 a PML4E, 4 a PML5E.
 */
#include "npt/instance.h"

#define LM_PRESENT  BIT(0)
#define LM_WRITE    BIT(1)
#define LM_USER     BIT(2)
#define LM_PWT      BIT(3)
#define LM_PCD      BIT(4)
#define LM_ACCESSED BIT(5)
#define LM_DIRTY    BIT(6)
#define LM_LEAF     BIT(7) /* page size, in a PDE or PDPE */
#define LM_PAT_4K   BIT(7) /* in a PTE */
#define LM_PAT_BIG  BIT(12)
#define LM_ADDR     BITS(51, 12)
#define LM_NX       BIT(63)

/* Index into the PAT register, by enum npt_memtype, and back. */
static const uint8_t lm_pat_index[] = { [NPT_WB] = 0, [NPT_WT] = 1, [NPT_UC] = 3, [NPT_WC] = 4, [NPT_WP] = 5 };
static const uint8_t lm_memtype[8] = { NPT_WB, NPT_WT, NPT_UC, NPT_UC, NPT_WC, NPT_WP, NPT_UC, NPT_UC };

static const char *amd_name(const struct npt_config *config)
{
	(void)config;
	return "npt";
}

static const char *host_name(const struct npt_config *config)
{
	(void)config;
	return "x86_host";
}

static inline uint64_t lm_pat_bit(unsigned level)
{
	return level > 0 ? LM_PAT_BIG : LM_PAT_4K;
}

static inline hpa_t lm_addr(uint64_t pte, unsigned level)
{
	/* Bit 12 of a large leaf is its PAT bit; a table's or a 4 KiB leaf's is address. */
	return HPA(pte & LM_ADDR & ~(level > 0 && (pte & LM_LEAF) ? LM_PAT_BIG : 0));
}

static inline enum npt_kind lm_kind(uint64_t pte, unsigned level)
{
	if (!(pte & LM_PRESENT))
		return NPT_EMPTY;
	if (level == 0)
		return NPT_LEAF;
	if (!(pte & LM_LEAF))
		return NPT_TABLE;
	if (level >= NPT_LEAF_LEVELS || !is_aligned(lm_addr(pte, level).raw, npt_level_size(level)))
		return NPT_MALFORMED;
	return NPT_LEAF;
}

/* There is no bit that denies reading. */
static inline enum err lm_check(const struct npt_config *config, struct npt_attr attr)
{
	enum err err = npt_check_common(config, attr);

	if (err == ERR_OK && !(attr.prot & NPT_R))
		err = ERR_UNSUPPORTED;
	return err;
}

static inline uint64_t lm_set_prot(uint64_t pte, unsigned prot, bool hw_ad)
{
	(void)hw_ad;
	return (pte & ~(LM_WRITE | LM_NX)) | (prot & NPT_W ? LM_WRITE : 0) | (prot & NPT_X ? 0 : LM_NX);
}

static inline uint64_t lm_leaf(hpa_t hpa, struct npt_attr attr, unsigned level, bool hw_ad)
{
	unsigned pat = lm_pat_index[attr.memtype];
	uint64_t pte = hpa.raw | LM_PRESENT | (level > 0 ? LM_LEAF : 0);

	pte |= (pat & 1 ? LM_PWT : 0) | (pat & 2 ? LM_PCD : 0) | (pat & 4 ? lm_pat_bit(level) : 0);
	if (!hw_ad)
		pte |= LM_ACCESSED | LM_DIRTY;
	return lm_set_prot(pte, attr.prot, hw_ad);
}

static inline struct npt_attr lm_attr(uint64_t pte, unsigned level)
{
	unsigned pat = (pte & LM_PWT ? 1 : 0) | (pte & LM_PCD ? 2 : 0) | (pte & lm_pat_bit(level) ? 4 : 0);

	return (struct npt_attr){
		.prot = (uint8_t)(NPT_R | (pte & LM_WRITE ? NPT_W : 0) | (pte & LM_NX ? 0 : NPT_X)),
		.memtype = lm_memtype[pat],
	};
}

static inline bool lm_accessed(uint64_t pte)
{
	return pte & LM_ACCESSED;
}

static inline bool lm_dirty(uint64_t pte)
{
	return pte & LM_DIRTY;
}

static inline uint64_t lm_shrink(uint64_t pte, unsigned level)
{
	if (level > 1)
		return pte;
	/* The page-size bit of a PDE is the PAT bit of a PTE. */
	return (pte & ~(LM_LEAF | LM_PAT_BIG)) | (pte & LM_PAT_BIG ? LM_PAT_4K : 0);
}

static inline uint64_t amd_table(hpa_t table)
{
	return table.raw | LM_PRESENT | LM_WRITE | LM_USER;
}

static inline uint64_t amd_leaf(hpa_t hpa, struct npt_attr attr, unsigned level, bool hw_ad)
{
	return lm_leaf(hpa, attr, level, hw_ad) | LM_USER;
}

/* Without U/S no nested access gets through. */
static inline struct npt_attr amd_attr(uint64_t pte, unsigned level)
{
	struct npt_attr attr = lm_attr(pte, level);

	if (!(pte & LM_USER))
		attr.prot = 0;
	return attr;
}

static inline uint64_t host_table(hpa_t table)
{
	return table.raw | LM_PRESENT | LM_WRITE;
}

#define LM_FORMAT_COMMON                                                                                       \
	.min_levels = 4, .max_levels = 5, .max_gpa_bits = 57, .max_hpa_bits = 52, .kind = lm_kind,           \
	.check = lm_check, .addr = lm_addr, .set_prot = lm_set_prot, .accessed = lm_accessed, .dirty = lm_dirty, .shrink = lm_shrink

static const struct npt_format amd_format = {
	LM_FORMAT_COMMON,
	.name = amd_name,
	.table = amd_table,
	.leaf = amd_leaf,
	.attr = amd_attr,
};

static const struct npt_format host_format = {
	LM_FORMAT_COMMON,
	.name = host_name,
	.table = host_table,
	.leaf = lm_leaf,
	.attr = lm_attr,
};

NPT_INSTANTIATE(npt_amd, amd_format);
NPT_INSTANTIATE(npt_x86_host, host_format);

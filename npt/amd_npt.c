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
#include "npt/walk.h"

#define LM_PRESENT        BIT(0)
#define LM_WRITE          BIT(1)
#define LM_USER           BIT(2)
#define LM_PWT            BIT(3)
#define LM_PCD            BIT(4)
#define LM_ACCESSED       BIT(5)
#define LM_DIRTY          BIT(6)
#define LM_LEAF           BIT(7) /* page size, in a PDE or PDPE */
#define LM_PAT_4K         BIT(7) /* in a PTE */
#define LM_PAT_BIG        BIT(12)
#define LM_ADDR           BITS(51, 12)
#define LM_NX             BIT(63)
/* Bits 58:52 of a leaf are available to software, bits 58:52 and 11:9 of a table's entry, and all of an entry that is not present.
 */
#define LM_SHARED         BIT(52)
#define LM_TABLE_SHARED   BIT(11)
#define LM_TABLE_PAID     BIT(53)
#define LM_ACCESS_TRACKED BIT(53)

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

static inline bool lm_access_tracked(uint64_t pte)
{
	return (pte & (LM_ACCESS_TRACKED | LM_PRESENT)) == LM_ACCESS_TRACKED;
}

static inline uint64_t lm_track_access(uint64_t pte)
{
	return (pte & ~LM_PRESENT) | LM_ACCESS_TRACKED;
}

static inline uint64_t lm_untrack_access(uint64_t pte)
{
	return lm_access_tracked(pte) ? pte ^ (LM_ACCESS_TRACKED | LM_PRESENT) : pte;
}

/* The low address bits, which a leaf of this level must have clear: bit 12 of a large one is its PAT bit. */
static inline uint64_t lm_misaligned(unsigned level)
{
	return LM_ADDR & (npt_level_size(level) - 1) & ~LM_PAT_BIG;
}

/* `user` must be there in a leaf: LM_USER or nothing. */
static inline enum npt_kind lm_kind(uint64_t pte, unsigned level, uint64_t user)
{
	uint64_t leaf = user | (level > 0 ? LM_LEAF : 0);

	if (level > 0 && (pte & (LM_PRESENT | LM_LEAF | LM_TABLE_SHARED)) == LM_PRESENT)
		return NPT_TABLE;
	if (!(pte & LM_PRESENT) && !(pte & LM_ACCESS_TRACKED))
		return NPT_EMPTY;
	if (level > 0 && (pte & (LM_PRESENT | LM_LEAF)) == LM_PRESENT)
		return level == 1 && user ? NPT_SHARED : NPT_TABLE;
	return level < NPT_LEAF_LEVELS && (pte & (leaf | lm_misaligned(level))) == leaf ? NPT_LEAF : NPT_MALFORMED;
}

/* There is no bit that denies reading. */
static inline enum err lm_check(const struct npt_config *config, struct npt_attr attr)
{
	enum err err = npt_check_common(config, attr);

	if (err == ERR_OK && !(attr.prot & NPT_R))
		err = ERR_UNSUPPORTED;
	return err;
}

static inline uint64_t lm_leaf(hpa_t hpa, unsigned memtype, unsigned level)
{
	unsigned pat = lm_pat_index[memtype];

	return hpa.raw | LM_PRESENT | (level > 0 ? LM_LEAF : 0) | (pat & 1 ? LM_PWT : 0) | (pat & 2 ? LM_PCD : 0) |
	       (pat & 4 ? lm_pat_bit(level) : 0);
}

static inline struct npt_attr lm_attr(uint64_t pte, unsigned level)
{
	unsigned pat = (pte & LM_PWT ? 1 : 0) | (pte & LM_PCD ? 2 : 0) | (pte & lm_pat_bit(level) ? 4 : 0);

	return (struct npt_attr){
		.prot = (uint8_t)(NPT_R | (pte & LM_WRITE ? NPT_W : 0) | (pte & LM_NX ? 0 : NPT_X)),
		.memtype = lm_memtype[pat],
		.shared = pte & LM_SHARED,
	};
}

static inline unsigned lm_ad_bits(uint64_t pte)
{
	return (pte & LM_ACCESSED ? NPT_ACCESSED : 0) | (pte & LM_DIRTY ? NPT_DIRTY : 0);
}

static inline uint64_t lm_set(uint64_t pte, struct npt_attr attr, unsigned ad_bits, bool hardware_ad)
{
	(void)hardware_ad;
	return (pte & ~(LM_WRITE | LM_NX | LM_SHARED | LM_ACCESSED | LM_DIRTY)) | (attr.prot & NPT_W ? LM_WRITE : 0) |
	       (attr.prot & NPT_X ? 0 : LM_NX) | (attr.shared ? LM_SHARED : 0) | (ad_bits & NPT_ACCESSED ? LM_ACCESSED : 0) |
	       (ad_bits & NPT_DIRTY ? LM_DIRTY : 0);
}

static inline uint64_t lm_split(uint64_t pte, unsigned level)
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

static inline uint64_t amd_leaf(hpa_t hpa, unsigned memtype, unsigned level)
{
	return lm_leaf(hpa, memtype, level) | LM_USER;
}

/* A nested access is a user access: without U/S it always faults. */
static inline enum npt_kind amd_kind(uint64_t pte, unsigned level)
{
	return lm_kind(pte, level, LM_USER);
}

static inline enum npt_kind host_kind(uint64_t pte, unsigned level)
{
	return lm_kind(pte, level, 0);
}

static inline uint64_t host_table(hpa_t table)
{
	return table.raw | LM_PRESENT | LM_WRITE;
}

#define LM_FORMAT_COMMON                                                                                                      \
	.min_levels = 4, .max_levels = 5, .max_gpa_bits = 57, .max_hpa_bits = 52, .hardware_ad_bits = LM_ACCESSED | LM_DIRTY, \
	.check = lm_check, .attr = lm_attr, .ad_bits = lm_ad_bits, .set = lm_set, .access_tracked = lm_access_tracked,        \
	.track_access = lm_track_access, .untrack_access = lm_untrack_access, .split = lm_split

static const struct npt_format amd_format = {
	LM_FORMAT_COMMON,
	.name = amd_name,
	.table_shared = LM_TABLE_SHARED,
	.table_paid = LM_TABLE_PAID,
	.page = { .mask = LM_PRESENT | LM_USER, .value = LM_PRESENT | LM_USER, .address = LM_ADDR },
	.table = amd_table,
	.kind = amd_kind,
	.leaf = amd_leaf,
};

static const struct npt_format host_format = {
	LM_FORMAT_COMMON,    .name = host_name, .page = { .mask = LM_PRESENT, .value = LM_PRESENT, .address = LM_ADDR },
	.table = host_table, .kind = host_kind, .leaf = lm_leaf,
};

NPT_INSTANTIATE(npt_amd, amd_format);
NPT_INSTANTIATE(npt_x86_host, host_format);

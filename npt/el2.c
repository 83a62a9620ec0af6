/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * AArch64 stage 1 descriptors of EL2's own translation regime (HCR_EL2.E2H is 0: one range of virtual addresses, no
 * unprivileged accesses), 4 KiB granule: the hypervisor's own map.
 * Source: Arm ARM (DDI 0487), chapter D8 "The AArch64 Virtual Memory System Architecture": "VMSAv8-64 descriptor
 * formats", "Stage 1 memory type and Cacheability attributes", "Direct permissions", "Shareability".
 *
 * The memory type is an index into MAIR_EL2: the indices here are those that boot/aarch64/machine.c programs.
 *
 * Level 0 is the manual's level 3, 1 its level 2, 2 its level 1, 3 its level 0.
 */
#include "npt/instance.h"

#define S1_VALID      BIT(0)
#define S1_TABLE      BIT(1) /* table at the upper levels, page at the last one */
#define S1_ATTRINDX   BITS(4, 2)
#define S1_AP1        BIT(6) /* RES1 where there is one privilege level */
#define S1_READ_ONLY  BIT(7) /* AP[2] */
#define S1_SH_INNER   BITS(9, 8)
#define S1_AF         BIT(10)
#define S1_XN         BIT(54)
#define S1_ADDR       BITS(47, 12)

enum { S1_ATTRINDX_SHIFT = 2 };

/* Index into MAIR_EL2, by enum npt_memtype, and back. Nothing here makes an index above 3. */
static const uint8_t s1_index[] = { [NPT_WB] = 0, [NPT_WT] = 1, [NPT_WC] = 2, [NPT_UC] = 3 };
static const uint8_t s1_memtype[8] = { NPT_WB, NPT_WT, NPT_WC, NPT_UC, NPT_UC, NPT_UC, NPT_UC, NPT_UC };

static const char *s1_name(const struct npt_config *config)
{
	(void)config;
	return "el2_host";
}

static inline enum npt_kind s1_kind(uint64_t pte, unsigned level)
{
	if (!(pte & S1_VALID))
		return NPT_EMPTY;
	if (level > 0 && (pte & S1_TABLE))
		return NPT_TABLE;
	/* A block at the last level or above 1 GiB is reserved. */
	if ((level == 0) != ((pte & S1_TABLE) != 0) || level >= NPT_LEAF_LEVELS)
		return NPT_MALFORMED;
	return NPT_LEAF;
}

/* There is no bit that denies reading. */
static inline enum err s1_check(const struct npt_config *config, struct npt_attr attr)
{
	enum err err = npt_check_common(config, attr);

	if (err == ERR_OK && (!(attr.prot & NPT_R) || attr.memtype == NPT_WP))
		err = ERR_UNSUPPORTED;
	return err;
}

static inline uint64_t s1_table(hpa_t table)
{
	return table.raw | S1_TABLE | S1_VALID;
}

static inline uint64_t s1_set_prot(uint64_t pte, unsigned prot, bool hw_ad)
{
	(void)hw_ad;
	return (pte & ~(S1_READ_ONLY | S1_XN)) | (prot & NPT_W ? 0 : S1_READ_ONLY) | (prot & NPT_X ? 0 : S1_XN);
}

/* Accessed and dirty are not kept track of: the access flag is always set. */
static inline uint64_t s1_leaf(hpa_t hpa, struct npt_attr attr, unsigned level, bool hw_ad)
{
	uint64_t pte = hpa.raw | S1_AF | S1_AP1 | S1_VALID | (level == 0 ? S1_TABLE : 0);

	pte |= (uint64_t)s1_index[attr.memtype] << S1_ATTRINDX_SHIFT;
	if (attr.memtype != NPT_UC)
		pte |= S1_SH_INNER;
	return s1_set_prot(pte, attr.prot, hw_ad);
}

static inline hpa_t s1_addr(uint64_t pte, unsigned level)
{
	/* Bits below a block's address hold other fields. */
	bool whole = level == 0 || (pte & S1_TABLE);

	return HPA(pte & S1_ADDR & (whole ? ~UINT64_C(0) : ~(npt_level_size(level) - 1)));
}

static inline struct npt_attr s1_attr(uint64_t pte, unsigned level)
{
	(void)level;
	return (struct npt_attr){
		.prot = (uint8_t)(NPT_R | (pte & S1_READ_ONLY ? 0 : NPT_W) | (pte & S1_XN ? 0 : NPT_X)),
		.memtype = s1_memtype[(pte & S1_ATTRINDX) >> S1_ATTRINDX_SHIFT],
	};
}

static inline bool s1_accessed(uint64_t pte)
{
	return pte & S1_AF;
}

static inline bool s1_dirty(uint64_t pte)
{
	return !(pte & S1_READ_ONLY);
}

static inline uint64_t s1_shrink(uint64_t pte, unsigned level)
{
	return level == 1 ? pte | S1_TABLE : pte;
}

static const struct npt_format s1_format = {
	.name = s1_name,
	.min_levels = 4,
	.max_levels = 4,
	.max_gpa_bits = 48,
	.max_hpa_bits = 48,
	.break_before_make = true,
	.kind = s1_kind,
	.check = s1_check,
	.table = s1_table,
	.leaf = s1_leaf,
	.addr = s1_addr,
	.attr = s1_attr,
	.set_prot = s1_set_prot,
	.accessed = s1_accessed,
	.dirty = s1_dirty,
	.shrink = s1_shrink,
};

NPT_INSTANTIATE(npt_el2_host, s1_format);

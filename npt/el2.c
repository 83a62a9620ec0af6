/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * AArch64 stage 1 descriptors of EL2's own translation regimes, 4 KiB granule: the hypervisor's own map. In EL2's (HCR_EL2.E2H is
 * 0) there are no unprivileged accesses; in EL2&0 (E2H is 1) there may be, and nothing is for them. All is global (nG is 0) there.
 * Source: Arm ARM (DDI 0487), chapter D8 "The AArch64 Virtual Memory System Architecture": "VMSAv8-64 descriptor
 * formats", "Stage 1 memory type and Cacheability attributes", "Direct permissions", "Shareability".
 *
 * The memory type is an index into MAIR_EL2: the indices here are those that boot/aarch64/machine.c programs.
 *
 * Level 0 is the manual's level 3, 1 its level 2, 2 its level 1, 3 its level 0.
 */
#include "npt/walk.h"

#define S1_VALID          BIT(0)
#define S1_TABLE          BIT(1) /* table at the upper levels, page at the last one */
#define S1_ATTRINDX       BITS(4, 2)
#define S1_AP1            BIT(6) /* RES1 where there is one privilege level; in EL2&0 an access of EL0's */
#define S1_READ_ONLY      BIT(7) /* AP[2] */
#define S1_SH_INNER       BITS(9, 8)
#define S1_AF             BIT(10)
#define S1_PXN            BIT(53) /* in EL2&0: EL2 does not execute; */
#define S1_XN             BIT(54) /* EL0 does not. In EL2's own regime: EL2 does not */
#define S1_ADDR           BITS(47, 12)
/* Bits 58:55 are for software, which keeps the dirty state here by itself; and all of an invalid descriptor but bit 0. */
#define S1_DIRTY          BIT(55)
#define S1_SHARED         BIT(56)
#define S1_ACCESS_TRACKED BIT(57)

enum { S1_ATTRINDX_SHIFT = 2 };

/* Index into MAIR_EL2, by enum npt_memtype, and back. Nothing here makes an index above 3. */
static const uint8_t s1_index[] = { [NPT_WB] = 0, [NPT_WT] = 1, [NPT_WC] = 2, [NPT_UC] = 3 };
static const uint8_t s1_memtype[8] = { NPT_WB, NPT_WT, NPT_WC, NPT_UC, NPT_UC, NPT_UC, NPT_UC, NPT_UC };

static inline bool s1_access_tracked(uint64_t pte)
{
	return (pte & (S1_ACCESS_TRACKED | S1_VALID)) == S1_ACCESS_TRACKED;
}

static inline uint64_t s1_track_access(uint64_t pte)
{
	return (pte & ~S1_VALID) | S1_ACCESS_TRACKED;
}

static inline uint64_t s1_untrack_access(uint64_t pte)
{
	return s1_access_tracked(pte) ? pte ^ (S1_ACCESS_TRACKED | S1_VALID) : pte;
}

static inline enum npt_kind s1_kind(uint64_t pte, unsigned level)
{
	if ((pte & (S1_VALID | S1_TABLE)) == (S1_VALID | S1_TABLE))
		return level > 0 ? NPT_TABLE : NPT_LEAF;
	if (!(pte & (S1_VALID | S1_ACCESS_TRACKED)))
		return NPT_EMPTY;
	/* A block at the last level or above 1 GiB is reserved. */
	return (level == 0) == ((pte & S1_TABLE) != 0) && level < NPT_LEAF_LEVELS ? NPT_LEAF : NPT_MALFORMED;
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

static inline unsigned s1_ad_bits(uint64_t pte)
{
	return (pte & S1_AF ? NPT_ACCESSED : 0) | (pte & S1_DIRTY ? NPT_DIRTY : 0);
}

/* But for permission to execute. */
static inline uint64_t s1_set_most(uint64_t pte, struct npt_attr attr, unsigned ad_bits)
{
	return (pte & ~(S1_READ_ONLY | S1_SHARED | S1_AF | S1_DIRTY)) | (attr.prot & NPT_W ? 0 : S1_READ_ONLY) |
	       (attr.shared ? S1_SHARED : 0) | (ad_bits & NPT_ACCESSED ? S1_AF : 0) | (ad_bits & NPT_DIRTY ? S1_DIRTY : 0);
}

static inline uint64_t s1_leaf_most(hpa_t hpa, unsigned memtype, unsigned level)
{
	return hpa.raw | S1_VALID | (level == 0 ? S1_TABLE : 0) | ((uint64_t)s1_index[memtype] << S1_ATTRINDX_SHIFT) |
	       (memtype != NPT_UC ? S1_SH_INNER : 0);
}

static inline struct npt_attr s1_attr_but(uint64_t pte, uint64_t execute_never)
{
	return (struct npt_attr){
		.prot = (uint8_t)(NPT_R | (pte & S1_READ_ONLY ? 0 : NPT_W) | (pte & execute_never ? 0 : NPT_X)),
		.memtype = s1_memtype[(pte & S1_ATTRINDX) >> S1_ATTRINDX_SHIFT],
		.shared = pte & S1_SHARED,
	};
}

static inline uint64_t s1_split(uint64_t pte, unsigned level)
{
	return level == 1 ? pte | S1_TABLE : pte;
}

#define S1_FORMAT                                                                                                   \
	.min_levels = 4, .max_levels = 4, .max_gpa_bits = 48, .max_hpa_bits = 48, .break_before_make = true,        \
	.page = { .mask = S1_VALID | S1_TABLE, .value = S1_VALID | S1_TABLE, .address = S1_ADDR }, .kind = s1_kind, \
	.check = s1_check, .table = s1_table, .ad_bits = s1_ad_bits, .access_tracked = s1_access_tracked,           \
	.track_access = s1_track_access, .untrack_access = s1_untrack_access, .split = s1_split

/* --- EL2 ------------------------------------------------------------------------------------------------------------ */

static const char *el2_name(const struct npt_config *config)
{
	(void)config;
	return "el2_host";
}

static inline uint64_t el2_set(uint64_t pte, struct npt_attr attr, unsigned ad_bits, bool hardware_ad)
{
	(void)hardware_ad;
	return s1_set_most(pte & ~S1_XN, attr, ad_bits) | (attr.prot & NPT_X ? 0 : S1_XN);
}

static inline uint64_t el2_leaf(hpa_t hpa, unsigned memtype, unsigned level)
{
	return s1_leaf_most(hpa, memtype, level) | S1_AP1;
}

static inline struct npt_attr el2_attr(uint64_t pte, unsigned level)
{
	(void)level;
	return s1_attr_but(pte, S1_XN);
}

static const struct npt_format el2_format = { S1_FORMAT, .name = el2_name, .leaf = el2_leaf, .attr = el2_attr, .set = el2_set };

NPT_INSTANTIATE(npt_el2_host, el2_format);

/* --- EL2&0 ---------------------------------------------------------------------------------------------------------- */

static const char *el20_name(const struct npt_config *config)
{
	(void)config;
	return "el20_host";
}

static inline uint64_t el20_set(uint64_t pte, struct npt_attr attr, unsigned ad_bits, bool hardware_ad)
{
	(void)hardware_ad;
	return s1_set_most(pte & ~S1_PXN, attr, ad_bits) | (attr.prot & NPT_X ? 0 : S1_PXN);
}

static inline uint64_t el20_leaf(hpa_t hpa, unsigned memtype, unsigned level)
{
	return s1_leaf_most(hpa, memtype, level) | S1_XN;
}

static inline struct npt_attr el20_attr(uint64_t pte, unsigned level)
{
	(void)level;
	return s1_attr_but(pte, S1_PXN);
}

static const struct npt_format el20_format = { S1_FORMAT, .name = el20_name, .leaf = el20_leaf, .attr = el20_attr,
					       .set = el20_set };

NPT_INSTANTIATE(npt_el20_host, el20_format);

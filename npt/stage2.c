/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * AArch64 stage 2 descriptors, 4 KiB granule, output addresses up to 48 bits.
 * Source: Arm ARM (DDI 0487), chapter D8 "The AArch64 Virtual Memory System Architecture": "VMSAv8-64 descriptor
 * formats", "Stage 2 memory type and cacheability attributes", "Hardware management of the dirty state",
 * "Concatenated translation tables".
 *
 * With FEAT_S2FWB ("HCR_EL2.FWB") the memory type is this entry's alone, whatever the guest's own tables say or whether it
 * has any; it has an encoding of its own, and so a format of its own.
 *
 * Level 0 is the manual's level 3, 1 its level 2, 2 its level 1, 3 its level 0. Up to 16 root tables are concatenated
 * when the input address is a few bits wider than the levels give.
 */
#include "npt/walk.h"

#define S2_VALID          BIT(0)
#define S2_TABLE          BIT(1) /* table at the upper levels, page at the last one */
#define S2_MEMATTR        BITS(5, 2)
#define S2_READ           BIT(6) /* S2AP[0] */
#define S2_WRITE          BIT(7) /* S2AP[1] */
#define S2_SH_INNER       BITS(9, 8)
#define S2_AF             BIT(10)
#define S2_DBM            BIT(51) /* hardware may set S2AP[1]: writable, dirty once that is set */
#define S2_XN             BIT(54)
/* Bits 58:55 are for software. Keeps the dirty bit of a page whose write
 * permission was removed. */
#define S2_SW_DIRTY       BIT(55)
#define S2_SHARED         BIT(56)
#define S2_ACCESS_TRACKED BIT(57) /* in a descriptor that is not valid, where all other bits are ignored */
#define S2_TABLE_SHARED   BIT(2)  /* ignored in a table's descriptor, as bits 11:2 and 58:51 are */
#define S2_TABLE_PAID     BIT(57)
#define S2_ADDR           BITS(47, 12)

enum {
	S2_MEMATTR_SHIFT = 2,
	S2_DEVICE_nGnRnE = 0x0,
	S2_NORMAL_NC = 0x5,
	S2_NORMAL_WT = 0xa,
	S2_NORMAL_WB = 0xf,
	S2_FWB_NORMAL_NC = 0x5,
	S2_FWB_NORMAL_WB = 0x6,
};

static const uint8_t s2_memattr[] = {
	[NPT_WB] = S2_NORMAL_WB,
	[NPT_WT] = S2_NORMAL_WT,
	[NPT_WC] = S2_NORMAL_NC,
	[NPT_UC] = S2_DEVICE_nGnRnE,
};

static const uint8_t s2_fwb_memattr[] = {
	[NPT_WB] = S2_FWB_NORMAL_WB,
	[NPT_WC] = S2_FWB_NORMAL_NC,
	[NPT_UC] = S2_DEVICE_nGnRnE,
};

/* The reverse: 0b00xx is one of the Device types, otherwise the low bits are the inner cacheability. */
static const uint8_t s2_memtype[16] = {
	NPT_UC, NPT_UC, NPT_UC, NPT_UC, NPT_WC, NPT_WC, NPT_WT, NPT_WB,
	NPT_WC, NPT_WC, NPT_WT, NPT_WB, NPT_WC, NPT_WC, NPT_WT, NPT_WB,
};

static const char *s2_name(const struct npt_config *config)
{
	(void)config;
	return "stage2";
}

static inline bool s2_access_tracked(uint64_t pte)
{
	return (pte & (S2_ACCESS_TRACKED | S2_VALID)) == S2_ACCESS_TRACKED;
}

static inline uint64_t s2_track_access(uint64_t pte)
{
	return (pte & ~S2_VALID) | S2_ACCESS_TRACKED;
}

static inline uint64_t s2_untrack_access(uint64_t pte)
{
	return s2_access_tracked(pte) ? pte ^ (S2_ACCESS_TRACKED | S2_VALID) : pte;
}

static inline enum npt_kind s2_kind(uint64_t pte, unsigned level)
{
	if ((pte & (S2_VALID | S2_TABLE | (level == 1 ? S2_TABLE_SHARED : 0))) == (S2_VALID | S2_TABLE))
		return level > 0 ? NPT_TABLE : NPT_LEAF;
	if (level == 1 && (pte & (S2_VALID | S2_TABLE)) == (S2_VALID | S2_TABLE))
		return NPT_SHARED;
	if (!(pte & (S2_VALID | S2_ACCESS_TRACKED)))
		return NPT_EMPTY;
	/* A block at the last level or above 1 GiB is reserved. */
	return (level == 0) == ((pte & S2_TABLE) != 0) && level < NPT_LEAF_LEVELS ? NPT_LEAF : NPT_MALFORMED;
}

/* Execute-only is left out: no area wants it, and its stage 2 encoding has changed between revisions. */
static inline enum err s2_check(const struct npt_config *config, struct npt_attr attr)
{
	enum err err = npt_check_common(config, attr);

	if (err == ERR_OK && (!(attr.prot & NPT_R) || attr.memtype == NPT_WP))
		err = ERR_UNSUPPORTED;
	return err;
}

static inline enum err s2_fwb_check(const struct npt_config *config, struct npt_attr attr)
{
	return attr.memtype == NPT_WT ? ERR_UNSUPPORTED : s2_check(config, attr);
}

static inline uint64_t s2_table(hpa_t table)
{
	return table.raw | S2_TABLE | S2_VALID;
}

static inline unsigned s2_ad_bits(uint64_t pte)
{
	return (pte & S2_AF ? NPT_ACCESSED : 0) | (pte & (S2_WRITE | S2_SW_DIRTY) ? NPT_DIRTY : 0);
}

/* Where hardware keeps the dirty state, a writable clean page has DBM and no write permission. */
static inline uint64_t s2_set(uint64_t pte, struct npt_attr attr, unsigned ad_bits, bool hardware_ad)
{
	bool dirty = ad_bits & NPT_DIRTY;

	pte &= ~(S2_READ | S2_WRITE | S2_DBM | S2_SW_DIRTY | S2_XN | S2_SHARED | S2_AF);
	if (attr.prot & NPT_R)
		pte |= S2_READ;
	if (attr.prot & NPT_W)
		pte |= (hardware_ad ? S2_DBM : 0) | (dirty || !hardware_ad ? S2_WRITE : 0);
	else if (dirty)
		pte |= S2_SW_DIRTY;
	return pte | (attr.prot & NPT_X ? 0 : S2_XN) | (attr.shared ? S2_SHARED : 0) | (ad_bits & NPT_ACCESSED ? S2_AF : 0);
}

static inline uint64_t s2_leaf(hpa_t hpa, unsigned memtype, unsigned level)
{
	return hpa.raw | S2_VALID | (level == 0 ? S2_TABLE : 0) | ((uint64_t)s2_memattr[memtype] << S2_MEMATTR_SHIFT) |
	       (memtype != NPT_UC ? S2_SH_INNER : 0);
}

static inline uint64_t s2_fwb_leaf(hpa_t hpa, unsigned memtype, unsigned level)
{
	return (s2_leaf(hpa, memtype, level) & ~S2_MEMATTR) | (uint64_t)s2_fwb_memattr[memtype] << S2_MEMATTR_SHIFT;
}

static inline struct npt_attr s2_attr(uint64_t pte, unsigned level)
{
	(void)level;
	return (struct npt_attr){
		.prot = (uint8_t)((pte & S2_READ ? NPT_R : 0) | (pte & (S2_WRITE | S2_DBM) ? NPT_W : 0) |
				  (pte & S2_XN ? 0 : NPT_X)),
		.memtype = s2_memtype[(pte & S2_MEMATTR) >> S2_MEMATTR_SHIFT],
		.shared = pte & S2_SHARED,
	};
}

static inline struct npt_attr s2_fwb_attr(uint64_t pte, unsigned level)
{
	unsigned memattr = (unsigned)((pte & S2_MEMATTR) >> S2_MEMATTR_SHIFT) & 7;
	struct npt_attr attr = s2_attr(pte, level);

	/* 0b0xx: one of the Device types; 0b111, which leaves it to stage 1, is never written. */
	attr.memtype = memattr < 4 ? NPT_UC : memattr < S2_FWB_NORMAL_WB ? NPT_WC : NPT_WB;
	return attr;
}

static inline uint64_t s2_split(uint64_t pte, unsigned level)
{
	return level == 1 ? pte | S2_TABLE : pte;
}

#define S2_FORMAT_COMMON                                                                                                      \
	.name = s2_name, .min_levels = 3, .max_levels = 4, .max_root_order = 4, .max_gpa_bits = 48, .max_hpa_bits = 48,       \
	.break_before_make = true, .page = { .mask = S2_VALID | S2_TABLE, .value = S2_VALID | S2_TABLE, .address = S2_ADDR }, \
	.table_shared = S2_TABLE_SHARED, .table_paid = S2_TABLE_PAID, .hardware_ad_bits = S2_AF | S2_WRITE, .kind = s2_kind,  \
	.table = s2_table, .ad_bits = s2_ad_bits, .set = s2_set, .access_tracked = s2_access_tracked,                         \
	.track_access = s2_track_access, .untrack_access = s2_untrack_access, .split = s2_split

static const struct npt_format s2_format = {
	S2_FORMAT_COMMON,
	.check = s2_check,
	.leaf = s2_leaf,
	.attr = s2_attr,
};

static const struct npt_format s2_fwb_format = {
	S2_FORMAT_COMMON,
	.check = s2_fwb_check,
	.leaf = s2_fwb_leaf,
	.attr = s2_fwb_attr,
};

NPT_INSTANTIATE(npt_stage2, s2_format);
NPT_INSTANTIATE(npt_stage2_fwb, s2_fwb_format);

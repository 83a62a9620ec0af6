/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * RISC-V entries, in two uses: the G-stage's Sv39x4, Sv48x4 and Sv57x4, and the Sv39, Sv48 and Sv57 of the hypervisor's own
 * map. Source: RISC-V Privileged Architecture, chapter "Hypervisor Extension", "Guest physical address translation";
 * chapter "Supervisor-Level ISA", "Sv39", "Svpbmt", "Svade".
 *
 * A G-stage root has 2048 entries (16 KiB, so aligned): two index bits more than other tables. Every G-stage access is a
 * user access, so its leaves carry U; the hypervisor's own never do.
 *
 * Level numbers are the manual's.
 */
#include "npt/riscv.h"

#include "npt/instance.h"

#define RV_VALID    BIT(0)
#define RV_READ     BIT(1)
#define RV_WRITE    BIT(2)
#define RV_EXECUTE  BIT(3)
#define RV_ACCESS   (RV_READ | RV_WRITE | RV_EXECUTE)
#define RV_USER     BIT(4)
#define RV_ACCESSED BIT(6)
#define RV_DIRTY    BIT(7)
#define RV_PPN      BITS(53, 10)
#define RV_RESERVED BITS(60, 54)
#define RV_PBMT     BITS(62, 61)
#define RV_NAPOT    BIT(63) /* reserved without Svnapot, which is not used here */

enum {
	RV_PROT_SHIFT = 1, /* R, W, X in the order of enum npt_prot */
	RV_PPN_SHIFT = 2,  /* from an address to a PPN field */
	RV_PBMT_SHIFT = 61,
	RV_PBMT_PMA = 0, /* as the physical memory attributes say: write-back for RAM */
	RV_PBMT_NC = 1,
	RV_PBMT_IO = 2,
};

_Static_assert(RV_READ == NPT_R << RV_PROT_SHIFT && RV_WRITE == NPT_W << RV_PROT_SHIFT &&
		       RV_EXECUTE == NPT_X << RV_PROT_SHIFT,
	       "permissions are shifted into place");

static const uint8_t rv_pbmt[] = { [NPT_WB] = RV_PBMT_PMA, [NPT_WC] = RV_PBMT_NC, [NPT_UC] = RV_PBMT_IO };
static const uint8_t rv_memtype[] = { NPT_WB, NPT_WC, NPT_UC, NPT_UC };

static const char *x4_name(const struct npt_config *config)
{
	static const char *const names[] = { [3] = "sv39x4", [4] = "sv48x4", [5] = "sv57x4" };

	return names[config->levels];
}

static const char *host_name(const struct npt_config *config)
{
	static const char *const names[] = { [3] = "sv39", [4] = "sv48", [5] = "sv57" };

	return names[config->levels];
}

static inline hpa_t rv_addr(uint64_t pte, unsigned level)
{
	(void)level;
	return HPA((pte & RV_PPN) << RV_PPN_SHIFT);
}

static inline enum npt_kind rv_kind(uint64_t pte, unsigned level)
{
	if (!(pte & RV_VALID))
		return NPT_EMPTY;
	if (pte & (RV_RESERVED | RV_NAPOT))
		return NPT_MALFORMED;
	if (!(pte & RV_ACCESS))
		return level > 0 && !(pte & (RV_USER | RV_ACCESSED | RV_DIRTY | RV_PBMT)) ? NPT_TABLE : NPT_MALFORMED;
	if (!(pte & RV_READ) && (pte & RV_WRITE))
		return NPT_MALFORMED;
	/* The manual has leaves above 1 GiB too; none are made for a guest. */
	if (level >= NPT_LEAF_LEVELS || (pte & RV_PBMT) == RV_PBMT || !is_aligned(rv_addr(pte, level).raw, npt_level_size(level)))
		return NPT_MALFORMED;
	return NPT_LEAF;
}

static inline enum err rv_check(const struct npt_config *config, struct npt_attr attr)
{
	enum err err = npt_check_common(config, attr);

	if (err != ERR_OK)
		return err;
	if (attr.memtype == NPT_WT || attr.memtype == NPT_WP || (attr.memtype != NPT_WB && !config->page_memtypes))
		return ERR_UNSUPPORTED;
	return ERR_OK;
}

static inline uint64_t rv_table(hpa_t table)
{
	return (table.raw >> RV_PPN_SHIFT) | RV_VALID;
}

static inline uint64_t rv_leaf(hpa_t hpa, struct npt_attr attr, unsigned level, bool hw_ad)
{
	(void)level;
	return (hpa.raw >> RV_PPN_SHIFT) | RV_VALID | ((uint64_t)attr.prot << RV_PROT_SHIFT) |
	       ((uint64_t)rv_pbmt[attr.memtype] << RV_PBMT_SHIFT) | (hw_ad ? 0 : RV_ACCESSED | RV_DIRTY);
}

static inline struct npt_attr rv_attr(uint64_t pte, unsigned level)
{
	(void)level;
	return (struct npt_attr){
		.prot = (uint8_t)((pte & RV_ACCESS) >> RV_PROT_SHIFT),
		.memtype = rv_memtype[(pte & RV_PBMT) >> RV_PBMT_SHIFT],
	};
}

static inline uint64_t x4_leaf(hpa_t hpa, struct npt_attr attr, unsigned level, bool hw_ad)
{
	return rv_leaf(hpa, attr, level, hw_ad) | RV_USER;
}

/* Without U no G-stage access gets through. */
static inline struct npt_attr x4_attr(uint64_t pte, unsigned level)
{
	struct npt_attr attr = rv_attr(pte, level);

	if (!(pte & RV_USER))
		attr.prot = 0;
	return attr;
}

/* With U none of the hypervisor's own does: its SUM is clear. */
static inline struct npt_attr host_attr(uint64_t pte, unsigned level)
{
	struct npt_attr attr = rv_attr(pte, level);

	if (pte & RV_USER)
		attr.prot = 0;
	return attr;
}

static inline uint64_t rv_set_prot(uint64_t pte, unsigned prot, bool hw_ad)
{
	(void)hw_ad;
	return (pte & ~RV_ACCESS) | ((uint64_t)prot << RV_PROT_SHIFT);
}

static inline bool rv_accessed(uint64_t pte)
{
	return pte & RV_ACCESSED;
}

static inline bool rv_dirty(uint64_t pte)
{
	return pte & RV_DIRTY;
}

/* A leaf looks the same at every level. */
static inline uint64_t rv_shrink(uint64_t pte, unsigned level)
{
	(void)level;
	return pte;
}

#define RV_FORMAT_COMMON                                                                                         \
	.min_levels = 3, .max_levels = 5, .max_hpa_bits = 56, .kind = rv_kind, .check = rv_check,                \
	.table = rv_table, .addr = rv_addr, .set_prot = rv_set_prot, .accessed = rv_accessed, .dirty = rv_dirty, \
	.shrink = rv_shrink

static const struct npt_format x4_format = {
	RV_FORMAT_COMMON,
	.name = x4_name,
	.min_root_order = 2,
	.max_root_order = 2,
	.max_gpa_bits = 59,
	.leaf = x4_leaf,
	.attr = x4_attr,
};

/* Addresses are sign-extended: one to one goes up to the sign bit. */
static const struct npt_format host_format = {
	RV_FORMAT_COMMON,
	.name = host_name,
	.max_gpa_bits = 56,
	.leaf = rv_leaf,
	.attr = host_attr,
};

NPT_INSTANTIATE(npt_riscv_x4, x4_format);
NPT_INSTANTIATE(npt_riscv_host, host_format);

void npt_riscv_identity_root(uint64_t *root, unsigned levels)
{
	const struct npt_attr attr = { .prot = NPT_RWX, .memtype = NPT_WB };

	for (unsigned i = 0; i < 1u << (NPT_INDEX_BITS - 1); i++)
		root[i] = rv_leaf(HPA(i * npt_level_size(levels - 1)), attr, levels - 1, false);
}

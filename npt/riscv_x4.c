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

#include "npt/walk.h"

#define RV_VALID          BIT(0)
#define RV_READ           BIT(1)
#define RV_WRITE          BIT(2)
#define RV_EXECUTE        BIT(3)
#define RV_ACCESS         (RV_READ | RV_WRITE | RV_EXECUTE)
#define RV_USER           BIT(4)
#define RV_GLOBAL         BIT(5)
#define RV_ACCESSED       BIT(6)
#define RV_DIRTY          BIT(7)
/* RSW, for software; in an entry that is not valid all bits are. */
#define RV_SHARED         BIT(8)
#define RV_ACCESS_TRACKED BIT(9)
#define RV_TABLE_PAID     BIT(9)
#define RV_IGNORED        (RV_GLOBAL | RV_TABLE_PAID) /* in a table's entry, and so is RV_SHARED */
#define RV_PPN            BITS(53, 10)
#define RV_RESERVED       BITS(60, 54)
#define RV_PBMT           BITS(62, 61)
#define RV_NAPOT          BIT(63) /* reserved without Svnapot, which is not used here */

enum {
	RV_PROT_SHIFT = 1, /* R, W, X in the order of enum npt_prot */
	RV_PPN_SHIFT = 2,  /* from an address to a PPN field */
	RV_PBMT_SHIFT = 61,
	RV_PBMT_PMA = 0, /* as the physical memory attributes say: write-back for RAM */
	RV_PBMT_NC = 1,
	RV_PBMT_IO = 2,
};

_Static_assert(RV_READ == NPT_R << RV_PROT_SHIFT && RV_WRITE == NPT_W << RV_PROT_SHIFT && RV_EXECUTE == NPT_X << RV_PROT_SHIFT,
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

static inline bool rv_access_tracked(uint64_t pte)
{
	return (pte & (RV_ACCESS_TRACKED | RV_VALID)) == RV_ACCESS_TRACKED;
}

static inline uint64_t rv_track_access(uint64_t pte)
{
	return (pte & ~RV_VALID) | RV_ACCESS_TRACKED;
}

static inline uint64_t rv_untrack_access(uint64_t pte)
{
	return rv_access_tracked(pte) ? pte ^ (RV_ACCESS_TRACKED | RV_VALID) : pte;
}

/* What a leaf must have clear, whatever it maps: reserved bits, and address bits below its size. */
static inline uint64_t rv_forbidden(unsigned level)
{
	return RV_RESERVED | RV_NAPOT | (RV_PPN & ((npt_level_size(level) >> RV_PPN_SHIFT) - 1));
}

/* All entries but those that rv_kind recognises by itself: leaves that are access-tracked, of a rare memory type or not readable.
 */
static __attribute__((noinline)) enum npt_kind rv_rare_kind(uint64_t pte, unsigned level, uint64_t user)
{
	if (!(pte & (RV_VALID | RV_ACCESS_TRACKED)))
		return NPT_EMPTY;
	if (level > 0 && (pte & ~(RV_PPN | RV_IGNORED | RV_SHARED)) == RV_VALID)
		return level == 1 && user ? NPT_SHARED : NPT_TABLE;
	/* The manual has leaves above 1 GiB too; none are made for a guest. */
	return level < NPT_LEAF_LEVELS && !(pte & rv_forbidden(level)) && (pte & (RV_READ | RV_EXECUTE)) &&
			       (pte & (RV_READ | RV_WRITE)) != RV_WRITE && (pte & RV_PBMT) != RV_PBMT && (pte & RV_USER) == user ?
		       NPT_LEAF :
		       NPT_MALFORMED;
}

static inline enum npt_kind rv_kind(uint64_t pte, unsigned level, uint64_t user)
{
	uint64_t leaf = RV_VALID | RV_READ | user;

	if (level > 0 && (pte & ~(RV_PPN | RV_IGNORED)) == RV_VALID)
		return NPT_TABLE;
	if (level < NPT_LEAF_LEVELS && (pte & (leaf | RV_USER | RV_PBMT | rv_forbidden(level))) == leaf)
		return NPT_LEAF;
	return pte == 0 ? NPT_EMPTY : rv_rare_kind(pte, level, user);
}

/* A G-stage access is a user access: without U it always faults. */
static inline enum npt_kind x4_kind(uint64_t pte, unsigned level)
{
	return rv_kind(pte, level, RV_USER);
}

/* The hypervisor runs with SUM clear: with U its own access always faults. */
static inline enum npt_kind host_kind(uint64_t pte, unsigned level)
{
	return rv_kind(pte, level, 0);
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

static inline uint64_t rv_leaf(hpa_t hpa, unsigned memtype, unsigned level)
{
	(void)level;
	return (hpa.raw >> RV_PPN_SHIFT) | RV_VALID | ((uint64_t)rv_pbmt[memtype] << RV_PBMT_SHIFT);
}

static inline struct npt_attr rv_attr(uint64_t pte, unsigned level)
{
	(void)level;
	return (struct npt_attr){
		.prot = (uint8_t)((pte & RV_ACCESS) >> RV_PROT_SHIFT),
		.memtype = rv_memtype[(pte & RV_PBMT) >> RV_PBMT_SHIFT],
		.shared = pte & RV_SHARED,
	};
}

static inline uint64_t x4_leaf(hpa_t hpa, unsigned memtype, unsigned level)
{
	return rv_leaf(hpa, memtype, level) | RV_USER;
}

static inline unsigned rv_ad_bits(uint64_t pte)
{
	return (pte & RV_ACCESSED ? NPT_ACCESSED : 0) | (pte & RV_DIRTY ? NPT_DIRTY : 0);
}

static inline uint64_t rv_set(uint64_t pte, struct npt_attr attr, unsigned ad_bits, bool hardware_ad)
{
	(void)hardware_ad;
	return (pte & ~(RV_ACCESS | RV_SHARED | RV_ACCESSED | RV_DIRTY)) | ((uint64_t)attr.prot << RV_PROT_SHIFT) |
	       (attr.shared ? RV_SHARED : 0) | (ad_bits & NPT_ACCESSED ? RV_ACCESSED : 0) | (ad_bits & NPT_DIRTY ? RV_DIRTY : 0);
}

/* A leaf looks the same at every level. */
static inline uint64_t rv_split(uint64_t pte, unsigned level)
{
	(void)level;
	return pte;
}

#define RV_PAGE(user)                                                                                                          \
	{                                                                                                                      \
		.mask = RV_VALID | RV_READ | RV_USER | RV_PBMT | RV_RESERVED | RV_NAPOT, .value = RV_VALID | RV_READ | (user), \
		.address = RV_PPN, .shift = RV_PPN_SHIFT                                                                       \
	}

#define RV_FORMAT_COMMON                                                                                                     \
	.min_levels = 3, .max_levels = 5, .max_hpa_bits = 56, .hardware_ad_bits = RV_ACCESSED | RV_DIRTY, .check = rv_check, \
	.table = rv_table, .attr = rv_attr, .ad_bits = rv_ad_bits, .set = rv_set, .access_tracked = rv_access_tracked,       \
	.track_access = rv_track_access, .untrack_access = rv_untrack_access, .split = rv_split

static const struct npt_format x4_format = {
	RV_FORMAT_COMMON,    .table_shared = RV_SHARED, .table_paid = RV_TABLE_PAID, .name = x4_name, .page = RV_PAGE(RV_USER),
	.min_root_order = 2, .max_root_order = 2,       .max_gpa_bits = 59,          .kind = x4_kind, .leaf = x4_leaf,
};

/* Addresses are sign-extended: one to one goes up to the sign bit. */
static const struct npt_format host_format = {
	RV_FORMAT_COMMON,   .name = host_name, .page = RV_PAGE(0), .sign_bits = 1,
	.max_gpa_bits = 56, .kind = host_kind, .leaf = rv_leaf,
};

NPT_INSTANTIATE(npt_riscv_x4, x4_format);
NPT_INSTANTIATE(npt_riscv_host, host_format);

void npt_riscv_identity_root(uint64_t *root, unsigned levels)
{
	for (unsigned i = 0; i < 1u << (NPT_INDEX_BITS - 1); i++)
		root[i] = rv_leaf(HPA(i * npt_level_size(levels - 1)), NPT_WB, levels - 1) | RV_ACCESS | RV_ACCESSED | RV_DIRTY;
}

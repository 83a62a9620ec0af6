/* SPDX-License-Identifier: BSD-2-Clause */
/* The oracles themselves, against entries and tables put together by hand from the manuals' figures. */
#include "tests/host/host.h"

#include <string.h>

#include "tests/host/oracle.h"

/* Without a type of its own, so that the tables below stay readable. */
enum { R = ORACLE_R, W = ORACLE_W, X = ORACLE_X, RWX = R | W | X };
enum { EMPTY = ORACLE_EMPTY, TABLE = ORACLE_TABLE, LEAF = ORACLE_LEAF, BAD = ORACLE_MALFORMED };

#define PAT UINT64_C(0x0007050100070406) /* WB WT UC- UC WC WP UC- UC */

static const struct oracle_machine ept = {
	.levels = 4, .gpa_bits = 48, .hpa_bits = 46, .max_leaf = 2, .hardware_ad = true, .exec_only = true
};
static const struct oracle_machine ept_old = { .levels = 4, .gpa_bits = 48, .hpa_bits = 36, .max_leaf = 1 };
static const struct oracle_machine amd = {
	.levels = 4, .gpa_bits = 48, .hpa_bits = 48, .max_leaf = 2, .hardware_ad = true, .pat = PAT
};
static const struct oracle_machine self = {
	.levels = 4, .gpa_bits = 48, .hpa_bits = 48, .max_leaf = 2, .supervisor = true, .pat = PAT
};
static const struct oracle_machine arm = { .levels = 3, .gpa_bits = 40, .hpa_bits = 40, .max_leaf = 2 };
static const struct oracle_machine arm_ad = { .levels = 3, .gpa_bits = 40, .hpa_bits = 40, .max_leaf = 2, .hardware_ad = true };
static const struct oracle_machine arm_fwb = { .levels = 3, .gpa_bits = 40, .hpa_bits = 40, .max_leaf = 2, .fwb = true };
static const struct oracle_machine el2 = { .levels = 4, .gpa_bits = 48, .hpa_bits = 44, .max_leaf = 2, .pat = 0x0044bbff };
static const struct oracle_machine rv = { .levels = 3, .gpa_bits = 41, .hpa_bits = 56, .max_leaf = 2 };
static const struct oracle_machine rv_pbmt = {
	.levels = 3, .gpa_bits = 41, .hpa_bits = 56, .max_leaf = 2, .hardware_ad = true, .svpbmt = true
};
static const struct oracle_machine rv_self = { .levels = 3, .gpa_bits = 38, .hpa_bits = 56, .max_leaf = 2, .supervisor = true };

struct vector {
	const struct oracle *oracle;
	const struct oracle_machine *machine;
	unsigned level;
	uint64_t pte;
	int kind;
	uint64_t addr;
	unsigned prot;
	int type;
};

static const struct vector vectors[] = {
	{ &oracle_ept, &ept, 0, 0, EMPTY, 0, 0, 0 },
	{ &oracle_ept, &ept, 0, 0xfffffffffffffff8, EMPTY, 0, 0, 0 },
	{ &oracle_ept, &ept, 0, 0x12345037, LEAF, 0x12345000, RWX, ORACLE_WB },
	{ &oracle_ept, &ept, 0, 0x123450b1, LEAF, 0x12345000, R, ORACLE_WB }, /* bit 7 is ignored */
	{ &oracle_ept, &ept, 0, 0x12345007, LEAF, 0x12345000, RWX, ORACLE_UC },
	{ &oracle_ept, &ept, 0, 0x1234500f, LEAF, 0x12345000, RWX, ORACLE_WC },
	{ &oracle_ept, &ept, 0, 0x12345027, LEAF, 0x12345000, RWX, ORACLE_WT },
	{ &oracle_ept, &ept, 0, 0x1234502f, LEAF, 0x12345000, RWX, ORACLE_WP },
	{ &oracle_ept, &ept, 0, 0x12345017, BAD, 0, 0, 0 },
	{ &oracle_ept, &ept, 0, 0x1234501f, BAD, 0, 0, 0 },
	{ &oracle_ept, &ept, 0, 0x1234503f, BAD, 0, 0, 0 },
	{ &oracle_ept, &ept, 0, 0x12345032, BAD, 0, 0, 0 },
	{ &oracle_ept, &ept, 0, 0x12345036, BAD, 0, 0, 0 },
	{ &oracle_ept, &ept, 0, 0x12345034, LEAF, 0x12345000, X, ORACLE_WB },
	{ &oracle_ept, &ept_old, 0, 0x12345034, BAD, 0, 0, 0 },
	{ &oracle_ept, &ept, 0, 0x0000200000000031, LEAF, 0x200000000000, R, ORACLE_WB },
	{ &oracle_ept, &ept, 0, 0x0000400000000031, BAD, 0, 0, 0 },
	{ &oracle_ept, &ept, 0, 0xfff0000012345037, LEAF, 0x12345000, RWX, ORACLE_WB },
	{ &oracle_ept, &ept, 1, 0x122000b7, LEAF, 0x12200000, RWX, ORACLE_WB },
	{ &oracle_ept, &ept, 1, 0x122010b7, BAD, 0, 0, 0 },
	{ &oracle_ept, &ept, 1, 0x123000b7, BAD, 0, 0, 0 },
	{ &oracle_ept, &ept, 1, 0x12345107, TABLE, 0x12345000, RWX, 0 },
	{ &oracle_ept, &ept, 1, 0x12345001, TABLE, 0x12345000, R, 0 },
	{ &oracle_ept, &ept, 1, 0x1234500f, BAD, 0, 0, 0 },
	{ &oracle_ept, &ept, 1, 0x12345047, BAD, 0, 0, 0 },
	{ &oracle_ept, &ept, 2, 0x400000b7, LEAF, 0x40000000, RWX, ORACLE_WB },
	{ &oracle_ept, &ept, 2, 0x402000b7, BAD, 0, 0, 0 },
	{ &oracle_ept, &ept_old, 2, 0x400000b7, BAD, 0, 0, 0 },
	{ &oracle_ept, &ept, 3, 0x12345007, TABLE, 0x12345000, RWX, 0 },
	{ &oracle_ept, &ept, 3, 0x12345087, BAD, 0, 0, 0 },

	/* As software marks a leaf that is shared, and one that it hides. */
	{ &oracle_ept, &ept, 0, 0x0010000012345035, LEAF, 0x12345000, R | X, ORACLE_WB },
	{ &oracle_ept, &ept, 0, 0x01e0000012345070, EMPTY, 0, 0, 0 },
	{ &oracle_amd, &amd, 0, 0x0010000012345005, LEAF, 0x12345000, R | X, ORACLE_WB },
	{ &oracle_amd, &amd, 1, 0x0020000012200086, EMPTY, 0, 0, 0 },
	{ &oracle_stage2, &arm, 0, 0x010000001234577f, LEAF, 0x12345000, R | X, ORACLE_WB },
	{ &oracle_stage2, &arm, 1, 0x02000000122003fc, EMPTY, 0, 0, 0 },
	{ &oracle_el2, &el2, 0, 0x01000000123457c3, LEAF, 0x12345000, R | X, ORACLE_WB },
	{ &oracle_el2, &el2, 0, 0x0200000012345342, EMPTY, 0, 0, 0 },
	{ &oracle_riscv, &rv, 0, 0x048d15db, LEAF, 0x12345000, R | X, ORACLE_WB },
	{ &oracle_riscv, &rv, 0, 0x048d169e, EMPTY, 0, 0, 0 },

	{ &oracle_amd, &amd, 0, 0xfffffffffffffffe, EMPTY, 0, 0, 0 },
	{ &oracle_amd, &amd, 0, 0x12345007, LEAF, 0x12345000, RWX, ORACLE_WB },
	{ &oracle_amd, &amd, 0, 0x12345005, LEAF, 0x12345000, R | X, ORACLE_WB },
	{ &oracle_amd, &amd, 0, 0x8000000012345007, LEAF, 0x12345000, R | W, ORACLE_WB },
	{ &oracle_amd, &amd, 0, 0x12345003, LEAF, 0x12345000, 0, ORACLE_WB },
	{ &oracle_amd, &self, 0, 0x12345003, LEAF, 0x12345000, RWX, ORACLE_WB },
	{ &oracle_amd, &amd, 0, 0x1234500f, LEAF, 0x12345000, RWX, ORACLE_WT },
	{ &oracle_amd, &amd, 0, 0x12345017, LEAF, 0x12345000, RWX, ORACLE_UC },
	{ &oracle_amd, &amd, 0, 0x1234501f, LEAF, 0x12345000, RWX, ORACLE_UC },
	{ &oracle_amd, &amd, 0, 0x12345087, LEAF, 0x12345000, RWX, ORACLE_WC },
	{ &oracle_amd, &amd, 0, 0x1234508f, LEAF, 0x12345000, RWX, ORACLE_WP },
	{ &oracle_amd, &amd, 0, 0x0001000000000007, BAD, 0, 0, 0 },
	{ &oracle_amd, &amd, 1, 0x12200087, LEAF, 0x12200000, RWX, ORACLE_WB },
	{ &oracle_amd, &amd, 1, 0x12201087, LEAF, 0x12200000, RWX, ORACLE_WC },
	{ &oracle_amd, &amd, 1, 0x12202087, BAD, 0, 0, 0 },
	{ &oracle_amd, &amd, 1, 0x12201007, TABLE, 0x12201000, RWX, 0 },
	{ &oracle_amd, &amd, 2, 0x40001087, LEAF, 0x40000000, RWX, ORACLE_WC },
	{ &oracle_amd, &amd, 2, 0x40200087, BAD, 0, 0, 0 },
	{ &oracle_amd, &amd, 3, 0x12345007, TABLE, 0x12345000, RWX, 0 },
	{ &oracle_amd, &amd, 3, 0x12345087, BAD, 0, 0, 0 },

	{ &oracle_stage2, &arm, 0, 0xfffffffffffffffe, EMPTY, 0, 0, 0 },
	{ &oracle_stage2, &arm, 0, 0x123457ff, LEAF, 0x12345000, RWX, ORACLE_WB },
	{ &oracle_stage2, &arm, 0, 0x123457fd, EMPTY, 0, 0, 0 }, /* a block at level 3 */
	{ &oracle_stage2, &arm, 0, 0x1234577f, LEAF, 0x12345000, R | X, ORACLE_WB },
	{ &oracle_stage2, &arm, 0, 0x123457bf, LEAF, 0x12345000, W | X, ORACLE_WB },
	{ &oracle_stage2, &arm, 0, 0x00400000123457ff, LEAF, 0x12345000, R | W, ORACLE_WB },
	{ &oracle_stage2, &arm, 0, 0x004000001234573f, LEAF, 0x12345000, 0, ORACLE_WB },
	{ &oracle_stage2, &arm_ad, 0, 0x0048000012345b7f, LEAF, 0x12345000, R | W, ORACLE_WB }, /* DBM */
	{ &oracle_stage2, &arm, 0, 0x0048000012345b7f, LEAF, 0x12345000, R, ORACLE_WB },
	{ &oracle_stage2, &arm, 0, 0x123457c3, LEAF, 0x12345000, RWX, ORACLE_UC },
	{ &oracle_stage2, &arm, 0, 0x123457d7, LEAF, 0x12345000, RWX, ORACLE_WC },
	{ &oracle_stage2, &arm, 0, 0x123457eb, LEAF, 0x12345000, RWX, ORACLE_WT },
	{ &oracle_stage2, &arm, 0, 0x123457c7, LEAF, 0x12345000, RWX, ORACLE_OTHER }, /* nGnRE */
	{ &oracle_stage2, &arm, 0, 0x00000100123457ff, BAD, 0, 0, 0 },
	{ &oracle_stage2, &arm, 1, 0x122007fd, LEAF, 0x12200000, RWX, ORACLE_WB },
	{ &oracle_stage2, &arm, 1, 0x12345003, TABLE, 0x12345000, RWX, 0 },
	{ &oracle_stage2, &arm, 2, 0x400007fd, LEAF, 0x40000000, RWX, ORACLE_WB },
	{ &oracle_stage2, &arm, 3, 0x400007fd, EMPTY, 0, 0, 0 }, /* no blocks at level 0 */

	{ &oracle_stage2, &arm_fwb, 0, 0x123457db, LEAF, 0x12345000, RWX, ORACLE_WB },
	{ &oracle_stage2, &arm_fwb, 0, 0x123457d7, LEAF, 0x12345000, RWX, ORACLE_WC },
	{ &oracle_stage2, &arm_fwb, 0, 0x123457c3, LEAF, 0x12345000, RWX, ORACLE_UC },
	{ &oracle_stage2, &arm_fwb, 0, 0x123457df, LEAF, 0x12345000, RWX, ORACLE_OTHER },

	{ &oracle_el2, &el2, 0, 0xfffffffffffffffe, EMPTY, 0, 0, 0 },
	{ &oracle_el2, &el2, 0, 0x12345743, LEAF, 0x12345000, RWX, ORACLE_WB },
	{ &oracle_el2, &el2, 0, 0x123457c7, LEAF, 0x12345000, R | X, ORACLE_WT },
	{ &oracle_el2, &el2, 0, 0x004000001234574b, LEAF, 0x12345000, R | W, ORACLE_WC },
	{ &oracle_el2, &el2, 0, 0x004000001234544f, LEAF, 0x12345000, R | W, ORACLE_UC },
	{ &oracle_el2, &el2, 0, 0x12345741, EMPTY, 0, 0, 0 },
	{ &oracle_el2, &el2, 0, 0x0000100012345743, BAD, 0, 0, 0 },
	{ &oracle_el2, &el2, 1, 0x12200741, LEAF, 0x12200000, RWX, ORACLE_WB },
	{ &oracle_el2, &el2, 1, 0x12345003, TABLE, 0x12345000, RWX, 0 },
	{ &oracle_el2, &el2, 2, 0x5000000012345003, TABLE, 0x12345000, R, 0 }, /* APTable, XNTable */
	{ &oracle_el2, &el2, 3, 0x40000741, EMPTY, 0, 0, 0 },

	{ &oracle_el20, &el2, 0, 0xfffffffffffffffe, EMPTY, 0, 0, 0 },
	{ &oracle_el20, &el2, 0, 0x0040000012345703, LEAF, 0x12345000, RWX, ORACLE_WB },
	{ &oracle_el20, &el2, 0, 0x0040000012345787, LEAF, 0x12345000, R | X, ORACLE_WT },
	{ &oracle_el20, &el2, 0, 0x006000001234570b, LEAF, 0x12345000, R | W, ORACLE_WC },
	{ &oracle_el20, &el2, 0, 0x0060000012345783, LEAF, 0x12345000, R, ORACLE_WB },
	{ &oracle_el20, &el2, 0, 0x0040000012345743, LEAF, 0x12345000, 0, ORACLE_WB }, /* EL0 may write it */
	{ &oracle_el20, &el2, 0, 0x00400000123457c3, LEAF, 0x12345000, X, ORACLE_WB }, /* EL0 may read it */
	{ &oracle_el20, &el2, 1, 0x0040000012200701, LEAF, 0x12200000, RWX, ORACLE_WB },
	{ &oracle_el20, &el2, 1, 0x12345003, TABLE, 0x12345000, RWX, 0 },
	{ &oracle_el20, &el2, 2, 0x4800000012345003, TABLE, 0x12345000, R, 0 },   /* APTable[1], PXNTable */
	{ &oracle_el20, &el2, 2, 0x3000000012345003, TABLE, 0x12345000, RWX, 0 }, /* APTable[0], UXNTable: EL0's */
	{ &oracle_el20, &el2, 3, 0x0040000040000701, EMPTY, 0, 0, 0 },

	{ &oracle_riscv, &rv_self, 0, 0x048d14cf, LEAF, 0x12345000, RWX, ORACLE_WB },
	{ &oracle_riscv, &rv_self, 0, 0x048d14df, LEAF, 0x12345000, 0, ORACLE_WB }, /* U = 1 */
	{ &oracle_riscv, &rv, 0, 0xfffffffffffffffe, EMPTY, 0, 0, 0 },
	{ &oracle_riscv, &rv, 0, 0x048d14df, LEAF, 0x12345000, RWX, ORACLE_WB },
	{ &oracle_riscv, &rv, 0, 0x048d14cf, LEAF, 0x12345000, 0, ORACLE_WB }, /* U = 0 */
	{ &oracle_riscv, &rv, 0, 0x048d1453, LEAF, 0x12345000, R, ORACLE_WB },
	{ &oracle_riscv, &rv, 0, 0x048d1459, LEAF, 0x12345000, X, ORACLE_WB },
	{ &oracle_riscv, &rv, 0, 0x048d1455, BAD, 0, 0, 0 }, /* W without R */
	{ &oracle_riscv, &rv, 0, 0x048d145d, BAD, 0, 0, 0 },
	{ &oracle_riscv, &rv, 0, 0x048d1401, BAD, 0, 0, 0 }, /* a table below the last level */
	{ &oracle_riscv, &rv, 1, 0x048d1401, TABLE, 0x12345000, RWX, 0 },
	{ &oracle_riscv, &rv, 1, 0x048d1411, BAD, 0, 0, 0 }, /* U, A, D in a table's entry */
	{ &oracle_riscv, &rv, 1, 0x048d1441, BAD, 0, 0, 0 },
	{ &oracle_riscv, &rv, 1, 0x048d1481, BAD, 0, 0, 0 },
	{ &oracle_riscv, &rv_pbmt, 1, 0x20000000048d1401, BAD, 0, 0, 0 },
	{ &oracle_riscv, &rv, 1, 0x048800df, LEAF, 0x12200000, RWX, ORACLE_WB },
	{ &oracle_riscv, &rv, 1, 0x048804df, BAD, 0, 0, 0 }, /* misaligned */
	{ &oracle_riscv, &rv, 2, 0x100000df, LEAF, 0x40000000, RWX, ORACLE_WB },
	{ &oracle_riscv, &rv, 2, 0x100800df, BAD, 0, 0, 0 },
	{ &oracle_riscv, &rv, 0, 0x20000000048d14df, BAD, 0, 0, 0 },
	{ &oracle_riscv, &rv_pbmt, 0, 0x20000000048d14df, LEAF, 0x12345000, RWX, ORACLE_WC },
	{ &oracle_riscv, &rv_pbmt, 0, 0x40000000048d14df, LEAF, 0x12345000, RWX, ORACLE_UC },
	{ &oracle_riscv, &rv_pbmt, 0, 0x60000000048d14df, BAD, 0, 0, 0 },
	{ &oracle_riscv, &rv, 0, 0x80000000048d14df, BAD, 0, 0, 0 },
	{ &oracle_riscv, &rv, 0, 0x00400000048d14df, BAD, 0, 0, 0 },
	{ &oracle_riscv, &rv, 0, 0x003ffffffffffcdf, LEAF, 0x00fffffffffff000, RWX, ORACLE_WB },
};

static void entries_decode_as_the_manuals_say(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		const struct vector *v = &vectors[i];
		struct oracle_entry e;

		v->oracle->decode(v->machine, v->pte, v->level, &e);
		CHECK((int)e.kind == v->kind, "%s %#jx level %u: kind %d", v->oracle->name, (uintmax_t)v->pte, v->level,
		      (int)e.kind);
		if (v->kind != LEAF && v->kind != TABLE)
			continue;
		CHECK(e.addr == v->addr && e.prot == v->prot, "%s %#jx: addr %#jx prot %u", v->oracle->name, (uintmax_t)v->pte,
		      (uintmax_t)e.addr, e.prot);
		CHECK(v->kind == TABLE || (int)e.type == v->type, "%s %#jx: type %d", v->oracle->name, (uintmax_t)v->pte,
		      (int)e.type);
	}
}

/* Sixteen pages of memory at 1 MiB; tables stand where a test puts them. */
#define BASE  0x100000
#define PAGES 16
static uint64_t memory[PAGES * 512];

static uint64_t *word(uint64_t hpa)
{
	CHECK(hpa >= BASE && hpa < BASE + sizeof(memory), "%#jx", (uintmax_t)hpa);
	return &memory[(hpa - BASE) / 8];
}

static uint64_t load(void *context, uint64_t hpa)
{
	(void)context;
	return *word(hpa);
}

static void set(void *context, uint64_t hpa, uint64_t bits)
{
	(void)context;
	*word(hpa) |= bits;
}

static struct oracle_machine with_memory(const struct oracle_machine *machine)
{
	struct oracle_machine m = *machine;

	memset(memory, 0, sizeof(memory));
	m.root = BASE;
	m.load = load;
	m.set = set;
	return m;
}

static void expect_walk(const struct oracle *oracle, const struct oracle_machine *m, uint64_t gpa, unsigned access,
			enum oracle_status status, uint64_t hpa)
{
	struct oracle_walk walk;

	oracle->walk(m, gpa, access, true, &walk);
	CHECK(walk.status == status, "%#jx: status %d", (uintmax_t)gpa, (int)walk.status);
	if (status == ORACLE_OK)
		CHECK_EQ(walk.hpa, hpa);
}

static void ept_walks(void **state)
{
	struct oracle_machine m = with_memory(&ept);
	uint64_t gpa = 5ull << 39 | 6ull << 30 | 7ull << 21 | 8ull << 12 | 0x123;

	(void)state;
	*word(BASE + 8 * 5) = 0x101007;
	*word(0x101000 + 8 * 6) = 0x102005; /* R and X only */
	*word(0x102000 + 8 * 7) = 0x103007;
	*word(0x103000 + 8 * 8) = 0x12345037;
	expect_walk(&oracle_ept, &m, gpa, R, ORACLE_OK, 0x12345123);
	CHECK_EQ(*word(BASE + 8 * 5), 0x101107);
	CHECK_EQ(*word(0x103000 + 8 * 8), 0x12345137);
	expect_walk(&oracle_ept, &m, gpa, W, ORACLE_DENIED, 0);
	CHECK_EQ(*word(0x103000 + 8 * 8), 0x12345137);
	*word(0x101000 + 8 * 6) |= 2;
	expect_walk(&oracle_ept, &m, gpa, R | W, ORACLE_OK, 0x12345123);
	CHECK_EQ(*word(0x103000 + 8 * 8), 0x12345337);
	expect_walk(&oracle_ept, &m, gpa + 4096, R, ORACLE_NOT_PRESENT, 0);
	expect_walk(&oracle_ept, &m, gpa | 1ull << 48, R, ORACLE_NOT_PRESENT, 0);
	*word(0x102000 + 8 * 7) = 0x122000f7; /* a 2 MiB page */
	expect_walk(&oracle_ept, &m, gpa, X, ORACLE_OK, 0x12200000 + (8 << 12) + 0x123);
	m.hardware_ad = false;
	*word(0x102000 + 8 * 7) = 0x122000f7;
	expect_walk(&oracle_ept, &m, gpa, W, ORACLE_OK, 0x12200000 + (8 << 12) + 0x123);
	CHECK_EQ(*word(0x102000 + 8 * 7), 0x122000f7);
}

static void amd_walks(void **state)
{
	struct oracle_machine m = with_memory(&amd);
	uint64_t gpa = 511ull << 39 | 1ull << 30 | 2ull << 21 | 3ull << 12 | 8;

	(void)state;
	*word(BASE + 8 * 511) = 0x101007;
	*word(0x101000 + 8) = 0x102007;
	*word(0x102000 + 16) = 0x8000000000103007; /* NX above counts */
	*word(0x103000 + 24) = 0x12345007;
	expect_walk(&oracle_amd, &m, gpa, W, ORACLE_OK, 0x12345008);
	CHECK_EQ(*word(BASE + 8 * 511), 0x101027);
	CHECK_EQ(*word(0x103000 + 24), 0x12345067);
	expect_walk(&oracle_amd, &m, gpa, X, ORACLE_DENIED, 0);
	*word(0x101000 + 8) = 0x102003; /* U/S = 0 anywhere on the way */
	expect_walk(&oracle_amd, &m, gpa, R, ORACLE_DENIED, 0);
	m.supervisor = true;
	expect_walk(&oracle_amd, &m, gpa, R, ORACLE_OK, 0x12345008);
	*word(0x101000 + 8) = 0x102007; /* a user's page now */
	expect_walk(&oracle_amd, &m, gpa, R, ORACLE_DENIED, 0);
}

static void stage2_walks(void **state)
{
	struct oracle_machine m = with_memory(&arm);
	uint64_t gpa = 1000ull << 30 | 3ull << 21 | 4ull << 12; /* in the second of two concatenated tables */

	(void)state;
	*word(BASE + 8 * 1000) = 0x102003;
	*word(0x102000 + 8 * 3) = 0x103003;
	*word(0x103000 + 8 * 4) = 0x123457ff;
	expect_walk(&oracle_stage2, &m, gpa, R | W | X, ORACLE_OK, 0x12345000);
	expect_walk(&oracle_stage2, &m, gpa | 1ull << 40, R, ORACLE_NOT_PRESENT, 0);
	*word(0x103000 + 8 * 4) = 0x123453ff; /* AF = 0 */
	expect_walk(&oracle_stage2, &m, gpa, R, ORACLE_DENIED, 0);
	m.hardware_ad = true;
	*word(0x103000 + 8 * 4) = 0x000800001234537f; /* DBM, writable and clean */
	expect_walk(&oracle_stage2, &m, gpa, R, ORACLE_OK, 0x12345000);
	CHECK_EQ(*word(0x103000 + 8 * 4), 0x000800001234577f);
	expect_walk(&oracle_stage2, &m, gpa, W, ORACLE_OK, 0x12345000);
	CHECK_EQ(*word(0x103000 + 8 * 4), 0x00080000123457ff);
	m = with_memory(&arm);
	m.levels = 4; /* initial lookup at level 0 */
	m.gpa_bits = 48;
	*word(BASE + 8 * 300) = 0x102003;
	*word(0x102000 + 8 * 2) = 0x400007fd;
	expect_walk(&oracle_stage2, &m, 300ull << 39 | 2ull << 30 | 0x54321, R, ORACLE_OK, 0x40054321);
}

static void riscv_walks(void **state)
{
	struct oracle_machine m = with_memory(&rv);
	uint64_t gpa = 2047ull << 30 | 3ull << 21 | 4ull << 12 | 0xfff; /* the last entry of the wide root */

	(void)state;
	*word(BASE + 8 * 2047) = (uint64_t)0x104000 >> 2 | 1;
	*word(0x104000 + 8 * 3) = (uint64_t)0x105000 >> 2 | 1;
	*word(0x105000 + 8 * 4) = 0x048d14df;
	expect_walk(&oracle_riscv, &m, gpa, R | W, ORACLE_OK, 0x12345fff);
	expect_walk(&oracle_riscv, &m, gpa | 1ull << 41, R, ORACLE_NOT_PRESENT, 0);
	*word(0x105000 + 8 * 4) = 0x048d145f; /* D = 0 */
	expect_walk(&oracle_riscv, &m, gpa, R, ORACLE_OK, 0x12345fff);
	expect_walk(&oracle_riscv, &m, gpa, W, ORACLE_DENIED, 0);
	m.hardware_ad = true;
	expect_walk(&oracle_riscv, &m, gpa, W, ORACLE_OK, 0x12345fff);
	CHECK_EQ(*word(0x105000 + 8 * 4), 0x048d14df);
	*word(0x104000 + 8 * 3) |= 128; /* D in a table's entry */
	expect_walk(&oracle_riscv, &m, gpa, R, ORACLE_REFUSED, 0);
}

static void el2_walks(void **state)
{
	struct oracle_machine m = with_memory(&el2);
	uint64_t va = 3ull << 39 | 2ull << 30 | 1ull << 21 | 0x12345;

	(void)state;
	*word(BASE + 24) = 0x101003;
	*word(0x101000 + 16) = 0x1000000000102003; /* XNTable */
	*word(0x102000 + 8) = 0x12200741;
	expect_walk(&oracle_el2, &m, va, R | W, ORACLE_OK, 0x12212345);
	expect_walk(&oracle_el2, &m, va, X, ORACLE_DENIED, 0);
	expect_walk(&oracle_el2, &m, va | 1ull << 48, R, ORACLE_NOT_PRESENT, 0);
	*word(0x102000 + 8) = 0x12200341; /* AF = 0 */
	expect_walk(&oracle_el2, &m, va, R, ORACLE_DENIED, 0);

	*word(0x102000 + 8) = 0x0040000012200701;
	expect_walk(&oracle_el20, &m, va, R | W | X, ORACLE_OK, 0x12212345);
	*word(0x101000 + 16) = 0x0800000000102003; /* PXNTable */
	expect_walk(&oracle_el20, &m, va, R | W, ORACLE_OK, 0x12212345);
	expect_walk(&oracle_el20, &m, va, X, ORACLE_DENIED, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entries_decode_as_the_manuals_say),
		cmocka_unit_test(ept_walks),
		cmocka_unit_test(amd_walks),
		cmocka_unit_test(stage2_walks),
		cmocka_unit_test(riscv_walks),
		cmocka_unit_test(el2_walks),
	};

	return cmocka_run_group_tests_name("oracle", tests, NULL, NULL);
}

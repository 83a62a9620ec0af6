/* SPDX-License-Identifier: BSD-2-Clause */
/* The tables of somebody else are found by the CPU's own rules: those that the engine itself has made are the example. */
#include "npt/foreign.h"
#include "tests/host/fixture.h"

#define MAX_SEEN 64

struct seen {
	hpa_t tables[MAX_SEEN];
	size_t count, readable; /* how many are to be gone on from */
};

static bool note(hpa_t table, void *context)
{
	struct seen *seen = context;

	CHECK(seen->count < MAX_SEEN, "too many tables");
	seen->tables[seen->count++] = table;
	return seen->count <= seen->readable;
}

static struct seen visit(struct fixture *f)
{
	struct seen seen = { .readable = MAX_SEEN };

	npt_visit_tables(f->npt.ops, &f->npt.config, f->npt.root, f->env.phys_to_virt, note, &seen);
	return seen;
}

static void all_tables_are_visited(void **state)
{
	struct fixture *f = *state;
	uint64_t root = PAGE_SIZE << f->npt.root_order;
	struct seen seen = visit(f);

	CHECK_EQ(seen.count, 1);
	CHECK_EQ(seen.tables[0].raw, f->npt.root.raw);
	CHECK_ERR(fixture_map(f, PAGE_SIZE, MIB(64), PAGE_SIZE, NPT_RW), ERR_OK);
	CHECK_ERR(fixture_map(f, MIB(2), MIB(64), MIB(2), NPT_RW), ERR_OK);
	CHECK_ERR(fixture_map(f, MIB(6), MIB(64), PAGE_SIZE, NPT_RW), ERR_OK);
	CHECK_ERR(fixture_map(f, f->npt.end - PAGE_SIZE, 0, PAGE_SIZE, NPT_RW), ERR_OK);
	seen = visit(f);
	CHECK_EQ((seen.count - 1) * PAGE_SIZE + root, f->npt.table_bytes);
	for (size_t i = 0; i < seen.count; i++)
		for (size_t j = 0; j < i; j++)
			CHECK(seen.tables[i].raw != seen.tables[j].raw, "a table twice");
}

/* A table that may not be read is the end of the way. */
static void what_cannot_be_read_is_not(void **state)
{
	struct fixture *f = *state;
	struct seen seen = { .readable = 0 };

	CHECK_ERR(fixture_map(f, PAGE_SIZE, MIB(64), PAGE_SIZE, NPT_RW), ERR_OK);
	npt_visit_tables(f->npt.ops, &f->npt.config, f->npt.root, f->env.phys_to_virt, note, &seen);
	CHECK_EQ(seen.count, 1);
	seen = (struct seen){ .readable = 1 };
	npt_visit_tables(f->npt.ops, &f->npt.config, f->npt.root, f->env.phys_to_virt, note, &seen);
	CHECK_EQ(seen.count, 2);
}

/* Arm's root may be a part of a page: what lies behind it is no entry. AArch64 of 40 bits: two entries, at an upper level. */
static void a_root_ends_where_its_addresses_do(void **state)
{
	static uint64_t root[512] __attribute__((aligned(4096))), lower[512] __attribute__((aligned(4096)));
	const struct npt_config config = { .levels = 4, .gpa_bits = 40 };
	struct seen seen = { .readable = MAX_SEEN };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(root); i++)
		root[i] = (uintptr_t)lower | 3;
	npt_visit_tables(&npt_el2_host, &config, HPA((uintptr_t)root), 0, note, &seen);
	CHECK_EQ(seen.count, 3);
	CHECK_EQ(seen.tables[2].raw, (uintptr_t)lower);
}

int main(void)
{
	static const struct format_test tests[] = {
		{ "all_tables_are_visited", all_tables_are_visited },
		{ "what_cannot_be_read_is_not", what_cannot_be_read_is_not },
	};
	const struct CMUnitTest one[] = { cmocka_unit_test(a_root_ends_where_its_addresses_do) };

	return format_suite("npt_foreign", tests, ARRAY_LEN(tests)) +
	       cmocka_run_group_tests_name("npt_foreign_root", one, NULL, NULL);
}

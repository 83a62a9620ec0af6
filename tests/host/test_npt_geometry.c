/* SPDX-License-Identifier: BSD-2-Clause */
/* Which geometries each format has, and what roots they get. */
#include <string.h>

#include "npt/riscv.h"
#include "tests/host/fixture.h"

struct geometry {
	const struct npt_ops *ops;
	unsigned levels, gpa_bits, hpa_bits, max_leaf;
	int root_order; /* -1: refused */
};

static const struct geometry geometries[] = {
	{ &npt_ept, 4, 48, 46, 2, 0 },
	{ &npt_ept, 4, 48, 52, 0, 0 },
	{ &npt_ept, 4, 39, 39, 1, 0 }, /* levels are what the CPU offers, not what the width needs */
	{ &npt_ept, 5, 57, 52, 2, 0 },
	{ &npt_ept, 3, 39, 46, 2, -1 },
	{ &npt_ept, 6, 57, 46, 2, -1 },
	{ &npt_ept, 0, 48, 46, 2, -1 },
	{ &npt_ept, 255, 48, 46, 2, -1 },
	{ &npt_ept, 4, 49, 46, 2, -1 },
	{ &npt_ept, 4, 57, 46, 2, -1 },
	{ &npt_ept, 5, 58, 46, 2, -1 },
	{ &npt_ept, 4, 12, 46, 2, -1 },
	{ &npt_ept, 4, 0, 46, 2, -1 },
	{ &npt_ept, 4, 255, 46, 2, -1 },
	{ &npt_ept, 4, 48, 53, 2, -1 },
	{ &npt_ept, 4, 48, 255, 2, -1 },
	{ &npt_ept, 4, 48, 46, 3, -1 },

	{ &npt_amd, 4, 48, 48, 2, 0 },
	{ &npt_amd, 5, 57, 52, 2, 0 },
	{ &npt_amd, 3, 39, 48, 2, -1 },
	{ &npt_amd, 4, 50, 48, 2, -1 },
	{ &npt_amd, 4, 48, 53, 2, -1 },
	{ &npt_amd, 4, 48, 48, 4, -1 },

	{ &npt_x86_host, 4, 48, 46, 2, 0 },
	{ &npt_x86_host, 5, 57, 52, 2, 0 },
	{ &npt_x86_host, 3, 48, 46, 2, -1 },
	{ &npt_x86_host, 4, 49, 46, 2, -1 },

	/* "Concatenated translation tables": up to 16, at an initial lookup level of 1 for 40 to 43 bits. */
	{ &npt_stage2, 3, 31, 40, 2, 0 },
	{ &npt_stage2, 3, 39, 40, 2, 0 },
	{ &npt_stage2, 3, 40, 40, 2, 1 },
	{ &npt_stage2, 3, 41, 40, 2, 2 },
	{ &npt_stage2, 3, 42, 48, 2, 3 },
	{ &npt_stage2, 3, 43, 48, 2, 4 },
	{ &npt_stage2, 4, 44, 48, 2, 0 },
	{ &npt_stage2, 4, 48, 48, 2, 0 },
	{ &npt_stage2, 3, 44, 48, 2, -1 },
	{ &npt_stage2, 3, 30, 40, 2, -1 }, /* so few bits begin one level further down */
	{ &npt_stage2, 4, 39, 48, 2, -1 },
	{ &npt_stage2, 3, 48, 48, 2, -1 },
	{ &npt_stage2, 2, 34, 48, 1, -1 },
	{ &npt_stage2, 5, 48, 48, 2, -1 },
	{ &npt_stage2, 4, 53, 48, 2, -1 },
	{ &npt_stage2, 4, 49, 48, 2, -1 }, /* more than 48 bits take FEAT_LPA2 */
	{ &npt_stage2, 4, 52, 48, 2, -1 },
	{ &npt_stage2, 4, 48, 49, 2, -1 },
	{ &npt_stage2, 4, 48, 48, 3, -1 },

	/* The root is 16 KiB, whatever the guest may use of it. */
	{ &npt_riscv_x4, 3, 41, 56, 2, 2 },
	{ &npt_riscv_x4, 4, 50, 56, 2, 2 },
	{ &npt_riscv_x4, 5, 59, 56, 2, 2 },
	{ &npt_riscv_x4, 3, 39, 56, 2, 2 },
	{ &npt_riscv_x4, 2, 34, 56, 1, -1 },
	{ &npt_riscv_x4, 6, 59, 56, 2, -1 },
	{ &npt_riscv_x4, 3, 42, 56, 2, -1 },
	{ &npt_riscv_x4, 4, 51, 56, 2, -1 },
	{ &npt_riscv_x4, 5, 60, 56, 2, -1 },
	{ &npt_riscv_x4, 3, 41, 57, 2, -1 },

	/* The hypervisor's own: one root, and on RISC-V no more than the lower half is one to one. */
	{ &npt_el2_host, 4, 48, 48, 2, 0 },
	{ &npt_el2_host, 3, 39, 48, 2, -1 },
	{ &npt_el2_host, 4, 49, 48, 2, -1 },
	{ &npt_el20_host, 4, 48, 48, 2, 0 },
	{ &npt_el20_host, 4, 49, 48, 2, -1 },
	{ &npt_riscv_host, 3, 38, 56, 2, 0 },
	{ &npt_riscv_host, 4, 47, 56, 2, 0 },
	{ &npt_riscv_host, 5, 56, 56, 2, 0 },
	{ &npt_riscv_host, 3, 39, 56, 2, -1 }, /* sign-extended */
	{ &npt_riscv_host, 4, 48, 56, 2, -1 },
	{ &npt_riscv_host, 5, 57, 56, 2, -1 },
	{ &npt_riscv_host, 3, 40, 56, 2, -1 },
	{ &npt_riscv_host, 5, 58, 56, 2, -1 },
	{ &npt_riscv_host, 2, 30, 56, 1, -1 },
};

static void check_geometry(struct fixture *fixture, const struct geometry *g)
{
	const struct npt_config config = {
		.levels = (uint8_t)g->levels,
		.gpa_bits = (uint8_t)g->gpa_bits,
		.hpa_bits = (uint8_t)g->hpa_bits,
		.max_leaf = (uint8_t)g->max_leaf,
		.page_memtypes = true,
	};
	enum err err = npt_new(&fixture->npt, g->ops, &config, &fixture->env);

	CHECK(err == (g->root_order < 0 ? ERR_INVALID : ERR_OK), "levels %u, gpa %u, hpa %u, leaf %u: %s", g->levels, g->gpa_bits,
	      g->hpa_bits, g->max_leaf, host_err(err));
	if (err == ERR_OK) {
		CHECK_EQ(fixture->npt.root_order, g->root_order);
		CHECK_EQ(fixture->taken, PAGE_SIZE << g->root_order);
		CHECK(is_aligned(fixture->npt.root.raw, PAGE_SIZE << g->root_order), "root alignment");
		npt_free(&fixture->npt);
	}
	CHECK_EQ(fixture->taken, 0);
}

static void geometries_are_as_the_manuals_have_them(void **state)
{
	struct fixture *fixture = fixture_bare(&formats[0]);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(geometries); i++)
		check_geometry(fixture, &geometries[i]);
	fixture_bare_free(fixture);
}

static void a_root_that_cannot_be_had_is_no_memory(void **state)
{
	(void)state;
	for (size_t i = 0; i < format_count; i++) {
		struct fixture *fixture = fixture_bare(&formats[i]);

		fixture->allocs_left = 0;
		CHECK_ERR(npt_new(&fixture->npt, formats[i].ops, &formats[i].config, &fixture->env), ERR_NO_MEMORY);
		CHECK_EQ(fixture->taken, 0);
		fixture_bare_free(fixture);
	}
}

/* npt_free: first the flush of everything, then the tables, then the root. */
static void free_flushes_before_it_frees(void **state)
{
	(void)state;
	for (size_t i = 0; i < format_count; i++) {
		struct fixture *f = fixture_new(&formats[i]);
		uint64_t end = BIT(f->npt.config.gpa_bits);
		size_t tables;

		CHECK_ERR(fixture_map(f, 0, 0, MIB(2) + KIB(4), NPT_RW), ERR_OK);
		CHECK_ERR(fixture_map(f, end - KIB(8), 0, KIB(4), NPT_RW), ERR_OK);
		tables = f->npt.table_bytes / PAGE_SIZE - (1u << f->npt.root_order) + 1;
		f->watched = false;
		fixture_forget_events(f);
		npt_free(&f->npt);
		CHECK_EQ(f->events[0].kind, FAKE_FLUSH);
		CHECK_EQ(f->events[0].size, NPT_FLUSH_ALL);
		CHECK_EQ(fixture_count(f, FAKE_FLUSH), 1);
		CHECK_EQ(fixture_count(f, FAKE_FREE), tables);
		CHECK_EQ(f->taken, 0);
		CHECK_EQ(f->npt.table_bytes, 0);
		CHECK_EQ(f->npt.leaves[0] + f->npt.leaves[1] + f->npt.leaves[2], 0);
		fixture_bare_free(f);
	}
}

/* The root that a RISC-V mode is tried with, before there are tables: all permissions, one to one. */
static void the_identity_root_is_one_to_one(void **state)
{
	static uint64_t root[512] __attribute__((aligned(4096)));
	struct oracle_machine m = { .hpa_bits = 56, .max_leaf = 4, .supervisor = true };
	struct oracle_entry e;

	(void)state;
	for (m.levels = 3; m.levels <= 5; m.levels++) {
		memset(root, 0, sizeof(root));
		npt_riscv_identity_root(root, m.levels);
		for (uint64_t i = 0; i < 512; i++) {
			oracle_riscv.decode(&m, root[i], m.levels - 1, &e);
			CHECK_EQ(e.kind, i < 256 ? ORACLE_LEAF : ORACLE_EMPTY);
			if (i >= 256)
				continue;
			CHECK_EQ(e.addr, i << (12 + 9 * (m.levels - 1)));
			CHECK(e.prot == NPT_RWX && e.accessed && e.dirty && !e.odd, "entry %ju", (uintmax_t)i);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(geometries_are_as_the_manuals_have_them),
		cmocka_unit_test(a_root_that_cannot_be_had_is_no_memory),
		cmocka_unit_test(free_flushes_before_it_frees),
		cmocka_unit_test(the_identity_root_is_one_to_one),
	};

	return cmocka_run_group_tests_name("npt_geometry", tests, NULL, NULL);
}

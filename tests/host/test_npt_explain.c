/* SPDX-License-Identifier: BSD-2-Clause */
/* A walk told step by step is the one that the oracle takes. */
#include "npt/explain.h"
#include "tests/host/fixture.h"

/* Each step is at the entry that the oracle found there, and the last one alone is no table. */
static void expect_steps(struct fixture *f, uint64_t gpa, enum npt_kind end)
{
	struct oracle_walk walk = view_walk(&f->view, gpa, 0);
	struct npt_step steps[NPT_MAX_LEVELS];
	unsigned count = npt_explain(&f->npt, GPA(gpa), steps);

	CHECK_EQ(count, walk.depth);
	CHECK_EQ(steps[0].table.raw, f->npt.root.raw);
	for (unsigned i = 0; i < count; i++) {
		const struct npt_step *step = &steps[i];

		CHECK_EQ(step->level, f->npt.config.levels - 1 - i);
		CHECK_EQ(step->pte, walk.ptes[i]);
		CHECK_EQ(step->kind, i + 1 < count ? NPT_TABLE : end);
		CHECK_EQ(*(uint64_t *)(uintptr_t)(step->table.raw + 8 * step->index + f->env.phys_to_virt), step->pte);
	}
}

static void steps_are_those_of_the_walk(void **state)
{
	struct fixture *f = *state;
	struct npt_step steps[NPT_MAX_LEVELS];
	unsigned count;

	expect_steps(f, 0, NPT_EMPTY);
	CHECK_ERR(fixture_map(f, PAGE_SIZE, MIB(64), PAGE_SIZE, NPT_RW), ERR_OK);
	expect_steps(f, PAGE_SIZE, NPT_LEAF);
	expect_steps(f, 2 * PAGE_SIZE, NPT_EMPTY);
	expect_steps(f, f->npt.end - 1, NPT_EMPTY);

	count = npt_explain(&f->npt, GPA(PAGE_SIZE + 5), steps);
	CHECK_EQ(count, f->npt.config.levels);
	CHECK_EQ(steps[count - 1].leaf.hpa.raw, MIB(64));
	CHECK_EQ(steps[count - 1].leaf.gpa.raw, PAGE_SIZE);
	CHECK_EQ(steps[count - 1].leaf.attr.prot, NPT_RW);
	CHECK_EQ(npt_explain(&f->npt, GPA(f->npt.end), steps), 0);
}

int main(void)
{
	static const struct format_test tests[] = {
		{ "steps_are_those_of_the_walk", steps_are_those_of_the_walk },
	};

	return format_suite("npt_explain", tests, ARRAY_LEN(tests));
}

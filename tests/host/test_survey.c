/* SPDX-License-Identifier: BSD-2-Clause */
/* What guest memory is backed by, as it is told to whoever shows it. */
#include "tests/host/space.h"

struct told {
	uint64_t pages, large, shared, zeros;
};

/* In one go, or by a few leaves at a time: the sum is the same. */
static void expect(struct space *s, uint64_t gpa, uint64_t size, struct told told)
{
	static const unsigned steps[] = { UINT32_MAX, 7, 1 };

	for (unsigned i = 0; i < ARRAY_LEN(steps); i++) {
		struct addr_space_survey survey = { .next = GPA(gpa) };

		while (survey.next.raw < gpa + size) {
			uint64_t before = survey.next.raw;
			unsigned leaves = steps[i];

			CHECK_ERR(addr_space_survey(&s->as, survey.next, gpa + size - before, &leaves, &survey), ERR_OK);
			CHECK(survey.next.raw > before, "no way on from %#jx", (uintmax_t)before);
			CHECK(leaves == 0 || survey.next.raw == gpa + size, "%u leaves left at %#jx", leaves,
			      (uintmax_t)survey.next.raw);
		}
		CHECK_EQ(survey.next.raw, gpa + size);
		CHECK_EQ(survey.pages, told.pages);
		CHECK_EQ(survey.large, told.large);
		CHECK_EQ(survey.shared, told.shared);
		CHECK_EQ(survey.zeros, told.zeros);
	}
}

static void each_kind_is_told_apart(void **state)
{
	struct space *s = *state;

	CHECK_ERR(space_alloc(s, 0, MIB(2), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	CHECK_ERR(space_alloc(s, MIB(4), MIB(4), NPT_RW, ALLOC_LAZY_2M), ERR_OK);
	expect(s, 0, MIB(8), (struct told){ 0 });
	for (unsigned page = 0; page < 20; page++)
		CHECK_EQ(space_fault(s, page * PAGE_SIZE, NPT_W), FAULT_HANDLED);
	for (unsigned page = 100; page < 109; page++)
		CHECK_EQ(space_fault(s, page * PAGE_SIZE, NPT_R), FAULT_HANDLED);
	CHECK_EQ(space_fault(s, MIB(5), NPT_W), FAULT_HANDLED);
	CHECK_EQ(space_fault(s, MIB(6), NPT_R), FAULT_HANDLED);
	expect(s, 0, MIB(2), (struct told){ .pages = 20 * PAGE_SIZE, .zeros = 9 * PAGE_SIZE });
	expect(s, MIB(2), MIB(2), (struct told){ 0 });
	expect(s, 0, MIB(8), (struct told){ 20 * PAGE_SIZE, MIB(2), 0, 9 * PAGE_SIZE + MIB(2) });
	/* A part of a leaf counts for as much of it as was asked about. */
	expect(s, 19 * PAGE_SIZE, 82 * PAGE_SIZE, (struct told){ .pages = PAGE_SIZE, .zeros = PAGE_SIZE });
	expect(s, MIB(5), KIB(64), (struct told){ .large = KIB(64) });
	expect(s, MIB(5), MIB(2), (struct told){ .large = MIB(1), .zeros = MIB(1) });
	CHECK_ERR(space_discard(s, 0, MIB(2)), ERR_OK);
	expect(s, 0, MIB(2), (struct told){ 0 });
}

static void no_more_leaves_are_looked_at_than_asked_for(void **state)
{
	struct space *s = *state;
	struct addr_space_survey survey = { 0 };
	unsigned leaves = 5;

	CHECK_ERR(space_alloc(s, 0, MIB(2), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	for (unsigned page = 0; page < 20; page++)
		CHECK_EQ(space_fault(s, page * 2 * PAGE_SIZE, NPT_W), FAULT_HANDLED);
	CHECK_ERR(addr_space_survey(&s->as, GPA(0), MIB(2), &leaves, &survey), ERR_OK);
	CHECK_EQ(leaves, 0);
	CHECK_EQ(survey.pages, 5 * PAGE_SIZE);
	CHECK_EQ(survey.next.raw, 9 * PAGE_SIZE);
	leaves = 100;
	CHECK_ERR(addr_space_survey(&s->as, survey.next, MIB(2) - survey.next.raw, &leaves, &survey), ERR_OK);
	CHECK_EQ(leaves, 85);
	CHECK_EQ(survey.pages, 20 * PAGE_SIZE);
	CHECK_EQ(survey.next.raw, MIB(2));
}

static void what_a_fork_left_is_shared(void **state)
{
	struct space *s = *state, *child;

	CHECK_ERR(space_alloc(s, 0, MIB(4), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	for (unsigned page = 0; page < 16; page++)
		CHECK_EQ(space_fault(s, page * PAGE_SIZE, NPT_W), FAULT_HANDLED);
	CHECK_EQ(space_fault(s, MIB(2), NPT_R), FAULT_HANDLED);
	CHECK_ERR(space_fork(s, &child), ERR_OK);
	expect(s, 0, MIB(4), (struct told){ .shared = KIB(64), .zeros = PAGE_SIZE });
	expect(child, 0, MIB(4), (struct told){ .shared = KIB(64), .zeros = PAGE_SIZE });
	CHECK_EQ(space_fault(child, 0, NPT_W), FAULT_HANDLED);
	expect(child, 0, MIB(4), (struct told){ .pages = PAGE_SIZE, .shared = KIB(60), .zeros = PAGE_SIZE });
	space_end(child);
}

static void refused_surveys_count_nothing(void **state)
{
	struct space *s = *state;
	const uint64_t end = BIT(s->format->config.gpa_bits);
	struct addr_space_survey survey = { 0 };
	unsigned leaves = 10, none = 0;

	CHECK_ERR(addr_space_survey(&s->as, GPA(0), 0, &leaves, &survey), ERR_INVALID);
	CHECK_ERR(addr_space_survey(&s->as, GPA(8), PAGE_SIZE, &leaves, &survey), ERR_INVALID);
	CHECK_ERR(addr_space_survey(&s->as, GPA(end), PAGE_SIZE, &leaves, &survey), ERR_RANGE);
	CHECK_ERR(addr_space_survey(&s->as, GPA(0), PAGE_SIZE, &none, &survey), ERR_INVALID);
	CHECK_EQ(leaves, 10);
	CHECK_EQ(survey.pages + survey.large + survey.shared + survey.zeros, 0);
}

int main(void)
{
	static const struct format_test tests[] = {
		{ "each_kind_is_told_apart", each_kind_is_told_apart },
		{ "no_more_leaves_are_looked_at_than_asked_for", no_more_leaves_are_looked_at_than_asked_for },
		{ "what_a_fork_left_is_shared", what_a_fork_left_is_shared },
		{ "refused_surveys_count_nothing", refused_surveys_count_nothing },
	};

	return space_suite_both_marks("survey", tests, ARRAY_LEN(tests));
}

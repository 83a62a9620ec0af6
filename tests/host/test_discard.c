/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory given back, by the guest's will: what is left, what comes in its place, and what it takes to make CPUs forget. */
#include "tests/host/space.h"

#include <string.h>

static void given_back_is_free_and_comes_back_as_zeros(void **state)
{
	struct space *s = *state;
	uint64_t free;

	CHECK_ERR(space_alloc(s, 0, MIB(1), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	free = ram_free_bytes();
	for (unsigned page = 0; page < 64; page++)
		space_store(s, page * PAGE_SIZE + 11, (uint8_t)(page + 1));
	CHECK_ERR(space_discard(s, KIB(16), KIB(128)), ERR_OK);
	CHECK_EQ(s->flushes, 1);
	CHECK_EQ(space_stats(s).resident, KIB(128));
	CHECK_EQ(space_stats(s).discarded, KIB(128));
	CHECK_EQ(space_stats(s).resident_peak, KIB(256));
	for (unsigned page = 0; page < 64; page++) {
		bool gone = page >= 4 && page < 36;

		CHECK_EQ(space_allows(s, page * PAGE_SIZE, 0), !gone);
		CHECK_EQ(space_load(s, page * PAGE_SIZE + 11), gone ? 0 : page + 1);
	}
	CHECK_EQ(space_stats(s).zero_leaves[0], 32);
	CHECK_EQ(space_fault(s, KIB(16), NPT_W), FAULT_HANDLED);
	for (unsigned i = 0; i < PAGE_SIZE; i++)
		CHECK_EQ(*space_byte(s, KIB(16) + i), 0);
	/* Zeros are nobody's memory: giving them back gives nothing. The tables go with the last leaf. */
	CHECK_ERR(space_discard(s, 0, MIB(1)), ERR_OK);
	CHECK_EQ(space_stats(s).discarded, KIB(128) + KIB(128) + KIB(4));
	CHECK_EQ(space_stats(s).zero_leaves[0], 0);
	CHECK_EQ(s->as.npt.table_bytes, PAGE_SIZE << s->as.npt.root_order);
	CHECK_EQ(free - ram_free_bytes(), frame_get_stats().zero);
	/* Nothing there: nothing to be done. */
	s->flushes = s->as.view.stats.flushes = 0;
	CHECK_ERR(space_discard(s, 0, MIB(1)), ERR_OK);
	CHECK_EQ(s->flushes, 0);
}

struct refusal {
	uint64_t gpa, size;
	enum err err;
};

static void refused_discards_change_nothing(void **state)
{
	struct space *s = *state;
	const uint64_t end = BIT(s->format->config.gpa_bits), page = PAGE_SIZE;
	const struct refusal refusals[] = {
		{ 0, 0, ERR_INVALID },
		{ 8, page, ERR_INVALID },
		{ 0, page + 8, ERR_INVALID },
		{ end, page, ERR_RANGE },
		{ end - page, 2 * page, ERR_RANGE },
		{ page, -page, ERR_RANGE },
		{ 0, MIB(2) + page, ERR_NOT_FOUND }, /* ends in a hole */
		{ MIB(2), page, ERR_NOT_FOUND },
		{ MIB(3), MIB(2), ERR_NOT_FOUND }, /* begins in one */
		{ MIB(6), page, ERR_INVALID },     /* Linear memory is not the space's to give */
		{ MIB(4), MIB(2) + page, ERR_INVALID },
		{ MIB(6) - page, MIB(2), ERR_INVALID },
	};

	CHECK_ERR(space_alloc(s, 0, MIB(2), NPT_RW, ALLOC_POPULATE), ERR_OK);
	CHECK_ERR(space_alloc(s, MIB(4), MIB(2), NPT_RW, ALLOC_POPULATE), ERR_OK);
	CHECK_ERR(space_linear(s, MIB(6), MIB(64), MIB(2), NPT_RW), ERR_OK);
	for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
		const struct refusal *r = &refusals[i];
		struct image image;
		enum err err;

		image_take(&image, &s->view);
		err = space_discard(s, r->gpa, r->size);
		CHECK(err == r->err, "refusal %zu: %s", i, host_err(err));
		image_expect(&image, &s->view, "refused discard");
	}
	CHECK_EQ(s->flushes, 0);
	CHECK_EQ(space_stats(s).discarded, 0);
	CHECK_EQ(space_stats(s).split, 0);
}

static void large_leaves_are_cut_at_the_ends(void **state)
{
	struct space *s = *state;

	CHECK_ERR(space_alloc(s, 0, MIB(6), NPT_RW, ALLOC_POPULATE), ERR_OK);
	for (uint64_t at = 0; at < MIB(6); at += PAGE_SIZE)
		space_store(s, at, (uint8_t)(at / PAGE_SIZE % 255 + 1));
	s->flushes = s->as.view.stats.flushes = 0;
	CHECK_ERR(space_discard(s, MIB(1), MIB(4)), ERR_OK);
	/* One flush, and on Arm one more for each of the two leaves that were split. */
	CHECK_EQ(s->flushes, s->format->break_before_make ? 3 : 1);
	CHECK_EQ(space_stats(s).split, 2);
	CHECK_EQ(space_stats(s).resident, MIB(2));
	CHECK_EQ(space_stats(s).discarded, MIB(4));
	for (uint64_t at = 0; at < MIB(6); at += PAGE_SIZE)
		CHECK_EQ(space_load(s, at), at >= MIB(1) && at < MIB(5) ? 0 : at / PAGE_SIZE % 255 + 1);
	CHECK_EQ(space_level(s, MIB(2)), 1); /* zeros, after all */
	CHECK_EQ(space_stats(s).zero_leaves[1], 1);
	CHECK_EQ(space_stats(s).zero_leaves[0], 512);
}

/* A hole in a large leaf fills by pages; with the last one the leaf is whole again. */
static void a_filled_hole_is_a_large_leaf_again(void **state)
{
	struct space *s = *state;
	const enum alloc_policy policies[] = { ALLOC_LAZY_2M, ALLOC_POPULATE, ALLOC_LAZY_AUTO };

	for (size_t i = 0; i < ARRAY_LEN(policies); i++) {
		struct addr_space_stats before = space_stats(s), after;

		CHECK_ERR(space_alloc(s, MIB(2), MIB(2), NPT_RW, ALLOC_LAZY_2M), ERR_OK);
		for (unsigned page = 0; page < 512; page++)
			space_store(s, MIB(2) + page * PAGE_SIZE, (uint8_t)(page % 255 + 1));
		CHECK_EQ(space_level(s, MIB(2)), 1);
		CHECK_ERR(space_set_policy(s, MIB(2), MIB(2), policies[i]), ERR_OK);
		CHECK_ERR(space_discard(s, MIB(2) + 300 * PAGE_SIZE, 20 * PAGE_SIZE), ERR_OK);
		CHECK_EQ(space_level(s, MIB(2)), 0);
		CHECK_EQ(space_stats(s).resident, 492 * PAGE_SIZE);
		for (unsigned page = 300; page < 320; page++)
			space_store(s, MIB(2) + page * PAGE_SIZE, 99);
		space_check(s);
		CHECK_EQ(space_level(s, MIB(2)), 1);
		after = space_stats(s);
		CHECK_EQ(after.promoted + after.merged, before.promoted + before.merged + 1);
		CHECK_EQ(after.resident, MIB(2));
		for (unsigned page = 0; page < 512; page++)
			CHECK_EQ(*space_byte(s, MIB(2) + page * PAGE_SIZE), page >= 300 && page < 320 ? 99 : page % 255 + 1);
		space_clear(s);
	}
}

static void populated_memory_is_lazy_once_given_back(void **state)
{
	struct space *s = *state;

	CHECK_ERR(space_alloc(s, 0, MIB(4) + KIB(16), NPT_RW, ALLOC_POPULATE), ERR_OK);
	memset(space_byte(s, MIB(2)), 1, MIB(2));
	CHECK_ERR(space_discard(s, 0, MIB(4) + KIB(16)), ERR_OK);
	CHECK_EQ(space_stats(s).resident, 0);
	CHECK_EQ(space_fault(s, MIB(3), NPT_W), FAULT_HANDLED);
	CHECK_EQ(space_level(s, MIB(2)), 1);
	for (uint64_t at = MIB(2); at < MIB(4); at += 64)
		CHECK_EQ(*space_byte(s, at), 0);
	CHECK_EQ(space_fault(s, MIB(4) + KIB(4), NPT_W), FAULT_HANDLED);
	CHECK_EQ(space_stats(s).resident, MIB(2) + KIB(4));
	CHECK_EQ(space_load(s, KIB(4)), 0);
	CHECK_EQ(space_level(s, KIB(4)), 1);
	CHECK_EQ(space_stats(s).resident, MIB(2) + KIB(4));
}

static void across_areas_of_every_kind_but_linear(void **state)
{
	struct space *s = *state;

	CHECK_ERR(space_alloc(s, 0, MIB(2), NPT_RW, ALLOC_POPULATE), ERR_OK);
	CHECK_ERR(space_alloc(s, MIB(2), MIB(2), NPT_R, ALLOC_LAZY_4K), ERR_OK);
	CHECK_ERR(space_alloc(s, MIB(4), MIB(2), NPT_RWX, ALLOC_LAZY_AUTO), ERR_OK);
	space_load(s, MIB(3));
	space_load(s, MIB(5));
	space_store(s, MIB(5), 1);
	CHECK_EQ(space_stats(s).zero_leaves[0], 1 + 511);
	s->flushes = s->as.view.stats.flushes = 0;
	CHECK_ERR(space_discard(s, MIB(1), MIB(5)), ERR_OK);
	CHECK_EQ(s->flushes, s->format->break_before_make ? 2 : 1);
	CHECK_EQ(space_stats(s).resident, MIB(1));
	CHECK_EQ(space_stats(s).zero_leaves[0], 0);
	/* The areas are still what they were. */
	CHECK_EQ(space_fault(s, MIB(3), NPT_W), FAULT_DENIED);
	CHECK_EQ(space_fault(s, MIB(5), NPT_X), FAULT_HANDLED);
	CHECK_EQ(space_fault(s, MIB(2) - KIB(4), NPT_RW), FAULT_HANDLED);
}

/* By range as long as that is few, then the whole space at once: never page by page. */
static void flushes_are_few(void **state)
{
	struct space *s = *state;
	uint64_t instructions;

	CHECK_ERR(space_alloc(s, 0, MIB(64), NPT_RW, ALLOC_LAZY_64K), ERR_OK);
	for (uint64_t at = 0; at < MIB(64); at += KIB(64)) {
		const struct npt_fault fault = { .gpa = GPA(at), .access = NPT_R };

		CHECK_EQ(addr_space_handle_fault(&s->as.view, &fault), FAULT_HANDLED);
	}
	CHECK_EQ(space_stats(s).zero_leaves[0], MIB(64) / PAGE_SIZE);
	s->flushes = s->as.view.stats.flushes = 0;
	instructions = s->instructions;
	CHECK_ERR(space_discard(s, 0, KIB(64)), ERR_OK);
	CHECK_EQ(s->flushes, 1);
	CHECK_EQ(s->instructions - instructions, 3); /* what a range takes here */
	CHECK_ERR(space_discard(s, KIB(64), MIB(64) - KIB(64)), ERR_OK);
	CHECK_EQ(s->flushes, 2);
	CHECK_EQ(s->instructions - instructions, 3 + 1);
	CHECK_EQ(s->as.npt.table_bytes, PAGE_SIZE << s->as.npt.root_order);
}

/* --- Several ranges at once ------------------------------------------------------------------------------------------ */

#define LEAVES 5 /* large ones that were written to, from 0 on; then a large zero page, and nothing */

static void set_large_leaves(struct space *s)
{
	CHECK_ERR(space_alloc(s, 0, (LEAVES + 2) * MIB(2), NPT_RW, ALLOC_LAZY_2M), ERR_OK);
	for (unsigned i = 0; i < LEAVES; i++) {
		space_store(s, i * MIB(2) + 5, (uint8_t)(i + 1));
		CHECK_EQ(space_level(s, i * MIB(2)), 1);
	}
	CHECK_EQ(space_load(s, LEAVES * MIB(2)), 0);
}

/* Returns how many ranges were done with; one of them is two blocks. */
static unsigned discard_all(struct space *s, uint64_t *released)
{
	struct addr_space_range ranges[] = {
		{ GPA(MIB(2)), MIB(2) },     { GPA(0), MIB(2) },
		{ GPA(MIB(6)), MIB(4) },     { GPA(MIB(4)), MIB(2) },
		{ GPA(MIB(1) + 1), MIB(2) }, { GPA(LEAVES * MIB(2)), MIB(4) },
		{ GPA(MIB(2)), MIB(2) },     { GPA(MIB(2)), UINT64_MAX - MIB(2) + 1 },
	};
	unsigned done;

	*released = 0;
	space_begin(s);
	done = addr_space_discard_ranges(&s->as, ranges, ARRAY_LEN(ranges), released);
	space_check(s);
	return ARRAY_LEN(ranges) - done;
}

static void many_large_leaves_are_one_flush(void **state)
{
	struct space *s = *state;
	uint64_t released, free = ram_free_bytes();

	set_large_leaves(s);
	s->flushes = s->as.view.stats.flushes = 0;
	CHECK_EQ(discard_all(s, &released), 0);
	CHECK_EQ(released, LEAVES * MIB(2));
	CHECK_EQ(s->flushes, 1);
	CHECK_EQ(space_stats(s).resident, 0);
	CHECK_EQ(space_stats(s).zero_leaves[1], 0);
	CHECK_EQ(s->as.npt.table_bytes, PAGE_SIZE << s->as.npt.root_order);
	CHECK_EQ(free - ram_free_bytes(), frame_get_stats().zero);
	for (unsigned i = 0; i <= LEAVES; i++)
		CHECK_EQ(space_load(s, i * MIB(2) + 5), 0);
}

/* What a fork has, too, is not freed, and lies between what is. */
static void large_leaves_of_a_fork_stay_its_own(void **state)
{
	struct space *s = *state, *child;
	uint64_t released;

	set_large_leaves(s);
	CHECK_ERR(space_fork(s, &child), ERR_OK);
	space_begin(child);
	CHECK_ERR(addr_space_discard(&child->as, GPA(0), MIB(2)), ERR_OK);
	space_check(child);
	CHECK_EQ(discard_all(s, &released), 0);
	CHECK_EQ(released, LEAVES * MIB(2));
	for (unsigned i = 0; i < LEAVES; i++) {
		CHECK_EQ(space_load(child, i * MIB(2) + 5), i > 0 ? i + 1 : 0);
		CHECK_EQ(space_load(s, i * MIB(2) + 5), 0);
	}
	CHECK_EQ(discard_all(child, &released), 0);
	CHECK_EQ(released, (LEAVES - 1) * MIB(2));
}

int main(void)
{
	static const struct format_test tests[] = {
		{ "given_back_is_free_and_comes_back_as_zeros", given_back_is_free_and_comes_back_as_zeros },
		{ "refused_discards_change_nothing", refused_discards_change_nothing },
		{ "large_leaves_are_cut_at_the_ends", large_leaves_are_cut_at_the_ends },
		{ "a_filled_hole_is_a_large_leaf_again", a_filled_hole_is_a_large_leaf_again },
		{ "populated_memory_is_lazy_once_given_back", populated_memory_is_lazy_once_given_back },
		{ "across_areas_of_every_kind_but_linear", across_areas_of_every_kind_but_linear },
		{ "flushes_are_few", flushes_are_few },
		{ "many_large_leaves_are_one_flush", many_large_leaves_are_one_flush },
		{ "large_leaves_of_a_fork_stay_its_own", large_leaves_of_a_fork_stay_its_own },
	};

	return space_suite("discard", tests, ARRAY_LEN(tests));
}

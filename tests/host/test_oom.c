/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every allocation fails in turn: each operation is tried with no frame to be had, with one, with two, until it
 * succeeds; and once more with no frame that the space may have. All failures must be ERR_NO_MEMORY, change nothing and leak
 * nothing.
 */
#include "tests/host/fixture.h"
#include "tests/host/space.h"

#include <stdlib.h>
#include <string.h>

#define MOST_FRAMES 1200

static const struct npt_attr rwx = { .prot = NPT_RWX, .memtype = NPT_WB };

/* One operation on bare tables: what must be there before, and what is done. Ranges in bytes. */
struct table_case {
	const char *name;
	struct {
		uint64_t gpa, hpa, size;
	} before[3];
	enum { MAP, MAP_AT, UNMAP, PROTECT, CUT, SPLIT } operation;
	uint64_t gpa, hpa, size;
};

static const struct table_case table_cases[] = {
	{ "map a page", .operation = MAP, .gpa = GIB(1), .size = KIB(4) },
	{ "map 2 MiB", .operation = MAP, .gpa = GIB(1), .size = MIB(2) },
	{ "map 1 GiB", .operation = MAP, .gpa = GIB(1), .size = GIB(1) },
	{ "map a ragged range", .operation = MAP, .gpa = GIB(1) - MIB(3) - KIB(4), .hpa = MIB(1) - KIB(4),
	  .size = MIB(6) + KIB(12) },
	{ "map pages of many tables", .operation = MAP, .gpa = MIB(1), .hpa = KIB(4), .size = MIB(16) },
	{ "map between others",
	  { { MIB(2), 0, MIB(2) }, { MIB(8), MIB(8), KIB(4) }, { GIB(1), 0, KIB(8) } },
	  .operation = MAP,
	  .gpa = MIB(4),
	  .hpa = KIB(4),
	  .size = MIB(4) },
	{ "map a page at a cursor", .operation = MAP_AT, .gpa = GIB(1), .size = KIB(4) },
	{ "map 2 MiB at a cursor", { { GIB(1), 0, KIB(8) } }, .operation = MAP_AT, .gpa = MIB(2), .size = MIB(2) },
	{ "unmap a page of 2 MiB", { { GIB(1), 0, MIB(2) } }, .operation = UNMAP, .gpa = GIB(1) + MIB(1), .size = KIB(4) },
	{ "unmap the middle of two leaves", { { MIB(2), 0, MIB(4) } }, .operation = UNMAP, .gpa = MIB(3), .size = MIB(2) },
	{ "unmap pages of two gibibytes",
	  { { 0, 0, GIB(2) } },
	  .operation = UNMAP,
	  .gpa = GIB(1) - MIB(3) - KIB(4),
	  .size = MIB(6) + KIB(8) },
	{ "unmap a page of 1 GiB", { { 0, 0, GIB(1) } }, .operation = UNMAP, .gpa = MIB(5) + KIB(4), .size = KIB(4) },
	{ "unmap across a hole", { { 0, 0, MIB(2) }, { MIB(8), 0, MIB(2) } }, .operation = UNMAP, .gpa = KIB(4), .size = MIB(9) },
	{ "protect a page of 2 MiB", { { GIB(1), 0, MIB(2) } }, .operation = PROTECT, .gpa = GIB(1) + MIB(1), .size = KIB(4) },
	{ "protect the middle of two leaves", { { MIB(2), 0, MIB(4) } }, .operation = PROTECT, .gpa = MIB(3), .size = MIB(2) },
	{ "protect pages of two gibibytes",
	  { { 0, 0, GIB(2) } },
	  .operation = PROTECT,
	  .gpa = GIB(1) - MIB(3) - KIB(4),
	  .size = MIB(6) + KIB(8) },
	{ "cut two gibibytes", { { 0, 0, GIB(2) } }, .operation = CUT, .gpa = GIB(1) - MIB(3) - KIB(4), .size = MIB(6) + KIB(8) },
	{ "split 1 GiB to pages", { { 0, GIB(1), GIB(1) } }, .operation = SPLIT, .gpa = MIB(9), .size = KIB(4) },
	{ "split 2 MiB", { { GIB(1), 0, MIB(2) } }, .operation = SPLIT, .gpa = GIB(1) + KIB(4), .size = KIB(4) },
};

static enum err with_gather(struct fixture *f, const struct table_case *c)
{
	struct npt_gather gather;
	enum err err;

	npt_gather_init(&gather, &f->npt);
	if (c->operation == UNMAP)
		err = npt_unmap(&f->npt, GPA(c->gpa), c->size, &gather);
	else
		err = npt_protect(&f->npt, GPA(c->gpa), c->size, NPT_R, &gather);
	npt_gather_finish(&gather);
	return err;
}

static enum err operate(struct fixture *f, const struct table_case *c)
{
	struct npt_cursor cursor;

	switch (c->operation) {
	case MAP:
		return npt_map(&f->npt, GPA(c->gpa), HPA(c->hpa), c->size, rwx);
	case MAP_AT:
		CHECK(npt_find(&f->npt, GPA(c->gpa), &cursor) == NPT_EMPTY, "%s", c->name);
		return npt_map_at(&f->npt, &cursor, GPA(c->gpa), c->size == MIB(2), HPA(c->hpa), rwx);
	case UNMAP:
	case PROTECT:
		return with_gather(f, c);
	case CUT:
		return npt_split_at_boundaries(&f->npt, GPA(c->gpa), c->size);
	default:
		return npt_split(&f->npt, GPA(c->gpa), 0);
	}
}

static void starve_tables(struct fixture *f, const struct table_case *c)
{
	for (size_t i = 0; i < ARRAY_LEN(c->before) && c->before[i].size; i++)
		CHECK_ERR(fixture_map(f, c->before[i].gpa, c->before[i].hpa, c->before[i].size, NPT_RWX), ERR_OK);
	for (long allowed = 0;; allowed++) {
		struct image image;
		enum err err;

		CHECK(allowed < MOST_FRAMES, "%s never succeeds", c->name);
		image_take(&image, &f->view);
		f->allocs_left = allowed;
		err = operate(f, c);
		f->allocs_left = -1;
		fixture_check(f);
		if (err == ERR_OK) {
			image_drop(&image);
			/* With nothing to get it can only work where no table is needed. */
			CHECK(allowed > 0 || f->npt.config.max_leaf == 2, "%s needs no table?", c->name);
			break;
		}
		CHECK(err == ERR_NO_MEMORY, "%s: %s", c->name, host_err(err));
		image_expect(&image, &f->view, c->name);
		fixture_forget_events(f);
	}
	CHECK_ERR(fixture_unmap(f, 0, GIB(2)), ERR_OK);
	CHECK_EQ(f->npt.table_bytes, PAGE_SIZE << f->npt.root_order);
}

static void tables_run_out(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(table_cases); i++)
		starve_tables(*state, &table_cases[i]);
}

/* All areas of a space, as a list to compare. */
struct areas {
	struct area all[256];
	size_t count;
};

static void list_areas(struct space *s, struct areas *list)
{
	memset(list, 0, sizeof(*list));
	for (struct area *area = area_find_from(&s->as.areas, 0); area; area = area_next(area)) {
		CHECK(list->count < ARRAY_LEN(list->all), "too many areas");
		list->all[list->count++] = (struct area){
			.start = area->start,
			.end = area->end,
			.attr = area->attr,
			.backend = area->backend,
			.policy = area->policy,
		};
	}
}

struct space_case {
	const char *name;
	enum err (*operate)(struct space *s);
	/* What a failure may leave behind, for those that promise less than all or nothing. */
	enum { NOTHING, SPLIT_LEAVES, BACKED_PAGES } leaves;
};

static enum err linear_page(struct space *s)
{
	return addr_space_map_linear(&s->as, GPA(GIB(8)), HPA(0), KIB(4), rwx);
}

static enum err linear_ragged(struct space *s)
{
	return addr_space_map_linear(&s->as, GPA(GIB(9) - MIB(1)), HPA(MIB(2)), MIB(5) + KIB(4), rwx);
}

static enum err linear_gibibyte(struct space *s)
{
	return addr_space_map_linear(&s->as, GPA(GIB(8)), HPA(GIB(1)), GIB(1), rwx);
}

static enum err populate_ragged(struct space *s)
{
	return addr_space_map_alloc(&s->as, GPA(GIB(8) + MIB(2) - KIB(40)), KIB(80), NPT_RW, ALLOC_POPULATE);
}

static enum err populate_large(struct space *s)
{
	return addr_space_map_alloc(&s->as, GPA(GIB(9) - KIB(4)), MIB(2) + KIB(8), NPT_RW, ALLOC_POPULATE);
}

static enum err fault_at(struct space *s, uint64_t gpa, unsigned access)
{
	const struct npt_fault fault = { .gpa = GPA(gpa), .access = (uint8_t)access };
	enum fault_outcome outcome = addr_space_handle_fault(&s->as.view, &fault);

	CHECK(outcome == FAULT_HANDLED || outcome == FAULT_NO_MEMORY, "%s", fault_outcome_name(outcome));
	return outcome == FAULT_HANDLED ? ERR_OK : ERR_NO_MEMORY;
}

static enum err first_touch(struct space *s)
{
	return fault_at(s, GIB(6), NPT_W);
}

static enum err first_read(struct space *s)
{
	return fault_at(s, GIB(6), NPT_R);
}

static enum err first_of_sixteen(struct space *s)
{
	return fault_at(s, GIB(10) + KIB(40), NPT_W);
}

static enum err first_of_a_block(struct space *s)
{
	return fault_at(s, GIB(11) + MIB(1), NPT_W);
}

static enum err read_a_block(struct space *s)
{
	return fault_at(s, GIB(13), NPT_R);
}

static enum err write_a_block_of_zeros(struct space *s)
{
	return fault_at(s, GIB(11) + MIB(4), NPT_W);
}

static enum err write_a_page_of_a_block_of_zeros(struct space *s)
{
	return fault_at(s, GIB(12), NPT_W);
}

static enum err write_guest(struct space *s)
{
	return addr_space_write(&s->as, GPA(GIB(6) + 9), "x", 1);
}

static enum err unmap_populated(struct space *s)
{
	return addr_space_unmap(&s->as, GPA(MIB(3)), KIB(4));
}

static enum err unmap_across(struct space *s)
{
	return addr_space_unmap(&s->as, GPA(MIB(3)), MIB(4)); /* into the linear area */
}

static enum err unmap_linear(struct space *s)
{
	return addr_space_unmap(&s->as, GPA(GIB(1) + MIB(5)), KIB(4));
}

static enum err protect_populated(struct space *s)
{
	return addr_space_protect(&s->as, GPA(MIB(3)), KIB(4), NPT_R);
}

static enum err protect_across(struct space *s)
{
	return addr_space_protect(&s->as, GPA(MIB(3)), MIB(4), NPT_R);
}

static enum err discard_part(struct space *s)
{
	return addr_space_discard(&s->as, GPA(MIB(3)), KIB(4));
}

static enum err discard_across(struct space *s)
{
	return addr_space_discard(&s->as, GPA(MIB(3)), MIB(2));
}

static enum err discard_zeros(struct space *s)
{
	return addr_space_discard(&s->as, GPA(GIB(12) + MIB(1)), KIB(4));
}

static enum err change_policy(struct space *s)
{
	return addr_space_set_policy(&s->as, GPA(MIB(3)), MIB(2), ALLOC_LAZY_4K);
}

static enum err populate_by_policy(struct space *s)
{
	return addr_space_set_policy(&s->as, GPA(GIB(7) + MIB(2) - KIB(8)), KIB(64), ALLOC_POPULATE);
}

static enum err populate_zeros_by_policy(struct space *s)
{
	return addr_space_set_policy(&s->as, GPA(GIB(11) + MIB(4)), MIB(2) + KIB(4), ALLOC_POPULATE);
}

static enum err split_to_track(struct space *s)
{
	uint64_t bits[MIB(4) / PAGE_SIZE / 64], pages;

	return addr_space_dirty_log(&s->as, GPA(MIB(2)), MIB(4), true, bits, &pages);
}

static const struct space_case space_cases[] = {
	{ "linear page", linear_page, NOTHING },
	{ "linear, ragged", linear_ragged, NOTHING },
	{ "linear gibibyte", linear_gibibyte, NOTHING },
	{ "populate, ragged", populate_ragged, NOTHING },
	{ "populate, large", populate_large, NOTHING },
	{ "first touch", first_touch, NOTHING },
	{ "first read", first_read, NOTHING },
	{ "first of sixteen pages", first_of_sixteen, NOTHING },
	{ "first of a block", first_of_a_block, NOTHING },
	{ "read a block", read_a_block, NOTHING },
	{ "write a block of zeros", write_a_block_of_zeros, NOTHING },
	{ "write a page of a block of zeros", write_a_page_of_a_block_of_zeros, NOTHING },
	{ "write", write_guest, NOTHING },
	{ "unmap, populated", unmap_populated, NOTHING },
	{ "unmap, across", unmap_across, NOTHING },
	{ "unmap, linear", unmap_linear, NOTHING },
	{ "protect, populated", protect_populated, NOTHING },
	{ "protect, across", protect_across, NOTHING },
	{ "discard, part", discard_part, NOTHING },
	{ "discard, across", discard_across, NOTHING },
	{ "discard, zeros", discard_zeros, NOTHING },
	{ "policy", change_policy, NOTHING },
	{ "policy, populate", populate_by_policy, BACKED_PAGES },
	{ "policy, populate zeros", populate_zeros_by_policy, BACKED_PAGES },
	{ "dirty log, split", split_to_track, SPLIT_LEAVES },
};

/* populated | linear | a gibibyte of linear | lazy, with one page there | other policies, with blocks of zeros */
static void furnish(struct space *s)
{
	CHECK_ERR(space_alloc(s, MIB(2), MIB(4), NPT_RWX, ALLOC_POPULATE), ERR_OK);
	CHECK_ERR(space_linear(s, MIB(6), MIB(8), MIB(4), NPT_RWX), ERR_OK);
	CHECK_ERR(space_linear(s, GIB(1), GIB(2), GIB(1), NPT_RWX), ERR_OK);
	CHECK_ERR(space_alloc(s, GIB(4), GIB(4), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	CHECK_EQ(space_fault(s, GIB(5), NPT_W), FAULT_HANDLED);
	*space_byte(s, GIB(5)) = 1; /* nothing that could be taken back */
	CHECK_EQ(space_fault(s, GIB(5) + KIB(4), NPT_R), FAULT_HANDLED);
	CHECK_ERR(space_alloc(s, GIB(10), MIB(1), NPT_RW, ALLOC_LAZY_64K), ERR_OK);
	CHECK_ERR(space_alloc(s, GIB(11), MIB(8), NPT_RW, ALLOC_LAZY_2M), ERR_OK);
	CHECK_ERR(space_alloc(s, GIB(12), MIB(2), NPT_RW, ALLOC_LAZY_AUTO), ERR_OK);
	CHECK_ERR(space_alloc(s, GIB(13), MIB(2), NPT_RW, ALLOC_LAZY_AUTO), ERR_OK);
	CHECK_EQ(space_fault(s, GIB(11) + MIB(4), NPT_R), FAULT_HANDLED);
	CHECK_EQ(space_fault(s, GIB(12), NPT_R), FAULT_HANDLED);
}

/* Leave the space so many frames: the host has no more, or it may have no more. */
static void leave_frames(struct space *s, uint64_t frames, bool by_limit)
{
	if (!by_limit) {
		space_leave(s, frames);
		return;
	}
	addr_space_release_held(&s->as);
	CHECK_ERR(space_limit(s, space_stats(s).memory_used + frames * PAGE_SIZE), ERR_OK);
}

static bool starve_once(struct space *s, const struct space_case *c, uint64_t frames, bool by_limit)
{
	struct addr_space_stats before = addr_space_get_stats(&s->as), after;
	struct areas areas, now;
	struct image image;
	enum err err;

	leave_frames(s, frames, by_limit);
	image_take(&image, &s->view);
	list_areas(s, &areas);
	space_begin(s);
	err = c->operate(s);
	if (err == ERR_OK) {
		image_drop(&image);
	} else {
		CHECK(err == ERR_NO_MEMORY, "%s: %s", c->name, host_err(err));
		if (c->leaves == NOTHING)
			image_expect(&image, &s->view, c->name);
		else
			image_drop(&image);
		list_areas(s, &now);
		CHECK(memcmp(&areas, &now, sizeof(areas)) == 0, "%s changed the areas", c->name);
		after = addr_space_get_stats(&s->as);
		if (c->leaves == NOTHING)
			CHECK_EQ(by_limit ? s->limit.max - after.memory_used : ram_free_bytes(), frames * PAGE_SIZE);
		CHECK_EQ(s->as.cost.exceeded, by_limit);
		if (c->leaves != BACKED_PAGES)
			CHECK(after.resident == before.resident && after.resident_peak == before.resident_peak, "%s: resident",
			      c->name);
	}
	space_check(s);
	ram_release(&s->ram);
	CHECK_ERR(space_limit(s, UINT64_MAX), ERR_OK);
	return err == ERR_OK;
}

static void run_out(struct space *s, bool by_limit)
{
	for (size_t i = 0; i < ARRAY_LEN(space_cases); i++) {
		const struct space_case *c = &space_cases[i];
		uint64_t frames = 0;

		furnish(s);
		for (; !starve_once(s, c, frames, by_limit); frames++) {
			CHECK(frames < MOST_FRAMES, "%s never succeeds", c->name);
			if (frames == 40) /* a large block of frames, or all as pages: the middle is all alike */
				frames = 505;
		}
		CHECK(frames > 0 || s->format->config.max_leaf == 2, "%s needs nothing?", c->name);
		space_clear(s);
	}
}

static void frames_run_out(void **state)
{
	run_out(*state, false);
}

static void the_limit_is_reached(void **state)
{
	run_out(*state, true);
}

/* With the areas' own structures used up, making one more area is what fails. */
static void area_structures_run_out(void **state)
{
	struct space *s = *state;
	struct areas areas, now;

	/* All but one; by chance an area takes some more than one, and then they last for another frame of them. */
	for (uint64_t i = 0; s->as.areas.free_count != 1; i++)
		CHECK_ERR(space_alloc(s, GIB(1) + KIB(16) * i, KIB(12), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	for (unsigned round = 0; round < 2; round++) {
		space_leave(s, 0);
		list_areas(s, &areas);
		CHECK_ERR(space_unmap(s, GIB(1) + KIB(4), KIB(4)), ERR_NO_MEMORY);
		CHECK_ERR(space_protect(s, GIB(1) + KIB(4), KIB(4), NPT_R), ERR_NO_MEMORY);
		if (round > 0) {
			CHECK_ERR(space_alloc(s, 0, KIB(4), NPT_RW, ALLOC_LAZY_4K), ERR_NO_MEMORY);
			CHECK_ERR(space_linear(s, 0, 0, KIB(4), NPT_RW), ERR_NO_MEMORY);
		}
		list_areas(s, &now);
		CHECK(memcmp(&areas, &now, sizeof(areas)) == 0, "the areas changed");
		ram_release(&s->ram);
		if (round == 0) /* the last structure */
			CHECK_ERR(space_alloc(s, GIB(2), KIB(4), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	}
	/* With memory again all of it works. */
	CHECK_ERR(space_unmap(s, GIB(1) + KIB(4), KIB(4)), ERR_OK);
	CHECK_ERR(space_protect(s, GIB(1) + KIB(16) + KIB(4), KIB(4), NPT_R), ERR_OK);
	space_clear(s);
}

/* More than any block holds, and than there is: no memory, as for less, and none of it stays. */
static void populate_takes_more_than_there_is(void **state)
{
	struct space *s = *state;
	const uint64_t sizes[] = { SPACE_RAM_SIZE, GIB(1), GIB(2), GIB(256), GIB(512) };
	uint64_t free;

	CHECK_ERR(space_alloc(s, GIB(512) - KIB(4), KIB(4), NPT_RW, ALLOC_POPULATE), ERR_OK);
	CHECK_ERR(space_unmap(s, GIB(512) - KIB(4), KIB(4)), ERR_OK);
	free = ram_free_bytes();
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		CHECK_ERR(space_alloc(s, 0, sizes[i], NPT_RW, ALLOC_POPULATE), ERR_NO_MEMORY);
		CHECK_EQ(ram_free_bytes(), free);
		CHECK_EQ(space_stats(s).resident, 0);
		CHECK_ERR(space_alloc(s, 0, sizes[i], NPT_RW, ALLOC_LAZY_4K), ERR_OK);
		CHECK_ERR(space_set_policy(s, 0, sizes[i], ALLOC_POPULATE), ERR_NO_MEMORY);
		CHECK_ERR(space_unmap(s, 0, sizes[i]), ERR_OK);
		CHECK_EQ(ram_free_bytes(), free);
	}
}

int main(void)
{
	static const struct format_test table_tests[] = {
		{ "tables_run_out", tables_run_out },
	};
	static const struct format_test space_tests[] = {
		{ "frames_run_out", frames_run_out },
		{ "the_limit_is_reached", the_limit_is_reached },
		{ "area_structures_run_out", area_structures_run_out },
		{ "populate_takes_more_than_there_is", populate_takes_more_than_there_is },
	};
	int failed = format_suite("oom_tables", table_tests, ARRAY_LEN(table_tests));

	return failed + space_suite("oom_spaces", space_tests, ARRAY_LEN(space_tests));
}

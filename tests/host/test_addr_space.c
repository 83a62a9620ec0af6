/* SPDX-License-Identifier: BSD-2-Clause */
/* Areas and what stands behind them: made, split, narrowed, removed, cleared, counted. */
#include "tests/host/space.h"

#include <string.h>

#include "mm/space.h"

static uint64_t resident(struct space *s)
{
	return addr_space_get_stats(&s->as).resident;
}

static uint64_t top(const struct space *s)
{
	return BIT(s->format->config.gpa_bits);
}

static void a_new_space_is_empty(void **state)
{
	struct space *s = *state;
	struct addr_space_stats stats = addr_space_get_stats(&s->as);
	hpa_t hpa;

	space_check(s);
	CHECK_EQ(stats.resident + stats.resident_peak + stats.flushes + stats.faults_by_host, 0);
	for (unsigned outcome = 0; outcome < FAULT_OUTCOMES; outcome++)
		CHECK_EQ(stats.faults[outcome], 0);
	CHECK_ERR(addr_space_translate(&s->as, GPA(0), &hpa), ERR_NOT_FOUND);
	CHECK_ERR(addr_space_translate(&s->as, GPA(top(s)), &hpa), ERR_RANGE);
	CHECK_ERR(space_unmap(s, 0, top(s)), ERR_OK);
	CHECK_EQ(s->flushes, 0);
}

static void an_area_is_found_by_any_address_in_it(void **state)
{
	struct space *s = *state;
	struct addr_space_area area;

	CHECK(!addr_space_area_at(&s->as, GPA(MIB(1)), &area), "an area in a new space");
	CHECK_ERR(space_alloc(s, MIB(1), MIB(2), NPT_RX, ALLOC_LAZY_4K), ERR_OK);
	CHECK(addr_space_area_at(&s->as, GPA(MIB(1)), &area), "not at its first byte");
	CHECK(addr_space_area_at(&s->as, GPA(MIB(3) - 1), &area), "not at its last byte");
	CHECK_EQ(area.start.raw, MIB(1));
	CHECK_EQ(area.size, MIB(2));
	CHECK_EQ(area.prot, NPT_RX);
	CHECK(!addr_space_area_at(&s->as, GPA(MIB(1) - 1), &area), "below it");
	CHECK(!addr_space_area_at(&s->as, GPA(MIB(3)), &area), "above it");
	space_check(s);
}

static void linear_maps_at_once_with_large_leaves(void **state)
{
	struct space *s = *state;
	unsigned large = s->format->config.max_leaf;
	uint64_t before = ram_free_bytes(), tables;

	/* Above the guest's addresses, then below; nothing of it is owned. */
	CHECK_ERR(space_linear(s, GIB(1), GIB(4), GIB(1), NPT_RW), ERR_OK);
	CHECK_EQ(space_level(s, GIB(1)), large);
	CHECK_EQ(view_walk(&s->view, GIB(1) + 5, 0).hpa, GIB(4) + 5);
	CHECK_ERR(space_linear(s, GIB(4) - KIB(4), GIB(1) - KIB(4), MIB(2) + KIB(8), NPT_RX), ERR_OK);
	CHECK_EQ(space_level(s, GIB(4) - KIB(4)), 0);
	CHECK_EQ(space_level(s, GIB(4)), 1);
	CHECK_EQ(space_level(s, GIB(4) + MIB(2)), 0);
	CHECK_EQ(view_walk(&s->view, GIB(4) + MIB(2), 0).hpa, GIB(1) + MIB(2));
	CHECK(space_allows(s, GIB(4), ORACLE_R | ORACLE_X) && !space_allows(s, GIB(4), ORACLE_W), "RX");
	CHECK_EQ(resident(s), 0);
	tables = s->as.npt.table_bytes;
	CHECK_EQ(before - ram_free_bytes(), tables - (PAGE_SIZE << s->as.npt.root_order));
	CHECK_ERR(space_unmap(s, 0, top(s)), ERR_OK);
	CHECK_EQ(ram_free_bytes(), before);
	CHECK_EQ(s->flushes, 1);
}

static void linear_keeps_the_memory_type(void **state)
{
	struct space *s = *state;
	const struct npt_attr device = { .prot = NPT_RW, .memtype = NPT_UC };

	if (!format_has_type(s->format, NPT_UC)) {
		CHECK_ERR(addr_space_map_linear(&s->as, GPA(GIB(3)), HPA(GIB(3)), PAGE_SIZE, device), ERR_UNSUPPORTED);
		return;
	}
	CHECK_ERR(addr_space_map_linear(&s->as, GPA(GIB(3)), HPA(GIB(3)), MIB(2), device), ERR_OK);
	CHECK_EQ(view_walk(&s->view, GIB(3), 0).leaf.type, ORACLE_UC);
	CHECK_ERR(space_protect(s, GIB(3) + KIB(4), KIB(4), NPT_R), ERR_OK);
	CHECK_EQ(view_walk(&s->view, GIB(3) + KIB(4), 0).leaf.type, ORACLE_UC);
	CHECK_EQ(view_walk(&s->view, GIB(3) + KIB(8), 0).leaf.type, ORACLE_UC);
	/* Alloc areas are RAM. */
	CHECK_ERR(space_alloc(s, 0, KIB(4), NPT_RW, ALLOC_POPULATE), ERR_OK);
	CHECK_EQ(view_walk(&s->view, 0, 0).leaf.type, ORACLE_WB);
}

static void lazy_costs_nothing(void **state)
{
	struct space *s = *state;
	uint64_t before = ram_free_bytes();

	CHECK_ERR(space_alloc(s, 0, GIB(512), NPT_RWX, ALLOC_LAZY_4K), ERR_OK);
	CHECK_EQ(ram_free_bytes(), before);
	CHECK_EQ(resident(s), 0);
	CHECK(!space_allows(s, 0, 0) && !space_allows(s, GIB(512) - 1, 0), "mapped already");
	CHECK_ERR(space_unmap(s, 0, GIB(512)), ERR_OK);
	CHECK_EQ(ram_free_bytes(), before);
	CHECK_EQ(s->flushes, 0);
}

static void populate_backs_everything_with_zeros(void **state)
{
	struct space *s = *state;
	uint64_t before = ram_free_bytes(), gpa = GIB(1) - KIB(12), size = MIB(4) + KIB(20);

	CHECK_ERR(space_alloc(s, gpa, size, NPT_RW, ALLOC_POPULATE), ERR_OK);
	CHECK_EQ(resident(s), size);
	CHECK_EQ(addr_space_get_stats(&s->as).resident_peak, size);
	CHECK_EQ(before - ram_free_bytes(), size + s->as.npt.table_bytes - (PAGE_SIZE << s->as.npt.root_order));
	CHECK_EQ(space_level(s, gpa), 0);
	CHECK_EQ(space_level(s, GIB(1)), 1);
	CHECK_EQ(space_level(s, GIB(1) + MIB(4)), 0);
	for (uint64_t at = 0; at < size; at++)
		CHECK(*space_byte(s, gpa + (at | 0x7f)) == 0 && (at |= 0x7f), "byte %#jx", (uintmax_t)at);
	for (uint64_t at = 0; at < size; at += PAGE_SIZE) { /* no page twice */
		*space_byte(s, gpa + at) = (uint8_t)(1 + at / PAGE_SIZE % 251);
		memcpy(space_byte(s, gpa + at + 8), &at, sizeof(at));
	}
	for (uint64_t at = 0; at < size; at += PAGE_SIZE)
		CHECK(memcmp(space_byte(s, gpa + at + 8), &at, sizeof(at)) == 0, "page %#jx is shared", (uintmax_t)at);
	CHECK_EQ(space_fault(s, gpa, NPT_W), FAULT_SPURIOUS);
	CHECK_ERR(space_unmap(s, gpa, size), ERR_OK);
	CHECK_EQ(ram_free_bytes(), before);
	CHECK_EQ(addr_space_get_stats(&s->as).resident_peak, size);
}

/* With no large block left, small ones do. */
static void populate_takes_what_there_is(void **state)
{
	struct space *s = *state;
	hpa_t holes[14];

	for (unsigned i = 0; i < ARRAY_LEN(holes); i++)
		CHECK_ERR(frame_alloc(8, &holes[i]), ERR_OK);
	space_leave(s, 0);
	for (unsigned i = 0; i < ARRAY_LEN(holes); i += 2) /* 1 MiB each, apart */
		frame_free(holes[i], 8);
	CHECK_ERR(addr_space_map_alloc(&s->as, GPA(0), MIB(4), NPT_RW, ALLOC_POPULATE), ERR_OK);
	CHECK_EQ(space_level(s, 0), 0);
	CHECK_EQ(resident(s), MIB(4));
	for (unsigned i = 1; i < ARRAY_LEN(holes); i += 2)
		frame_free(holes[i], 8);
	space_check(s);
}

struct refusal {
	uint64_t gpa, size;
	unsigned prot;
	enum err err;
};

static void refused_areas_change_nothing(void **state)
{
	struct space *s = *state;
	const uint64_t end = top(s), page = PAGE_SIZE;
	const struct refusal refusals[] = {
		{ 0, 0, NPT_RW, ERR_INVALID },
		{ 8, page, NPT_RW, ERR_INVALID },
		{ 0, page + 8, NPT_RW, ERR_INVALID },
		{ 0, page, 0, ERR_INVALID },
		{ 0, page, 8, ERR_INVALID },
		{ 0, page, 256 + NPT_RW, ERR_INVALID },
		{ 0, page, NPT_W, ERR_UNSUPPORTED },
		{ 0, page, NPT_W | NPT_X, ERR_UNSUPPORTED },
		{ end, page, NPT_RW, ERR_RANGE },
		{ end - page, 2 * page, NPT_RW, ERR_RANGE },
		{ -page, 2 * page, NPT_RW, ERR_RANGE },
		{ page, -page, NPT_RW, ERR_RANGE },
		{ MIB(2), page, NPT_RW, ERR_EXISTS },
		{ MIB(2) - page, 3 * page, NPT_RW, ERR_EXISTS },
		{ MIB(2) + page, MIB(2), NPT_RW, ERR_EXISTS },
		{ 0, GIB(1), NPT_RW, ERR_EXISTS },
		{ MIB(4), MIB(4), NPT_RW, ERR_EXISTS },
	};

	CHECK_ERR(space_alloc(s, MIB(2), KIB(8), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	CHECK_ERR(space_alloc(s, MIB(8) - KIB(4), KIB(4), NPT_RW, ALLOC_POPULATE), ERR_OK);
	for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
		const struct refusal *r = &refusals[i];
		uint64_t free = ram_free_bytes();
		struct image image;

		image_take(&image, &s->view);
		for (unsigned policy = ALLOC_LAZY_4K; policy <= ALLOC_POPULATE; policy++)
			CHECK_ERR(space_alloc(s, r->gpa, r->size, r->prot, policy), r->err);
		if (r->prot < 256)
			CHECK_ERR(space_linear(s, r->gpa, 0, r->size, r->prot), r->err);
		image_expect(&image, &s->view, "refused area");
		CHECK_EQ(ram_free_bytes(), free);
	}
	CHECK_ERR(space_linear(s, 0, 12, PAGE_SIZE, NPT_R), ERR_INVALID);
	CHECK_ERR(space_linear(s, 0, BIT(s->format->config.hpa_bits), PAGE_SIZE, NPT_R), ERR_RANGE);
	/* What was refused left no area behind. */
	CHECK_EQ(space_fault(s, 0, NPT_R), FAULT_UNMAPPED);
	CHECK_ERR(space_alloc(s, 0, MIB(2), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	CHECK_ERR(space_alloc(s, MIB(2) + KIB(8), KIB(4), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	CHECK_ERR(space_alloc(s, end - KIB(4), KIB(4), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	CHECK_EQ(space_fault(s, end - 1, NPT_R), FAULT_HANDLED);
}

/* linear | lazy | hole | populated, cut in the first and in the last. */
static void unmap_cuts_across_areas(void **state)
{
	struct space *s = *state;
	uint64_t before = ram_free_bytes();

	CHECK_ERR(space_linear(s, MIB(2), MIB(512), MIB(2), NPT_RW), ERR_OK);
	CHECK_ERR(space_alloc(s, MIB(4), MIB(2), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	CHECK_ERR(space_alloc(s, MIB(8), MIB(2), NPT_RW, ALLOC_POPULATE), ERR_OK);
	for (unsigned i = 0; i < 5; i++)
		CHECK_EQ(space_fault(s, MIB(4) + i * KIB(32), NPT_W), FAULT_HANDLED);
	s->flushes = s->as.view.stats.flushes = 0;
	CHECK_ERR(space_unmap(s, MIB(3), MIB(6)), ERR_OK);
	/* One flush, and on Arm one more for each of the two leaves that were split. */
	CHECK_EQ(s->flushes, s->format->break_before_make ? 3 : 1);
	CHECK_EQ(resident(s), MIB(1));
	CHECK(space_allows(s, MIB(3) - 1, NPT_RW) && !space_allows(s, MIB(3), 0), "head");
	CHECK(!space_allows(s, MIB(4), 0) && !space_allows(s, MIB(9) - 1, 0), "inside");
	CHECK(space_allows(s, MIB(9), NPT_RW) && space_allows(s, MIB(10) - 1, NPT_RW), "tail");
	CHECK_EQ(view_walk(&s->view, MIB(3) - 1, 0).hpa, MIB(513) - 1);
	CHECK_EQ(space_fault(s, MIB(4), NPT_R), FAULT_UNMAPPED);
	CHECK_EQ(space_fault(s, MIB(9) - 1, NPT_R), FAULT_UNMAPPED);
	CHECK_EQ(space_fault(s, MIB(9), NPT_R), FAULT_SPURIOUS);
	/* What was freed can be promised again. */
	CHECK_ERR(space_alloc(s, MIB(3), MIB(6), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	CHECK_ERR(space_unmap(s, 0, MIB(64)), ERR_OK);
	CHECK_EQ(ram_free_bytes(), before);
	CHECK_EQ(resident(s), 0);
}

static void unmap_in_the_middle_leaves_both_ends(void **state)
{
	struct space *s = *state;

	CHECK_ERR(space_alloc(s, 0, MIB(6), NPT_RW, ALLOC_POPULATE), ERR_OK);
	*space_byte(s, MIB(2)) = 1;
	*space_byte(s, MIB(3) + KIB(4)) = 2;
	CHECK_ERR(space_unmap(s, MIB(3), KIB(4)), ERR_OK);
	CHECK_EQ(resident(s), MIB(6) - KIB(4));
	CHECK_EQ(*space_byte(s, MIB(2)), 1);
	CHECK_EQ(*space_byte(s, MIB(3) + KIB(4)), 2);
	CHECK_EQ(space_fault(s, MIB(3), NPT_R), FAULT_UNMAPPED);
	CHECK_EQ(space_fault(s, MIB(3) - 1, NPT_W), FAULT_SPURIOUS);
	CHECK_EQ(space_fault(s, MIB(3) + KIB(4), NPT_W), FAULT_SPURIOUS);
	CHECK_ERR(space_unmap(s, KIB(8), MIB(5)), ERR_OK);
	CHECK_EQ(resident(s), MIB(1));
	CHECK_ERR(space_unmap(s, 0, 1), ERR_INVALID);
	CHECK_ERR(space_unmap(s, top(s), KIB(4)), ERR_RANGE);
	CHECK_EQ(resident(s), MIB(1));
}

/* A frame that is given back is somebody else's only when zeroed. */
static void a_page_comes_back_as_zeros(void **state)
{
	struct space *s = *state;

	CHECK_ERR(space_alloc(s, 0, MIB(1), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	for (unsigned round = 0; round < 3; round++) {
		for (uint64_t at = 0; at < MIB(1); at += KIB(4)) {
			CHECK_EQ(space_fault(s, at, NPT_W), FAULT_HANDLED);
			for (unsigned i = 0; i < KIB(4); i += 512)
				CHECK_EQ(*space_byte(s, at + i), 0);
			memset(space_byte(s, at), 0x77, KIB(4));
		}
		CHECK_ERR(space_unmap(s, 0, MIB(1)), ERR_OK);
		CHECK_ERR(space_alloc(s, 0, MIB(1), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	}
}

static void protect_splits_areas_and_leaves(void **state)
{
	struct space *s = *state;

	CHECK_ERR(space_alloc(s, 0, MIB(4), NPT_RWX, ALLOC_POPULATE), ERR_OK);
	CHECK_ERR(space_alloc(s, MIB(4), MIB(4), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	s->flushes = s->as.view.stats.flushes = 0;
	CHECK_ERR(space_protect(s, MIB(3), MIB(2), NPT_R), ERR_OK);
	CHECK_EQ(s->flushes, s->format->break_before_make ? 2 : 1);
	CHECK(space_allows(s, MIB(3) - 1, NPT_RWX), "below");
	CHECK(space_allows(s, MIB(3), NPT_R) && !space_allows(s, MIB(3), NPT_W), "narrowed");
	/* What is not there yet obeys too, and what was outside keeps what it had. */
	CHECK_EQ(space_fault(s, MIB(4), NPT_W), FAULT_DENIED);
	CHECK_EQ(space_fault(s, MIB(5) - KIB(4), NPT_R), FAULT_HANDLED);
	CHECK(!space_allows(s, MIB(5) - KIB(4), NPT_W), "lazy page with its area's permissions");
	CHECK_EQ(space_fault(s, MIB(5), NPT_W), FAULT_HANDLED);
	CHECK_EQ(space_fault(s, MIB(3), NPT_W), FAULT_DENIED);
	/* Wider again: no flush. What shows zeros gets memory only when it is written. */
	s->flushes = s->as.view.stats.flushes = 0;
	CHECK_ERR(space_protect(s, MIB(3), MIB(2), NPT_RW), ERR_OK);
	CHECK_EQ(s->flushes, 0);
	CHECK(space_allows(s, MIB(3), NPT_RW) && !space_allows(s, MIB(5) - KIB(4), NPT_W), "widened");
	CHECK_EQ(resident(s), MIB(4) + KIB(4));
	CHECK_EQ(space_fault(s, MIB(5) - KIB(4), NPT_W), FAULT_HANDLED);
	CHECK_EQ(space_fault(s, MIB(4), NPT_W), FAULT_HANDLED);
	CHECK_EQ(resident(s), MIB(4) + KIB(12));
}

static void refused_protect_changes_nothing(void **state)
{
	struct space *s = *state;
	const struct refusal refusals[] = {
		{ 0, 0, NPT_R, ERR_INVALID },
		{ 0, 12, NPT_R, ERR_INVALID },
		{ 12, KIB(4), NPT_R, ERR_INVALID },
		{ 0, KIB(4), 0, ERR_INVALID },
		{ 0, KIB(4), 256 + NPT_R, ERR_INVALID },
		{ 0, KIB(4), NPT_W, ERR_UNSUPPORTED },
		{ top(s), KIB(4), NPT_R, ERR_RANGE },
		{ KIB(4), -KIB(4), NPT_R, ERR_RANGE },
		{ 0, MIB(3), NPT_R, ERR_NOT_FOUND },      /* ends in a hole */
		{ 0, MIB(8), NPT_R, ERR_NOT_FOUND },      /* a hole inside */
		{ MIB(3), MIB(2), NPT_R, ERR_NOT_FOUND }, /* begins in one */
		{ MIB(16), KIB(4), NPT_R, ERR_NOT_FOUND },
		{ MIB(7), MIB(1) + KIB(4), NPT_R, ERR_NOT_FOUND }, /* past the last area */
	};

	CHECK_ERR(space_alloc(s, 0, MIB(2), NPT_RW, ALLOC_POPULATE), ERR_OK);
	CHECK_ERR(space_alloc(s, MIB(4), MIB(4), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
		const struct refusal *r = &refusals[i];
		uint64_t free = ram_free_bytes();
		struct image image;
		enum err err;

		image_take(&image, &s->view);
		err = space_protect(s, r->gpa, r->size, r->prot);
		CHECK(err == r->err, "refusal %zu: %s", i, host_err(err));
		image_expect(&image, &s->view, "refused protect");
		CHECK_EQ(ram_free_bytes(), free);
	}
	CHECK_EQ(s->flushes, 0);
	CHECK_EQ(space_fault(s, MIB(4), NPT_W), FAULT_HANDLED);
}

static void clear_leaves_a_usable_space(void **state)
{
	struct space *s = *state;
	uint64_t before = ram_free_bytes();

	for (unsigned round = 0; round < 2; round++) {
		CHECK_ERR(space_alloc(s, 0, MIB(2), NPT_RW, ALLOC_POPULATE), ERR_OK);
		CHECK_ERR(space_alloc(s, MIB(4), GIB(8), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
		CHECK_ERR(space_linear(s, GIB(16), 0, GIB(1), NPT_RW), ERR_OK);
		CHECK_EQ(space_fault(s, GIB(8), NPT_W), FAULT_HANDLED);
		s->flushes = s->as.view.stats.flushes = 0;
		space_clear(s);
		CHECK_EQ(s->flushes, 1);
		CHECK_EQ(ram_free_bytes(), before);
		CHECK_EQ(resident(s), 0);
		CHECK_EQ(space_fault(s, 0, NPT_R), FAULT_UNMAPPED);
		CHECK_EQ(space_fault(s, GIB(16), NPT_R), FAULT_UNMAPPED);
	}
}

static void stats_count_what_is_there(void **state)
{
	struct space *s = *state;
	struct addr_space_stats stats;

	CHECK_ERR(space_alloc(s, 0, MIB(1), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	CHECK_EQ(space_fault(s, 0, NPT_W), FAULT_HANDLED);
	CHECK_EQ(space_fault(s, KIB(4), NPT_W), FAULT_HANDLED);
	*space_byte(s, 0) = *space_byte(s, KIB(4)) = 1;
	CHECK_EQ(space_fault(s, KIB(4), NPT_R), FAULT_SPURIOUS);
	CHECK_EQ(space_fault(s, KIB(4), NPT_X), FAULT_DENIED);
	CHECK_EQ(space_fault(s, KIB(8), NPT_X), FAULT_DENIED);
	CHECK_EQ(space_fault(s, MIB(1), NPT_R), FAULT_UNMAPPED);
	space_leave(s, 0);
	CHECK_EQ(space_fault(s, KIB(8), NPT_W), FAULT_NO_MEMORY);
	ram_release(&s->ram);
	stats = addr_space_get_stats(&s->as);
	CHECK_EQ(stats.resident, KIB(8));
	CHECK_EQ(stats.faults[FAULT_HANDLED], 2);
	CHECK_EQ(stats.faults[FAULT_SPURIOUS], 1);
	CHECK_EQ(stats.faults[FAULT_DENIED], 2);
	CHECK_EQ(stats.faults[FAULT_UNMAPPED], 1);
	CHECK_EQ(stats.faults[FAULT_NO_MEMORY], 1);
	CHECK_EQ(stats.faults_by_host, 0);
	CHECK_ERR(space_unmap(s, 0, KIB(4)), ERR_OK);
	stats = addr_space_get_stats(&s->as);
	CHECK_EQ(stats.resident, KIB(4));
	CHECK_EQ(stats.resident_peak, KIB(8));
}

static void new_space_needs_memory_and_a_geometry(void **state)
{
	struct space *s = *state;
	struct npt_config config = s->format->config;
	struct addr_space other;
	uint64_t free;

	for (uint64_t frames = 0; frames < 2; frames++) {
		space_leave(s, frames); /* one for the areas, more for the root */
		CHECK_ERR(addr_space_new(&other, s->format->ops, &config, NULL), ERR_NO_MEMORY);
		CHECK_EQ(ram_free_bytes(), frames * PAGE_SIZE);
		ram_release(&s->ram);
	}
	free = ram_free_bytes();
	config.levels = 9;
	CHECK_ERR(addr_space_new(&other, s->format->ops, &config, NULL), ERR_INVALID);
	CHECK_EQ(ram_free_bytes(), free);
	/* Without a flush no CPU runs on it; all the rest works. */
	CHECK_ERR(addr_space_new(&other, s->format->ops, &s->format->config, NULL), ERR_OK);
	CHECK_ERR(addr_space_map_alloc(&other, GPA(0), MIB(2), NPT_RW, ALLOC_POPULATE), ERR_OK);
	CHECK_ERR(addr_space_unmap(&other, GPA(KIB(4)), KIB(4)), ERR_OK);
	addr_space_free(&other);
	CHECK_EQ(ram_free_bytes(), free);
}

/* In a table that is in the walk cache, with another page there: by the fast path, with one flush each time, and nothing else
 * changes. */
static void a_page_comes_and_goes(void **state)
{
	struct space *s = *state;
	const uint64_t page = MIB(4) + KIB(20), host_end = BIT(s->format->config.hpa_bits);
	struct addr_space_area area;
	uint64_t tables;

	CHECK_ERR(space_linear(s, MIB(4), GIB(1) + KIB(4), KIB(4), NPT_RW), ERR_OK);
	CHECK_ERR(space_alloc(s, MIB(5), MIB(8), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	tables = s->as.npt.table_bytes;
	for (unsigned i = 0; i < 40; i++) {
		CHECK_ERR(space_linear(s, page, GIB(1), KIB(4), i % 2 ? NPT_R : NPT_RWX), ERR_OK);
		CHECK_EQ(view_walk(&s->view, page + 7, 0).hpa, GIB(1) + 7);
		CHECK(space_allows(s, page, ORACLE_W) == (i % 2 == 0), "the permissions of another page");
		CHECK_ERR(space_linear(s, page, GIB(1), KIB(4), NPT_RW), ERR_EXISTS);
		CHECK_EQ(s->flushes, i);
		CHECK_ERR(space_unmap(s, page, KIB(4)), ERR_OK);
		CHECK_EQ(s->flushes, i + 1);
		CHECK_EQ(s->as.npt.table_bytes, tables);
		CHECK_EQ(space_fault(s, page, NPT_R), FAULT_UNMAPPED);
	}
	/* What the fast path does not take is refused as ever. */
	CHECK_ERR(space_linear(s, page + 1, GIB(1), KIB(4), NPT_RW), ERR_INVALID);
	CHECK_ERR(space_linear(s, page, GIB(1) + 1, KIB(4), NPT_RW), ERR_INVALID);
	CHECK_ERR(space_linear(s, page, host_end, KIB(4), NPT_RW), ERR_RANGE);
	CHECK_ERR(space_linear(s, page, host_end - KIB(4), KIB(4), 0), ERR_INVALID);
	CHECK_ERR(space_linear(s, page, GIB(1), KIB(4), NPT_W), ERR_UNSUPPORTED);
	CHECK(addr_space_area_at(&s->as, GPA(MIB(5)), &area), "no area");
	CHECK_ERR(space_linear(s, MIB(5), GIB(1), KIB(4), NPT_RW), ERR_EXISTS); /* nothing is there, but an area */
	CHECK_ERR(space_linear(s, page, host_end - KIB(4), KIB(4), NPT_RW), ERR_OK);
	CHECK_EQ(view_walk(&s->view, page, 0).hpa, host_end - KIB(4));
	/* The last page of a table takes the table with it. */
	CHECK_ERR(space_unmap(s, MIB(4), KIB(4)), ERR_OK);
	CHECK_EQ(s->as.npt.table_bytes, tables);
	CHECK_ERR(space_unmap(s, page, KIB(4)), ERR_OK);
	CHECK(s->as.npt.table_bytes < tables, "an empty table");
}

/* Many areas of a page each in one table that is known: their structures run out by the way, and more of them come. */
static void pages_come_in_hundreds(void **state)
{
	struct space *s = *state;
	const struct npt_attr attr = { .prot = NPT_RW, .memtype = NPT_WB };

	for (unsigned page = 0; page < 512; page++)
		CHECK_ERR(
			addr_space_map_linear(&s->as, GPA(MIB(4) + page * PAGE_SIZE), HPA(GIB(1) + page * KIB(8)), PAGE_SIZE, attr),
			ERR_OK);
	for (unsigned page = 0; page < 512; page += 2) /* more than there are hints for at first */
		CHECK_ERR(addr_space_map_linear(&s->as, GPA(GIB(1) + page * PAGE_SIZE), HPA(GIB(2)), PAGE_SIZE, attr), ERR_OK);
	CHECK(s->as.areas.hint_frames.raw != 0, "no more hints than at first");
	space_check(s);
	for (unsigned page = 0; page < 512; page++) {
		struct addr_space_area area;

		CHECK_EQ(view_walk(&s->view, MIB(4) + page * PAGE_SIZE, 0).hpa, GIB(1) + page * KIB(8));
		CHECK(addr_space_area_at(&s->as, GPA(MIB(4) + page * PAGE_SIZE), &area), "no area at page %u", page);
		CHECK(area.start.raw == MIB(4) + page * PAGE_SIZE && area.size == PAGE_SIZE, "the area at page %u", page);
		CHECK_EQ(addr_space_area_at(&s->as, GPA(GIB(1) + page * PAGE_SIZE), &area), page % 2 == 0);
	}
	for (unsigned page = 0; page < 512; page += 3)
		CHECK_ERR(addr_space_unmap(&s->as, GPA(MIB(4) + page * PAGE_SIZE), PAGE_SIZE), ERR_OK);
	space_check(s);
	for (unsigned page = 0; page < 512; page++)
		CHECK_EQ(space_allows(s, MIB(4) + page * PAGE_SIZE, 0), page % 3 != 0);
}

/* As owners of frames spaces must differ, however many there have been; without a number there is no space. */
static void numbers_of_spaces_differ(void **state)
{
	struct space *s = *state;
	static struct addr_space other;
	static bool taken[UINT16_MAX + 1];
	uint16_t id;

	memset(taken, 0, sizeof(taken));
	taken[0] = taken[s->as.id] = taken[FRAME_OWNER_FILE] = true;
	while ((id = space_id_take()) != 0) {
		CHECK(!taken[id], "%u is another one's", id);
		taken[id] = true;
	}
	for (unsigned i = 0; i <= UINT16_MAX; i++)
		CHECK(taken[i], "%u was not given out", i);
	CHECK_ERR(addr_space_new(&other, s->as.npt.ops, &s->as.npt.config, NULL), ERR_NO_MEMORY);
	for (unsigned i = 1; i < FRAME_OWNER_FILE; i++)
		if (i != s->as.id)
			space_id_give((uint16_t)i);
	for (unsigned i = 0; i < 3; i++) {
		CHECK_ERR(addr_space_new(&other, s->as.npt.ops, &s->as.npt.config, NULL), ERR_OK);
		CHECK(other.id != s->as.id && other.id != 0, "number %u", other.id);
		addr_space_free(&other);
	}
	space_leave(s, 1);
	CHECK_ERR(addr_space_new(&other, s->as.npt.ops, &s->as.npt.config, NULL), ERR_NO_MEMORY);
	ram_release(&s->ram);
	for (unsigned i = 1; i < FRAME_OWNER_FILE; i++) /* all were given back */
		CHECK((id = space_id_take()) != 0 || i == FRAME_OWNER_FILE - 1, "only %u are left", i);
	for (unsigned i = 1; i < FRAME_OWNER_FILE; i++)
		if (i != s->as.id)
			space_id_give((uint16_t)i);
}

int main(void)
{
	static const struct format_test tests[] = {
		{ "numbers_of_spaces_differ", numbers_of_spaces_differ },
		{ "a_page_comes_and_goes", a_page_comes_and_goes },
		{ "pages_come_in_hundreds", pages_come_in_hundreds },
		{ "a_new_space_is_empty", a_new_space_is_empty },
		{ "an_area_is_found_by_any_address_in_it", an_area_is_found_by_any_address_in_it },
		{ "linear_maps_at_once_with_large_leaves", linear_maps_at_once_with_large_leaves },
		{ "linear_keeps_the_memory_type", linear_keeps_the_memory_type },
		{ "lazy_costs_nothing", lazy_costs_nothing },
		{ "populate_backs_everything_with_zeros", populate_backs_everything_with_zeros },
		{ "populate_takes_what_there_is", populate_takes_what_there_is },
		{ "refused_areas_change_nothing", refused_areas_change_nothing },
		{ "unmap_cuts_across_areas", unmap_cuts_across_areas },
		{ "unmap_in_the_middle_leaves_both_ends", unmap_in_the_middle_leaves_both_ends },
		{ "a_page_comes_back_as_zeros", a_page_comes_back_as_zeros },
		{ "protect_splits_areas_and_leaves", protect_splits_areas_and_leaves },
		{ "refused_protect_changes_nothing", refused_protect_changes_nothing },
		{ "clear_leaves_a_usable_space", clear_leaves_a_usable_space },
		{ "stats_count_what_is_there", stats_count_what_is_there },
		{ "new_space_needs_memory_and_a_geometry", new_space_needs_memory_and_a_geometry },
	};

	return space_suite("addr_space", tests, ARRAY_LEN(tests));
}

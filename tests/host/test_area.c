/* SPDX-License-Identifier: BSD-2-Clause */
/* The ordered set of areas, against a sorted array. */
#include "mm/area.h"

#include <stdlib.h>
#include <string.h>

#include "tests/host/ram.h"

#define BASE  0x40000000
#define MOST  20000
#define SPACE (KIB(4) * 100000)

struct reference {
	struct area areas[MOST];
	size_t count;
};

struct set_test {
	struct ram ram;
	struct area_set set;
	struct reference reference;
};

static int setup(void **state)
{
	struct set_test *t = calloc(1, sizeof(*t));

	assert_non_null(t);
	ram_open(&t->ram, BASE, MIB(8), true);
	area_set_init(&t->set, NULL);
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct set_test *t = *state;

	area_set_free(&t->set);
	ram_close(&t->ram);
	free(t);
	return 0;
}

/* The index of the first area that ends above `gpa`. */
static size_t place_of(const struct reference *reference, uint64_t gpa)
{
	size_t low = 0, high = reference->count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (reference->areas[middle].end > gpa)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

static void reference_insert(struct reference *reference, const struct area *area)
{
	size_t at = place_of(reference, area->start);

	CHECK(reference->count < MOST, "too many areas");
	memmove(&reference->areas[at + 1], &reference->areas[at], (reference->count - at) * sizeof(*area));
	reference->areas[at] = *area;
	reference->count++;
}

static void reference_remove(struct reference *reference, size_t at)
{
	reference->count--;
	memmove(&reference->areas[at], &reference->areas[at + 1], (reference->count - at) * sizeof(reference->areas[0]));
}

static void expect_same(const struct area *area, const struct area *wanted)
{
	assert_non_null(area);
	CHECK(area->start == wanted->start && area->end == wanted->end && area->attr.prot == wanted->attr.prot &&
		      area->attr.memtype == wanted->attr.memtype && area->backend == wanted->backend &&
		      area->policy == wanted->policy,
	      "[%#jx, %#jx), not [%#jx, %#jx)", (uintmax_t)area->start, (uintmax_t)area->end, (uintmax_t)wanted->start,
	      (uintmax_t)wanted->end);
}

static void check_find(struct set_test *t, uint64_t gpa)
{
	size_t at = place_of(&t->reference, gpa);
	const struct area *wanted = at < t->reference.count ? &t->reference.areas[at] : NULL;
	struct area *found = area_find(&t->set, gpa), *from = area_find_from(&t->set, gpa);

	if (!wanted)
		assert_null(from);
	else
		expect_same(from, wanted);
	if (wanted && wanted->start <= gpa)
		expect_same(found, wanted);
	else
		assert_null(found);
}

/* Each level is a ring in the order of addresses, of nodes for what is in the level below; and nothing is left of the highest. */
static void check_lanes(struct set_test *t)
{
	size_t below = t->reference.count;

	for (unsigned level = 1; level < AREA_LEVELS; level++) {
		struct area *head = &t->set.level[level], *node = head;
		uint64_t start = 0;
		size_t count = 0;

		CHECK(head->down == &t->set.level[level - 1] && head->down->up == head, "the heads are in a row");
		for (; node->next != head; node = node->next, count++) {
			const struct area *next = node->next;

			CHECK(next->prev == node && next->down->up == next && next->down->start == next->start, "a lost node");
			CHECK(next->start >= start && next->end == 0, "node %zu of level %u is out of order", count, level);
			start = next->start + 1;
		}
		CHECK(head->prev == node && count <= below, "%zu nodes over %zu", count, below);
		CHECK(count == 0 || t->set.top >= head, "a level above the highest");
		below = count;
	}
}

static void check_all(struct set_test *t)
{
	struct area *area = area_find_from(&t->set, 0);

	check_lanes(t);

	for (size_t i = 0; i < t->reference.count; i++, area = area_next(area))
		expect_same(area, &t->reference.areas[i]);
	assert_null(area);
}

static struct area make_area(uint64_t start, uint64_t end)
{
	return (struct area){
		.start = start,
		.end = end,
		.attr = { .prot = (uint8_t)(1 + start / KIB(4) % 7), .memtype = (uint8_t)(start / KIB(4) % 5) },
		.backend = start / KIB(4) % 2 ? AREA_LINEAR : AREA_ALLOC,
		.policy = (uint8_t)(end / KIB(4) % 2),
	};
}

/* Into the set alone; there is a reservation. */
static void insert_copy(struct set_test *t, const struct area *area)
{
	struct area *before = area_before(&t->set, area->start), *new = area_new(&t->set);

	*new = *area;
	area_insert(&t->set, before, new);
}

static void insert(struct set_test *t, uint64_t start, uint64_t end)
{
	struct area area = make_area(start, end);

	CHECK_ERR(area_reserve(&t->set, 1), ERR_OK);
	insert_copy(t, &area);
	reference_insert(&t->reference, &area);
}

static void empty_set(void **state)
{
	struct set_test *t = *state;

	check_find(t, 0);
	check_find(t, UINT64_MAX);
	check_all(t);
	/* Some areas cost nothing. */
	for (uint64_t i = 0; i < 8; i++) {
		uint64_t before = ram_free_bytes();

		insert(t, MIB(1) * i, MIB(1) * i + KIB(4));
		CHECK_EQ(ram_free_bytes(), before);
	}
	check_all(t);
}

static void borders(void **state)
{
	struct set_test *t = *state;
	const uint64_t points[] = {
		0, 1, KIB(4) - 1, KIB(4), KIB(8) - 1, KIB(8), KIB(16), KIB(12) - 1, KIB(12), KIB(20) - 1, KIB(20), UINT64_MAX,
	};

	insert(t, KIB(8), KIB(12)); /* neighbours on both sides, then a hole */
	insert(t, KIB(4), KIB(8));
	insert(t, KIB(16), KIB(20));
	for (size_t i = 0; i < ARRAY_LEN(points); i++)
		for (size_t j = 0; j < ARRAY_LEN(points); j++) {
			check_find(t, points[i]); /* whatever was found last */
			check_find(t, points[j]);
		}
}

/* Ascending, descending and from the middle out. */
static void four_thousand_areas(void **state)
{
	struct set_test *t = *state;
	const uint64_t count = 4096;

	for (uint64_t i = 0; i < count; i++) {
		uint64_t n = i % 3 == 0 ? i : i % 3 == 1 ? 3 * count - i : 4 * count + i * 7919 % count * 3;

		insert(t, KIB(12) * n, KIB(12) * n + KIB(8));
	}
	check_all(t);
	for (uint64_t i = 0; i < t->reference.count; i++)
		check_find(t, t->reference.areas[i * 2741 % t->reference.count].end - (i % 2));
	while (t->reference.count > 0) {
		size_t at = t->reference.count * 7 / 11;

		area_remove(&t->set, area_find(&t->set, t->reference.areas[at].start));
		reference_remove(&t->reference, at);
		if (t->reference.count % 512 == 0)
			check_all(t);
	}
	check_find(t, 0);
	/* The structures are used again. By chance there may be some more nodes in the levels, and so there are some areas less. */
	uint64_t before = ram_free_bytes();

	for (uint64_t i = 0; i < count - count / 16; i++)
		insert(t, KIB(8) * i, KIB(8) * i + KIB(4));
	CHECK_EQ(ram_free_bytes(), before);
	check_all(t);
}

static void do_split(struct set_test *t, size_t at, uint64_t border)
{
	struct area *lower = &t->reference.areas[at], upper = *lower;

	CHECK_ERR(area_reserve(&t->set, 1), ERR_OK);
	area_split(&t->set, area_find(&t->set, lower->start), border);
	lower->end = upper.start = border;
	reference_insert(&t->reference, &upper);
}

static void random_operations(void **state)
{
	struct set_test *t = *state;
	struct host_rng rng = host_rng("areas", 4096);
	unsigned steps = host_steps(20000);

	for (unsigned i = 0; i < steps; i++) {
		uint64_t gpa = align_down(host_below(&rng, SPACE), KIB(4));
		size_t at = place_of(&t->reference, gpa);
		const struct area *above = at < t->reference.count ? &t->reference.areas[at] : NULL;

		/* At first there are ever more of them, later ever fewer. */
		if (above && above->start <= gpa && host_chance(&rng, i < steps * 3 / 4 ? 10 : 90)) {
			area_remove(&t->set, area_find(&t->set, gpa));
			reference_remove(&t->reference, at);
			area_trim(&t->set);
		} else if (above && above->start < gpa) {
			do_split(t, at, gpa);
		} else if (!above || above->start > gpa) {
			uint64_t room = (above ? above->start : SPACE) - gpa;

			insert(t, gpa, gpa + align_down(host_below(&rng, min_u64(room, KIB(100))), KIB(4)) + KIB(4));
		}
		check_find(t, gpa);
		check_find(t, host_below(&rng, SPACE));
		if (i % 500 == 0)
			check_all(t);
	}
	check_all(t);
}

static void reservations_fail_without_memory(void **state)
{
	struct set_test *t = *state;
	uint64_t spare = 0;

	ram_leave(&t->ram, 0);
	while (area_reserve(&t->set, 1) == ERR_OK) { /* use up the first frame */
		struct area area = make_area(KIB(8) * spare, KIB(8) * spare + KIB(4));

		insert_copy(t, &area);
		reference_insert(&t->reference, &area);
		CHECK(++spare < PAGE_SIZE, "areas from nowhere");
	}
	CHECK_ERR(area_reserve(&t->set, 1), ERR_NO_MEMORY);
	CHECK_ERR(area_reserve(&t->set, 2), ERR_NO_MEMORY);
	check_all(t);
	area_remove(&t->set, area_find(&t->set, 0));
	CHECK_ERR(area_reserve(&t->set, 1), ERR_OK);
	CHECK_ERR(area_reserve(&t->set, 2), ERR_NO_MEMORY);
	/* What is promised to the second is not used for the first, however the dice fall. */
	area_remove(&t->set, area_find(&t->set, KIB(8)));
	for (unsigned i = 0; i < 200; i++) {
		CHECK_ERR(area_reserve(&t->set, 2), ERR_OK);
		for (uint64_t start = 0; start <= KIB(8); start += KIB(8)) {
			struct area area = make_area(start, start + KIB(4));

			CHECK(t->set.free_count > 0, "a node has what was reserved");
			insert_copy(t, &area);
		}
		check_lanes(t);
		area_remove(&t->set, area_find(&t->set, 0));
		area_remove(&t->set, area_find(&t->set, KIB(8)));
	}
	ram_release(&t->ram);
	CHECK_ERR(area_reserve(&t->set, 20 * PAGE_SIZE / sizeof(struct area)), ERR_OK);
}

/* More structures than hints, and no memory but for the structures. */
static void hints_do_without_memory(void **state)
{
	struct set_test *t = *state;
	uint64_t areas = 0;

	ram_leave(&t->ram, 2 * AREA_INLINE_HINTS * sizeof(struct area) / PAGE_SIZE);
	for (; area_reserve(&t->set, 1) == ERR_OK; areas++)
		insert(t, KIB(8) * areas, KIB(8) * areas + KIB(4));
	CHECK(t->set.structures > 2 * AREA_INLINE_HINTS, "%zu structures are too few to want hints", t->set.structures);
	CHECK_EQ(t->set.hint_mask, AREA_INLINE_HINTS - 1);
	check_all(t);
	ram_release(&t->ram);
	for (uint64_t i = 0; i < areas; i++)
		insert(t, KIB(8) * (areas + i), KIB(8) * (areas + i) + KIB(4));
	CHECK_EQ(t->set.hint_mask, 4 * AREA_INLINE_HINTS - 1);
	for (uint64_t i = 0; i < 2 * areas; i++)
		check_find(t, KIB(8) * (i * 2741 % (2 * areas)) + i % KIB(8));
	/* There is a hint for each by now. */
	for (uint64_t i = 0; i < 2 * areas; i++)
		CHECK(area_holds(*area_hint(&t->set, KIB(8) * i), KIB(8) * i), "area %ju is not remembered", (uintmax_t)i);
}

/* What areas that have gone were in is given back, wherever they were: a frame for each that is left, and one more, at most. */
static void empty_chunks_are_given_back(void **state)
{
	struct set_test *t = *state;
	uint64_t free = ram_free_bytes();
	const uint64_t count = 8000;

	for (unsigned stride = 1; stride <= 3; stride++) {
		for (uint64_t i = 0; i < count; i++)
			insert(t, KIB(8) * i, KIB(8) * i + KIB(4));
		CHECK(t->set.hint_mask + 1 > AREA_INLINE_HINTS, "few hints for many areas");
		CHECK_EQ(free - ram_free_bytes(), area_set_bytes(&t->set));
		for (uint64_t left = count; left > 0; left--) {
			size_t at = stride == 1 ? 0 : stride == 2 ? left - 1 : left * 7 / 11;

			area_remove(&t->set, area_find(&t->set, t->reference.areas[at].start));
			reference_remove(&t->reference, at);
			area_trim(&t->set);
			CHECK(area_set_bytes(&t->set) <= 3 * left * PAGE_SIZE + PAGE_SIZE, "%#jx bytes for %ju areas",
			      (uintmax_t)area_set_bytes(&t->set), (uintmax_t)left);
			if (left % 512 == 0 || left < 8)
				check_all(t);
		}
		CHECK_EQ(area_set_bytes(&t->set), 0);
		CHECK_EQ(ram_free_bytes(), free);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(empty_set, setup, teardown),
		cmocka_unit_test_setup_teardown(borders, setup, teardown),
		cmocka_unit_test_setup_teardown(four_thousand_areas, setup, teardown),
		cmocka_unit_test_setup_teardown(random_operations, setup, teardown),
		cmocka_unit_test_setup_teardown(reservations_fail_without_memory, setup, teardown),
		cmocka_unit_test_setup_teardown(hints_do_without_memory, setup, teardown),
		cmocka_unit_test_setup_teardown(empty_chunks_are_given_back, setup, teardown),
	};

	return cmocka_run_group_tests_name("area", tests, NULL, NULL);
}

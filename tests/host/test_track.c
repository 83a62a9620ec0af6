/* SPDX-License-Identifier: BSD-2-Clause */
/* Which pages were accessed, which were written: exactly those, whether hardware keeps the accessed and dirty bits or software. */
#include "tests/host/space.h"

#include <pthread.h>
#include <string.h>

#define PAGES 1024 /* of the area that most tests look at, from 0 on */
#define WORDS (PAGES / 64)
#define SIZE  (PAGES * PAGE_SIZE)

/* What should be in a bitmap. */
struct expected {
	uint64_t bits[WORDS];
	unsigned count;
};

static void expect_page(struct expected *expected, unsigned page)
{
	if (!(expected->bits[page / 64] >> (page % 64) & 1))
		expected->count++;
	expected->bits[page / 64] |= BIT(page % 64);
}

/* Ask twice: the second time there is nothing. */
static void test_and_clear(struct space *s, enum npt_ad mark, const struct expected *expected)
{
	uint64_t bits[WORDS], flushes = s->flushes, shared = s->as.npt.shared_tables;

	memset(bits, 0xff, sizeof(bits));
	CHECK_EQ(space_test_and_clear(s, mark, 0, SIZE, false, bits), expected->count);
	/* And once for each table that it has to make its own. */
	CHECK(s->flushes - flushes <= 1 + shared, "%ju flushes", (uintmax_t)(s->flushes - flushes));
	for (unsigned i = 0; i < WORDS; i++)
		CHECK(bits[i] == expected->bits[i], "pages %u and on: %#jx, not %#jx", 64 * i, (uintmax_t)bits[i],
		      (uintmax_t)expected->bits[i]);
	flushes = s->flushes;
	CHECK_EQ(space_test_and_clear(s, mark, 0, SIZE, false, bits), 0);
	for (unsigned i = 0; i < WORDS; i++)
		CHECK_EQ(bits[i], 0);
	CHECK_EQ(s->flushes, flushes);
}

static void forget(struct space *s)
{
	uint64_t bits[WORDS];

	space_test_and_clear(s, NPT_DIRTY, 0, SIZE, false, bits);
	space_test_and_clear(s, NPT_ACCESSED, 0, SIZE, false, bits);
}

static void lazy_area(struct space *s)
{
	CHECK_ERR(space_alloc(s, 0, SIZE, NPT_RWX, ALLOC_LAZY_4K), ERR_OK);
	for (unsigned page = 0; page < PAGES; page++)
		space_store(s, page * PAGE_SIZE, 1);
	space_check(s);
}

static void written_pages_are_told_exactly(void **state)
{
	struct space *s = *state;
	struct host_rng rng = host_rng("written_pages_are_told_exactly", 11);

	lazy_area(s);
	forget(s);
	for (unsigned round = 0; round < 4; round++) {
		struct expected dirty = { .count = 0 };

		for (unsigned i = 0; i < 30; i++) {
			unsigned page = (unsigned)host_below(&rng, PAGES);

			if (i % 3) {
				space_store(s, page * PAGE_SIZE + i, (uint8_t)i);
				expect_page(&dirty, page);
			} else {
				space_load(s, page * PAGE_SIZE);
				space_touch(s, page * PAGE_SIZE, NPT_X);
			}
		}
		space_check(s);
		test_and_clear(s, NPT_DIRTY, &dirty);
	}
}

static void accessed_pages_are_told_exactly(void **state)
{
	struct space *s = *state;
	struct host_rng rng = host_rng("accessed_pages_are_told_exactly", 12);
	uint64_t bits[WORDS];

	lazy_area(s);
	forget(s);
	for (unsigned round = 0; round < 4; round++) {
		struct expected accessed = { .count = 0 };

		for (unsigned i = 0; i < 30; i++) {
			unsigned page = (unsigned)host_below(&rng, PAGES);

			expect_page(&accessed, page);
			space_touch(s, page * PAGE_SIZE, i % 3 == 0 ? NPT_RW : i % 3 == 1 ? NPT_R : NPT_X);
		}
		space_check(s);
		test_and_clear(s, NPT_ACCESSED, &accessed);
	}
	/* One kind of mark says nothing of the other: the writes are still to be told. */
	CHECK(space_test_and_clear(s, NPT_DIRTY, 0, SIZE, false, bits) > 20, "written pages are forgotten");
}

/* What software keeps costs faults, once a page and harvest; what hardware keeps costs none. */
static void software_marks_cost_one_fault_each(void **state)
{
	struct space *s = *state;
	const bool software = !s->format->config.hardware_ad;
	uint64_t bits[WORDS], handled;

	lazy_area(s);
	forget(s);
	handled = space_stats(s).faults[FAULT_HANDLED];
	for (unsigned access = 0; access < 2; access++)
		for (unsigned page = 0; page < 8; page++)
			space_touch(s, page * PAGE_SIZE, access ? NPT_RW : NPT_R);
	CHECK_EQ(space_stats(s).handled_tracked, software ? 16 : 0);
	CHECK_EQ(space_stats(s).faults[FAULT_HANDLED] - handled, software ? 16 : 0);
	/* A write to an access-tracked page leaves both accessed and dirty bits at once. */
	space_touch(s, 8 * PAGE_SIZE, NPT_RW);
	CHECK_EQ(space_stats(s).handled_tracked, software ? 17 : 0);
	CHECK_EQ(space_test_and_clear(s, NPT_DIRTY, 0, SIZE, false, bits), 9);
	CHECK_EQ(space_test_and_clear(s, NPT_ACCESSED, 0, SIZE, false, bits), 9);
	CHECK_EQ(space_stats(s).resident, SIZE);
	CHECK_EQ(space_stats(s).shared + space_stats(s).zero_leaves[0], 0);
}

/* Pages that were harvested hide, but are all there: for the hypervisor, for changes, and for the guest's bytes. */
static void harvested_pages_keep_what_they_have(void **state)
{
	struct space *s = *state;
	uint8_t bytes[KIB(8)];
	struct expected dirty = { .count = 0 }, read = { .count = 0 };

	lazy_area(s);
	for (unsigned page = 0; page < 16; page++)
		space_store(s, page * PAGE_SIZE + 7, (uint8_t)(page + 1));
	forget(s);
	CHECK_ERR(addr_space_read(&s->as, GPA(KIB(2)), bytes, sizeof(bytes)), ERR_OK);
	CHECK_EQ(bytes[KIB(2) + 7], 2);
	test_and_clear(s, NPT_DIRTY, &dirty);
	for (unsigned page = 0; page < 3; page++)
		expect_page(&read, page);
	test_and_clear(s, NPT_ACCESSED, &read);
	/* What the hypervisor writes counts as written. */
	space_begin(s);
	CHECK_ERR(addr_space_write(&s->as, GPA(KIB(6)), bytes, KIB(4)), ERR_OK);
	space_check(s);
	expect_page(&dirty, 1);
	expect_page(&dirty, 2);
	test_and_clear(s, NPT_DIRTY, &dirty);
	forget(s);
	CHECK_ERR(space_protect(s, 0, KIB(32), NPT_R), ERR_OK);
	CHECK_EQ(space_fault(s, KIB(4), NPT_W), FAULT_DENIED);
	CHECK_EQ(space_load(s, KIB(12) + 7), 4);
	CHECK_ERR(space_protect(s, 0, KIB(32), NPT_RWX), ERR_OK);
	forget(s);
	CHECK_ERR(space_discard(s, KIB(16), KIB(4)), ERR_OK);
	CHECK_EQ(space_load(s, KIB(16) + 7), 0);
	space_store(s, KIB(20) + 7, 60);
	CHECK_EQ(space_load(s, KIB(20) + 7), 60);
	CHECK_ERR(space_unmap(s, 0, SIZE), ERR_OK);
	CHECK_EQ(space_stats(s).resident, 0);
}

/* A page that comes anew after a harvest is told of when it is written, and only then. */
static void fresh_pages_are_told_too(void **state)
{
	struct space *s = *state;
	uint64_t bits[WORDS];

	CHECK_ERR(space_alloc(s, 0, SIZE, NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	space_load(s, 0); /* zeros are read, not written */
	CHECK_EQ(space_test_and_clear(s, NPT_DIRTY, 0, SIZE, false, bits), 0);
	space_store(s, KIB(4), 1);
	space_store(s, 0, 1); /* in place of zeros */
	CHECK_EQ(space_test_and_clear(s, NPT_DIRTY, 0, SIZE, false, bits), 2);
	CHECK_EQ(bits[0], 3);
	CHECK_EQ(space_test_and_clear(s, NPT_ACCESSED, 0, SIZE, false, bits), 2);
	/* Memory that comes unasked is not written, either, as far as hardware can tell. */
	space_load(s, MIB(1));
	CHECK_ERR(space_set_policy(s, 0, SIZE, ALLOC_POPULATE), ERR_OK);
	CHECK_EQ(space_test_and_clear(s, NPT_DIRTY, 0, SIZE, false, bits), s->format->config.hardware_ad ? 0 : PAGES - 2);
}

static void parts_are_told_by_themselves(void **state)
{
	struct space *s = *state;
	struct host_rng rng = host_rng("parts_are_told_by_themselves", 13);
	uint64_t told[WORDS] = { 0 }, bits[WORDS];
	struct expected dirty = { .count = 0 };

	lazy_area(s);
	forget(s);
	for (unsigned round = 0; round < 8; round++) {
		uint64_t part = host_below(&rng, PAGES / 2) * PAGE_SIZE, pages = 1 + host_below(&rng, PAGES / 2);

		for (unsigned i = 0; i < 20; i++) {
			unsigned page = (unsigned)host_below(&rng, PAGES);

			space_store(s, page * PAGE_SIZE, (uint8_t)i);
			expect_page(&dirty, page);
		}
		/* A part of it only, at any page: bit 0 is its first one. */
		space_test_and_clear(s, NPT_DIRTY, part, pages * PAGE_SIZE, false, bits);
		for (unsigned i = 0; i < pages; i++)
			if (bits[i / 64] >> (i % 64) & 1)
				told[(part / PAGE_SIZE + i) / 64] |= BIT((part / PAGE_SIZE + i) % 64);
		if (pages % 64)
			CHECK(bits[pages / 64] >> (pages % 64) == 0, "bits beyond the range");
	}
	space_test_and_clear(s, NPT_DIRTY, 0, SIZE, false, bits);
	for (unsigned i = 0; i < WORDS; i++)
		CHECK_EQ(told[i] | bits[i], dirty.bits[i]);
}

/* A CPU that writes to one page after the other. */
static void *write_all(void *context)
{
	struct space *s = context;

	for (unsigned page = 0; page < PAGES; page++)
		view_touch(&s->view, page * PAGE_SIZE, NPT_RW);
	return NULL;
}

/* No checks: they want the tables to stand still. */
static void collect(struct space *s, uint64_t *told)
{
	uint64_t bits[WORDS], pages;

	CHECK_ERR(addr_space_dirty_log(&s->as, GPA(0), SIZE, false, bits, &pages), ERR_OK);
	for (unsigned i = 0; i < WORDS; i++)
		told[i] |= bits[i];
}

/* Hardware sets a mark while others are harvested: it is in this answer or in a later one. */
static void marks_set_meanwhile_are_not_lost(void **state)
{
	struct space *s = *state;

	if (!s->format->config.hardware_ad)
		return;
	lazy_area(s);
	for (unsigned round = 0; round < 10; round++) {
		uint64_t told[WORDS] = { 0 };
		pthread_t cpu;

		forget(s);
		assert_int_equal(pthread_create(&cpu, NULL, write_all, s), 0);
		while (!told[WORDS - 1]) /* until the writer is near its end */
			collect(s, told);
		pthread_join(cpu, NULL);
		collect(s, told);
		for (unsigned i = 0; i < WORDS; i++)
			CHECK_EQ(told[i], UINT64_MAX);
	}
	space_check(s);
}

static void a_large_leaf_counts_whole(void **state)
{
	struct space *s = *state;
	struct expected dirty = { .count = 0 };
	uint64_t bits[WORDS];

	CHECK_ERR(space_alloc(s, 0, SIZE, NPT_RW, ALLOC_POPULATE), ERR_OK);
	space_test_and_clear(s, NPT_DIRTY, 0, SIZE, false, bits);
	space_store(s, MIB(3), 1);
	/* Asked about a part, it is told of, and keeps its mark. */
	CHECK_EQ(space_test_and_clear(s, NPT_DIRTY, MIB(2) + KIB(4), KIB(16), false, bits), 4);
	CHECK_EQ(bits[0], 15);
	for (unsigned page = 512; page < 1024; page++)
		expect_page(&dirty, page);
	test_and_clear(s, NPT_DIRTY, &dirty);
	CHECK_EQ(space_level(s, MIB(2)), 1);
	/* Split, to know better: the first answer is still of the large leaf, later ones are exact. */
	space_store(s, MIB(3), 1);
	CHECK_EQ(space_test_and_clear(s, NPT_DIRTY, MIB(2), MIB(2), true, bits), 512);
	CHECK_EQ(space_level(s, MIB(2)), 0);
	CHECK_EQ(space_level(s, 0), 1);
	CHECK_EQ(space_stats(s).split, 1);
	space_store(s, MIB(3), 2);
	CHECK_EQ(space_test_and_clear(s, NPT_DIRTY, MIB(2), MIB(2), true, bits), 1);
	CHECK_EQ(bits[4], 1);
	CHECK_EQ(*space_byte(s, MIB(3)), 2);
}

/* What makes one leaf of alike ones leaves alone what is logged exactly, until nobody asks so any more. */
static void a_logged_block_stays_split(void **state)
{
	struct space *s = *state, *child;
	uint64_t bits[WORDS];

	CHECK_ERR(space_alloc(s, 0, SIZE, NPT_RW, ALLOC_POPULATE), ERR_OK);
	space_test_and_clear(s, NPT_DIRTY, MIB(2), MIB(2), true, bits);
	for (unsigned round = 0; round < 3; round++) {
		CHECK_ERR(space_protect(s, 0, SIZE, NPT_R), ERR_OK);
		CHECK_ERR(space_protect(s, 0, SIZE, NPT_RW), ERR_OK);
		CHECK_EQ(space_level(s, MIB(2)), 0);
		CHECK_EQ(space_level(s, 0), 1);
		space_test_and_clear(s, NPT_DIRTY, MIB(2), MIB(2), true, bits);
		space_store(s, MIB(2), 1);
		space_store(s, MIB(3), 1);
		CHECK_ERR(space_set_policy(s, 0, SIZE, round == 1 ? ALLOC_LAZY_AUTO : ALLOC_POPULATE), ERR_OK);
		CHECK_EQ(space_test_and_clear(s, NPT_DIRTY, MIB(2), MIB(2), true, bits), 2);
		CHECK_EQ(bits[0], 1);
	}
	/* A fork goes on with it. */
	CHECK_ERR(space_fork(s, &child), ERR_OK);
	for (uint64_t at = MIB(2); at < MIB(4); at += PAGE_SIZE)
		space_store(child, at, 1);
	CHECK_ERR(space_protect(child, 0, SIZE, NPT_R), ERR_OK);
	CHECK_EQ(space_level(child, MIB(2)), 0);
	space_end(child);
	for (uint64_t at = MIB(2); at < MIB(4); at += PAGE_SIZE)
		space_store(s, at, 1); /* all its own again */
	/* Asked less exactly, it is nobody's log any more. */
	space_test_and_clear(s, NPT_DIRTY, MIB(2), MIB(2), false, bits);
	CHECK_ERR(space_protect(s, 0, SIZE, NPT_R), ERR_OK);
	CHECK_EQ(space_level(s, MIB(2)), 1);
}

static void splits_skip_what_is_not_there(void **state)
{
	struct space *s = *state;
	static uint64_t bits[GIB(3) / PAGE_SIZE / 64];

	CHECK_ERR(space_alloc(s, 0, GIB(2), NPT_RW, ALLOC_LAZY_2M), ERR_OK);
	CHECK_ERR(space_linear(s, GIB(2), GIB(4), MIB(4), NPT_RW), ERR_OK);
	space_store(s, MIB(600), 1);
	space_load(s, MIB(800)); /* zeros */
	space_touch(s, GIB(2) + MIB(2), NPT_RW);
	space_test_and_clear(s, NPT_DIRTY, KIB(4), GIB(3) - KIB(4), true, bits);
	CHECK_EQ(space_level(s, MIB(600)), 0);
	CHECK_EQ(space_level(s, GIB(2) + MIB(2)), 0);
	CHECK_EQ(space_stats(s).split, 4);
	CHECK_EQ(space_stats(s).zero_leaves[0], 512);
	space_store(s, MIB(600) + KIB(4), 1);
	space_touch(s, GIB(2) + MIB(3), NPT_RW);
	CHECK_EQ(space_test_and_clear(s, NPT_DIRTY, KIB(4), GIB(3) - KIB(4), true, bits), 2);
	CHECK(bits[(MIB(600) / PAGE_SIZE) / 64] >> (MIB(600) / PAGE_SIZE % 64) & 1, "the page after MIB(600)");
}

static void a_fork_keeps_the_marks(void **state)
{
	struct space *s = *state, *child;
	struct expected dirty = { .count = 0 };

	lazy_area(s);
	forget(s);
	space_store(s, KIB(12), 5);
	expect_page(&dirty, 3);
	CHECK_ERR(space_fork(s, &child), ERR_OK);
	test_and_clear(s, NPT_DIRTY, &dirty);
	test_and_clear(child, NPT_DIRTY, &dirty);
	/* Copies are written pages. */
	dirty = (struct expected){ .count = 0 };
	test_and_clear(child, NPT_DIRTY, &dirty);
	space_store(child, KIB(16), 1);
	space_store(child, KIB(20), 2);
	space_load(child, KIB(24));
	expect_page(&dirty, 4);
	expect_page(&dirty, 5);
	test_and_clear(child, NPT_DIRTY, &dirty);
	dirty = (struct expected){ .count = 0 };
	test_and_clear(s, NPT_DIRTY, &dirty);
	CHECK_EQ(space_load(s, KIB(16)), 1);
}

static void refused_questions_change_nothing(void **state)
{
	struct space *s = *state;
	const uint64_t end = BIT(s->format->config.gpa_bits);
	const struct {
		uint64_t gpa, size;
		enum err err;
	} refusals[] = {
		{ 0, 0, ERR_INVALID },         { 8, PAGE_SIZE, ERR_INVALID },        { 0, 100, ERR_INVALID },
		{ end, PAGE_SIZE, ERR_RANGE }, { PAGE_SIZE, -PAGE_SIZE, ERR_RANGE },
	};
	uint64_t bits[WORDS], pages;

	CHECK_ERR(space_alloc(s, 0, MIB(2), NPT_RW, ALLOC_POPULATE), ERR_OK);
	space_store(s, 0, 1);
	for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
		CHECK_ERR(addr_space_scan_accessed(&s->as, GPA(refusals[i].gpa), refusals[i].size, bits, &pages), refusals[i].err);
		CHECK_ERR(addr_space_dirty_log(&s->as, GPA(refusals[i].gpa), refusals[i].size, true, bits, &pages),
			  refusals[i].err);
		CHECK(!s->as.view.lock.held, "the lock is still held");
	}
	/* For want of a table: not split, nothing forgotten. */
	space_leave(s, 0);
	CHECK_ERR(addr_space_dirty_log(&s->as, GPA(0), MIB(2), true, bits, &pages), ERR_NO_MEMORY);
	ram_release(&s->ram);
	CHECK_EQ(space_level(s, 0), 1);
	CHECK_EQ(space_test_and_clear(s, NPT_DIRTY, 0, MIB(2), false, bits), 512);
	/* Where nothing is, nothing was accessed. */
	CHECK_EQ(space_test_and_clear(s, NPT_ACCESSED, GIB(1), MIB(2), false, bits), 0);
}

int main(void)
{
	static const struct format_test tests[] = {
		{ "written_pages_are_told_exactly", written_pages_are_told_exactly },
		{ "accessed_pages_are_told_exactly", accessed_pages_are_told_exactly },
		{ "software_marks_cost_one_fault_each", software_marks_cost_one_fault_each },
		{ "harvested_pages_keep_what_they_have", harvested_pages_keep_what_they_have },
		{ "fresh_pages_are_told_too", fresh_pages_are_told_too },
		{ "parts_are_told_by_themselves", parts_are_told_by_themselves },
		{ "marks_set_meanwhile_are_not_lost", marks_set_meanwhile_are_not_lost },
		{ "a_large_leaf_counts_whole", a_large_leaf_counts_whole },
		{ "a_logged_block_stays_split", a_logged_block_stays_split },
		{ "splits_skip_what_is_not_there", splits_skip_what_is_not_there },
		{ "a_fork_keeps_the_marks", a_fork_keeps_the_marks },
		{ "refused_questions_change_nothing", refused_questions_change_nothing },
	};

	return space_suite_both_marks("track", tests, ARRAY_LEN(tests));
}

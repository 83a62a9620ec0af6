/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the CPUs are told to forget, when, and in what order. Besides what is asserted here, the TLB of tests/host/tlb.h
 * watches every operation of every test that uses a fixture.
 */
#include "tests/host/fixture.h"

static void adding_flushes_nothing(void **state)
{
	struct fixture *f = *state;

	for (unsigned level = 0; level <= f->npt.config.max_leaf; level++)
		CHECK_ERR(fixture_map(f, level ? npt_level_size(level) : 0, 0, npt_level_size(level), NPT_R), ERR_OK);
	CHECK_EQ(fixture_count(f, FAKE_FLUSH), 0);
}

static void widening_flushes_nothing(void **state)
{
	struct fixture *f = *state;

	CHECK_ERR(fixture_map(f, 0, 0, MIB(4) + KIB(8), NPT_R), ERR_OK);
	CHECK_ERR(fixture_protect(f, 0, MIB(4) + KIB(8), NPT_R), ERR_OK);
	CHECK_ERR(fixture_protect(f, 0, MIB(4) + KIB(8), NPT_RX), ERR_OK);
	CHECK_ERR(fixture_protect(f, 0, MIB(4) + KIB(8), NPT_RWX), ERR_OK);
	CHECK_EQ(fixture_count(f, FAKE_FLUSH), 0);
}

static void nothing_changed_nothing_flushed(void **state)
{
	struct fixture *f = *state;
	struct npt_gather gather;

	npt_gather_init(&gather, &f->npt);
	npt_gather_finish(&gather);
	CHECK_ERR(fixture_unmap(f, 0, GIB(1)), ERR_OK);
	CHECK_ERR(fixture_protect(f, 0, GIB(1), NPT_R), ERR_OK);
	CHECK_ERR(fixture_map(f, 0, 0, MIB(2), NPT_R), ERR_OK);
	CHECK_ERR(fixture_unmap(f, MIB(2), MIB(2)), ERR_OK);
	CHECK_ERR(fixture_unmap(f, 1, 1), ERR_INVALID);
	CHECK_EQ(fixture_count(f, FAKE_FLUSH), 0);
}

static void narrowing_flushes_once(void **state)
{
	struct fixture *f = *state;
	const struct fake_event *flush;

	CHECK_ERR(fixture_map(f, MIB(2), 0, KIB(64), NPT_RWX), ERR_OK);
	CHECK_ERR(fixture_protect(f, MIB(2) + KIB(8), KIB(16), NPT_RX), ERR_OK);
	CHECK_EQ(fixture_count(f, FAKE_FLUSH), 1);
	flush = fixture_event(f, FAKE_FLUSH, 0);
	CHECK_EQ(flush->at, MIB(2) + KIB(8));
	CHECK_EQ(flush->size, KIB(16));
	fixture_forget_events(f);
	/* R W to R X takes one permission and gives another. */
	CHECK_ERR(fixture_protect(f, MIB(2), KIB(4), NPT_RW), ERR_OK);
	CHECK_ERR(fixture_protect(f, MIB(2), KIB(4), NPT_RX), ERR_OK);
	CHECK_EQ(fixture_count(f, FAKE_FLUSH), 2);
}

/* Up to NPT_FLUSH_RANGE_MAX by range, beyond it everything. */
static void small_by_range_large_by_space(void **state)
{
	struct fixture *f = *state;
	const uint64_t pages = NPT_FLUSH_RANGE_MAX / PAGE_SIZE;

	for (uint64_t n = 1; n <= pages + 2; n++) {
		const struct fake_event *flush;

		CHECK_ERR(fixture_map(f, MIB(2), 0, MIB(1), NPT_RW), ERR_OK);
		fixture_forget_events(f);
		CHECK_ERR(fixture_unmap(f, MIB(2) + KIB(4), n * PAGE_SIZE), ERR_OK);
		CHECK_EQ(fixture_count(f, FAKE_FLUSH), 1);
		flush = fixture_event(f, FAKE_FLUSH, 0);
		if (n <= pages) {
			CHECK_EQ(flush->at, MIB(2) + KIB(4));
			CHECK_EQ(flush->size, n * PAGE_SIZE);
		} else {
			CHECK_EQ(flush->size, NPT_FLUSH_ALL);
		}
		CHECK_ERR(fixture_unmap(f, MIB(2), MIB(1)), ERR_OK);
	}
}

/* Two pages with others between them: one flush for both, as wide as they are apart. */
static void one_gather_one_flush(void **state)
{
	struct fixture *f = *state;
	const uint64_t apart[] = { KIB(8), KIB(60), KIB(64), MIB(1) };
	const struct fake_event *flush;

	for (size_t i = 0; i < ARRAY_LEN(apart); i++) {
		struct npt_gather gather;

		CHECK_ERR(fixture_map(f, 0, 0, MIB(2) - KIB(4), NPT_RW), ERR_OK);
		fixture_forget_events(f);
		npt_gather_init(&gather, &f->npt);
		CHECK_ERR(npt_unmap(&f->npt, GPA(KIB(16) + apart[i]), PAGE_SIZE, &gather), ERR_OK);
		CHECK_ERR(npt_protect(&f->npt, GPA(KIB(20)), PAGE_SIZE, NPT_R, &gather), ERR_OK);
		CHECK_ERR(npt_unmap(&f->npt, GPA(KIB(16)), PAGE_SIZE, &gather), ERR_OK);
		CHECK_EQ(f->event_count, 0);
		npt_gather_finish(&gather);
		fixture_check(f);
		CHECK_EQ(f->event_count, 1);
		flush = fixture_event(f, FAKE_FLUSH, 0);
		if (apart[i] + PAGE_SIZE <= NPT_FLUSH_RANGE_MAX) {
			CHECK_EQ(flush->at, KIB(16));
			CHECK_EQ(flush->size, apart[i] + PAGE_SIZE);
		} else {
			CHECK_EQ(flush->size, NPT_FLUSH_ALL);
		}
		/* A finished gather can be used again, and owes nothing. */
		npt_gather_finish(&gather);
		CHECK_EQ(f->event_count, 1);
		CHECK_ERR(npt_unmap(&f->npt, GPA(0), MIB(2), &gather), ERR_OK);
		npt_gather_finish(&gather);
		fixture_check(f);
		CHECK_EQ(fixture_count(f, FAKE_FLUSH), 2);
		CHECK_EQ(f->npt.table_bytes, PAGE_SIZE << f->npt.root_order);
	}
}

/* During the flush everything is unlinked already, and nothing is freed yet. */
static void expect_unlinked(struct fixture *f)
{
	CHECK_EQ(fixture_count(f, FAKE_FREE), 0);
	expect_hole(f, f->meanwhile_gpa);
	expect_hole(f, f->meanwhile_gpa + KIB(4));
}

static void tables_are_freed_after_the_flush(void **state)
{
	struct fixture *f = *state;
	size_t tables = f->npt.config.levels - 1u;

	CHECK_ERR(fixture_map(f, GIB(1), 0, KIB(8), NPT_RW), ERR_OK);
	fixture_forget_events(f);
	f->meanwhile = expect_unlinked;
	f->meanwhile_gpa = GIB(1);
	CHECK_ERR(fixture_unmap(f, GIB(1), KIB(8)), ERR_OK);
	f->meanwhile = NULL;
	CHECK_EQ(f->events[0].kind, FAKE_FLUSH);
	CHECK_EQ(fixture_count(f, FAKE_FLUSH), 1);
	CHECK_EQ(fixture_count(f, FAKE_FREE), tables);
}

static void a_gibibyte_of_pages_takes_one_flush(void **state)
{
	struct fixture *f = *state;

	/* Apart by one page, so that only pages fit. */
	CHECK_ERR(npt_map(&f->npt, GPA(0), HPA(PAGE_SIZE), GIB(1), (struct npt_attr){ .prot = NPT_RW }), ERR_OK);
	fixture_check(f);
	CHECK_EQ(f->npt.leaves[0], GIB(1) / PAGE_SIZE);
	fixture_forget_events(f);
	CHECK_ERR(fixture_unmap(f, 0, GIB(1)), ERR_OK);
	CHECK_EQ(fixture_count(f, FAKE_FLUSH), 1);
	CHECK_EQ(f->events[0].kind, FAKE_FLUSH);
	CHECK_EQ(f->events[0].size, NPT_FLUSH_ALL);
	CHECK(fixture_count(f, FAKE_FREE) >= 512, "%zu tables", fixture_count(f, FAKE_FREE));
}

/* A map that fails at its end takes back what another CPU may have seen meanwhile. */
static void a_failed_map_leaves_no_translation(void **state)
{
	struct fixture *f = *state;

	CHECK_ERR(fixture_map(f, MIB(4) + KIB(4), 0, KIB(4), NPT_R), ERR_OK);
	fixture_forget_events(f);
	CHECK_ERR(fixture_map(f, MIB(2) - KIB(8), MIB(8), MIB(4), NPT_RW), ERR_EXISTS);
	CHECK(fixture_count(f, FAKE_FLUSH) <= 1, "%zu flushes", fixture_count(f, FAKE_FLUSH));
	for (size_t i = 0; i < f->event_count; i++)
		CHECK(f->events[i].kind != FAKE_FREE || fixture_count(f, FAKE_FLUSH) == 1, "freed without a flush");
	expect_leaf(f, MIB(4) + KIB(4), 0, 0, NPT_R);
	expect_hole(f, MIB(2) - KIB(8));
}

/*
 * What the walk says at each flush of an operation. The hook runs before each alloc too, but the last time before the
 * n-th flush is logged is that flush.
 */
static enum oracle_status at_flush[8];

static void note_walk(struct fixture *f)
{
	size_t flushes = fixture_count(f, FAKE_FLUSH);

	CHECK(flushes < ARRAY_LEN(at_flush), "too many flushes");
	at_flush[flushes] = view_walk(&f->view, f->meanwhile_gpa, 0).status;
}

/* Replacing a leaf by a table: on Arm the CPUs must have seen an invalid entry in between. */
static void splits_break_before_they_make(void **state)
{
	struct fixture *f = *state;
	bool bbm = f->format->break_before_make;

	for (unsigned level = 1; level <= f->npt.config.max_leaf; level++) {
		uint64_t size = npt_level_size(level);

		CHECK_ERR(fixture_map(f, 0, 0, size, NPT_RWX), ERR_OK);
		fixture_forget_events(f);
		f->meanwhile = note_walk;
		f->meanwhile_gpa = MIB(1);
		CHECK_ERR(npt_split(&f->npt, GPA(MIB(1)), level - 1), ERR_OK);
		f->meanwhile = NULL;
		fixture_check(f);
		CHECK_EQ(fixture_count(f, FAKE_FLUSH), bbm ? 1 : 0);
		if (bbm) {
			const struct fake_event *flush = fixture_event(f, FAKE_FLUSH, 0);

			CHECK(flush->at == 0 && flush->size >= size, "flush of %#jx bytes", (uintmax_t)flush->size);
			CHECK_EQ(at_flush[0], ORACLE_NOT_PRESENT);
		}
		expect_leaf(f, MIB(1), MIB(1), level - 1, NPT_RWX);
		/* Two splits and a narrowing: a break flush each, and one for the gather. */
		CHECK_ERR(fixture_unmap(f, 0, size), ERR_OK);
		CHECK_ERR(fixture_map(f, 0, 0, size, NPT_RWX), ERR_OK);
		fixture_forget_events(f);
		CHECK_ERR(fixture_protect(f, KIB(4), KIB(4), NPT_R), ERR_OK);
		CHECK_EQ(fixture_count(f, FAKE_FLUSH), bbm ? level + 1 : 1);
		CHECK_ERR(fixture_unmap(f, 0, size), ERR_OK);
	}
}

int main(void)
{
	static const struct format_test tests[] = {
		{ "adding_flushes_nothing", adding_flushes_nothing },
		{ "widening_flushes_nothing", widening_flushes_nothing },
		{ "nothing_changed_nothing_flushed", nothing_changed_nothing_flushed },
		{ "narrowing_flushes_once", narrowing_flushes_once },
		{ "small_by_range_large_by_space", small_by_range_large_by_space },
		{ "one_gather_one_flush", one_gather_one_flush },
		{ "tables_are_freed_after_the_flush", tables_are_freed_after_the_flush },
		{ "a_gibibyte_of_pages_takes_one_flush", a_gibibyte_of_pages_takes_one_flush },
		{ "a_failed_map_leaves_no_translation", a_failed_map_leaves_no_translation },
		{ "splits_break_before_they_make", splits_break_before_they_make },
	};

	return format_suite("npt_flush", tests, ARRAY_LEN(tests));
}

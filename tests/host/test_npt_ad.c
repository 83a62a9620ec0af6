/* SPDX-License-Identifier: BSD-2-Clause */
/* Accessed and dirty: read as the hardware wrote them, and never lost, not even when it writes them meanwhile. */
#include "tests/host/fixture.h"

#include <pthread.h>
#include <sched.h>

static struct npt_leaf query(const struct fixture *f, uint64_t gpa)
{
	struct npt_leaf leaf;

	CHECK_ERR(npt_query(&f->npt, GPA(gpa), &leaf), ERR_OK);
	return leaf;
}

/* Clear where hardware sets them; where software keeps them a leaf is in use from the start. */
static void leaves_start_as_configured(void **state)
{
	struct fixture *f = *state;
	bool hardware_ad = f->npt.config.hardware_ad;

	for (unsigned level = 0; level <= f->npt.config.max_leaf; level++) {
		uint64_t size = npt_level_size(level);

		for (unsigned prot = NPT_R; prot <= NPT_RWX; prot++) {
			struct npt_leaf leaf;

			if (!format_has_prot(f->format, prot))
				continue;
			CHECK_ERR(fixture_map(f, GIB(1), 0, size, prot), ERR_OK);
			leaf = query(f, GIB(1));
			CHECK_EQ(leaf.accessed, !hardware_ad);
			CHECK_EQ(leaf.dirty, !hardware_ad && (prot & NPT_W));
			CHECK_ERR(fixture_unmap(f, GIB(1), size), ERR_OK);
		}
	}
}

static void hardware_updates_are_seen(void **state)
{
	struct fixture *f = *state;

	if (!f->npt.config.hardware_ad)
		return;
	for (unsigned level = 0; level <= f->npt.config.max_leaf; level++) {
		uint64_t size = npt_level_size(level);

		CHECK_ERR(fixture_map(f, GIB(1), 0, size, NPT_RWX), ERR_OK);
		view_touch(&f->view, GIB(1) + size - 1, ORACLE_R);
		CHECK(query(f, GIB(1)).accessed && !query(f, GIB(1)).dirty, "after a read, level %u", level);
		view_touch(&f->view, GIB(1) + 8, ORACLE_W);
		CHECK(query(f, GIB(1)).accessed && query(f, GIB(1)).dirty, "after a write, level %u", level);
		fixture_check(f);
		/* Through losing and regaining the permission to write, and every other change. */
		for (unsigned prot = NPT_R; prot <= NPT_RWX; prot++) {
			if (!format_has_prot(f->format, prot))
				continue;
			CHECK_ERR(fixture_protect(f, GIB(1), size, prot), ERR_OK);
			CHECK(query(f, GIB(1)).accessed && query(f, GIB(1)).dirty, "after protect to %u", prot);
		}
		CHECK_ERR(fixture_unmap(f, GIB(1), size), ERR_OK);
	}
}

/* Clean stays clean: writable again after read-only is not dirty by itself. */
static void protect_makes_nothing_dirty(void **state)
{
	struct fixture *f = *state;

	if (!f->npt.config.hardware_ad)
		return;
	CHECK_ERR(fixture_map(f, GIB(1), 0, KIB(4), NPT_RW), ERR_OK);
	CHECK_ERR(fixture_protect(f, GIB(1), KIB(4), NPT_R), ERR_OK);
	CHECK_ERR(fixture_protect(f, GIB(1), KIB(4), NPT_RWX), ERR_OK);
	CHECK(!query(f, GIB(1)).accessed && !query(f, GIB(1)).dirty, "dirty without a write");
	view_touch(&f->view, GIB(1), ORACLE_W);
	CHECK(query(f, GIB(1)).dirty, "clean after a write");
}

static bool touched;

/* Another CPU writes to the page, if it can, while a table is being got or a flush is under way. */
static void write_meanwhile(struct fixture *f)
{
	if (view_walk(&f->view, f->meanwhile_gpa, ORACLE_W).status != ORACLE_OK)
		return;
	view_touch(&f->view, f->meanwhile_gpa, ORACLE_W);
	touched = true;
}

static void write_during_split(struct fixture *f, unsigned level, bool protect)
{
	CHECK_ERR(fixture_map(f, 0, 0, npt_level_size(level), NPT_RW), ERR_OK);
	touched = false;
	f->meanwhile = write_meanwhile;
	f->meanwhile_gpa = MIB(1);
	if (protect)
		CHECK_ERR(fixture_protect(f, KIB(8), KIB(4), NPT_R), ERR_OK);
	else
		CHECK_ERR(npt_split(&f->npt, GPA(KIB(8)), level - 1), ERR_OK);
	f->meanwhile = NULL;
	fixture_check(f);
	CHECK(touched, "the other CPU never ran");
	CHECK(query(f, MIB(1)).dirty, "the write during a split at level %u is lost", level);
	CHECK_ERR(fixture_unmap(f, 0, npt_level_size(level)), ERR_OK);
}

static void a_write_during_a_split_is_kept(void **state)
{
	struct fixture *f = *state;

	for (unsigned level = 1; level <= f->npt.config.max_leaf && f->npt.config.hardware_ad; level++) {
		write_during_split(f, level, false);
		write_during_split(f, level, true);
	}
}

/* A CPU that walks on its own: on command it sets accessed and dirty in one entry, if that still permits a write. */
struct walker {
	struct fixture *f;
	uint64_t *slot;
	unsigned level, go, done; /* rounds */
	bool wrote, stop;
};

static void hardware_write(struct walker *walker)
{
	const struct format_case *format = walker->f->format;
	uint64_t bits = BIT(format->accessed_bit) | BIT(format->dirty_bit);
	uint64_t pte = __atomic_load_n(walker->slot, __ATOMIC_RELAXED);
	struct oracle_entry is;

	do {
		walker->f->view.oracle->decode(&walker->f->view.machine, pte, walker->level, &is);
		walker->wrote = is.kind == ORACLE_LEAF && (is.prot & ORACLE_W);
	} while (walker->wrote &&
		 !__atomic_compare_exchange_n(walker->slot, &pte, pte | bits, true, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED));
}

static void *walk_along(void *context)
{
	struct walker *walker = context;
	unsigned round = 0;

	while (!__atomic_load_n(&walker->stop, __ATOMIC_ACQUIRE)) {
		if (__atomic_load_n(&walker->go, __ATOMIC_ACQUIRE) == round) {
			sched_yield();
			continue;
		}
		round++;
		for (volatile unsigned wait = 0; wait < round % 61; wait++)
			;
		hardware_write(walker);
		__atomic_store_n(&walker->done, round, __ATOMIC_RELEASE);
	}
	return NULL;
}

enum race { RACE_PROTECT, RACE_SPLIT, RACE_ACCESSED, RACE_DIRTY, RACES };

static const char *const race_names[] = { "protect", "split", "harvest of accessed", "harvest of dirty" };

static void race_once(struct walker *walker, unsigned level, enum race race)
{
	struct fixture *f = walker->f;
	uint64_t size = npt_level_size(level);
	struct npt_attr attr = { .prot = NPT_RW, .memtype = NPT_WB };
	struct npt_gather gather;
	struct npt_cursor cursor;
	uint64_t told[512 / 64] = { 0 };

	CHECK_ERR(npt_map(&f->npt, GPA(GIB(1)), HPA(0), size, attr), ERR_OK);
	if (race >= RACE_ACCESSED) /* something to take */
		view_touch(&f->view, GIB(1), race == RACE_DIRTY ? ORACLE_W : ORACLE_R);
	CHECK(npt_find(&f->npt, GPA(GIB(1)), &cursor) == NPT_LEAF, "no leaf");
	walker->slot = cursor.slot;
	walker->level = level;
	npt_gather_init(&gather, &f->npt);
	__atomic_store_n(&walker->go, walker->go + 1, __ATOMIC_RELEASE);
	if (race == RACE_SPLIT)
		CHECK_ERR(npt_split(&f->npt, GPA(GIB(1)), 0), ERR_OK);
	else if (race == RACE_PROTECT)
		CHECK_ERR(npt_protect(&f->npt, GPA(GIB(1)), size, NPT_R, &gather), ERR_OK);
	else
		CHECK_ERR(npt_test_and_clear(&f->npt, GPA(GIB(1)), size, race == RACE_DIRTY ? NPT_DIRTY : NPT_ACCESSED, told,
					     &gather),
			  ERR_OK);
	npt_gather_finish(&gather);
	while (__atomic_load_n(&walker->done, __ATOMIC_ACQUIRE) != walker->go)
		sched_yield();
	CHECK(!walker->wrote || query(f, GIB(1)).dirty || (race == RACE_DIRTY && (told[0] & 1)),
	      "a dirty bit set during a %s is lost", race_names[race]);
	CHECK_ERR(npt_unmap(&f->npt, GPA(GIB(1)), size, &gather), ERR_OK);
	npt_gather_finish(&gather);
	fixture_forget_events(f);
}

static void writes_that_race_are_kept(void **state)
{
	struct fixture *f = *state;
	struct walker walker = { .f = f };
	unsigned rounds = host_steps(1500);
	pthread_t thread;

	if (!f->npt.config.hardware_ad)
		return;
	f->watched = false;
	assert_int_equal(pthread_create(&thread, NULL, walk_along, &walker), 0);
	for (unsigned i = 0; i < rounds; i++) {
		race_once(&walker, 0, i % RACES == RACE_SPLIT ? RACE_PROTECT : i % RACES);
		race_once(&walker, 1, (i / 2) % RACES);
	}
	__atomic_store_n(&walker.stop, true, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
}

/* A CPU that reads and writes one page all the time, and counts how often that left a mark that was not there. */
struct user {
	uint64_t *slot, accessed, dirty;
	uint64_t accessed_set, dirty_set;
	bool stop;
};

static void *use(void *context)
{
	struct user *user = context;

	while (!__atomic_load_n(&user->stop, __ATOMIC_ACQUIRE)) {
		uint64_t old = __atomic_fetch_or(user->slot, user->accessed, __ATOMIC_ACQ_REL);

		user->accessed_set += !(old & user->accessed);
		old = __atomic_fetch_or(user->slot, user->accessed | user->dirty, __ATOMIC_ACQ_REL);
		user->accessed_set += !(old & user->accessed);
		user->dirty_set += !(old & user->dirty);
	}
	return NULL;
}

/* 1 if the page at GIB(1) is told of. */
static uint64_t test_and_clear_one(struct fixture *f, enum npt_ad mark)
{
	struct npt_gather gather;
	uint64_t told = 0;

	npt_gather_init(&gather, &f->npt);
	CHECK_ERR(npt_test_and_clear(&f->npt, GPA(GIB(1)), PAGE_SIZE, mark, &told, &gather), ERR_OK);
	npt_gather_finish(&gather);
	fixture_forget_events(f);
	return told;
}

/* Taking one mark must not take the other one along, and each one that was set is told of once. */
static void every_mark_is_told_once(void **state)
{
	struct fixture *f = *state;
	struct npt_attr attr = { .prot = NPT_RW, .memtype = NPT_WB };
	struct user user = { .accessed = BIT(f->format->accessed_bit), .dirty = BIT(f->format->dirty_bit) };
	uint64_t accessed = 0, dirty = 0;
	struct npt_cursor cursor;
	pthread_t thread;

	if (!f->npt.config.hardware_ad)
		return;
	f->watched = false;
	CHECK_ERR(npt_map(&f->npt, GPA(GIB(1)), HPA(0), PAGE_SIZE, attr), ERR_OK);
	CHECK(npt_find(&f->npt, GPA(GIB(1)), &cursor) == NPT_LEAF, "no leaf");
	user.slot = cursor.slot;
	assert_int_equal(pthread_create(&thread, NULL, use, &user), 0);
	for (unsigned i = host_steps(10000); i > 0; i--) {
		accessed += test_and_clear_one(f, NPT_ACCESSED);
		dirty += test_and_clear_one(f, NPT_DIRTY);
	}
	__atomic_store_n(&user.stop, true, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	accessed += test_and_clear_one(f, NPT_ACCESSED);
	dirty += test_and_clear_one(f, NPT_DIRTY);
	CHECK_EQ(user.accessed_set, accessed);
	CHECK_EQ(user.dirty_set, dirty);
}

int main(void)
{
	static const struct format_test tests[] = {
		{ "leaves_start_as_configured", leaves_start_as_configured },
		{ "hardware_updates_are_seen", hardware_updates_are_seen },
		{ "protect_makes_nothing_dirty", protect_makes_nothing_dirty },
		{ "a_write_during_a_split_is_kept", a_write_during_a_split_is_kept },
		{ "writes_that_race_are_kept", writes_that_race_are_kept },
		{ "every_mark_is_told_once", every_mark_is_told_once },
	};

	return format_suite("npt_ad", tests, ARRAY_LEN(tests));
}

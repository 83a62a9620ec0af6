/* SPDX-License-Identifier: BSD-2-Clause */
/* What becomes of a guest's fault: each of the five outcomes, and what each leaves behind. */
#include "tests/host/space.h"

#include <pthread.h>
#include <string.h>

/* Memory and tables as they were, and no CPU disturbed. */
struct before {
	struct image image;
	uint64_t free, flushes;
	struct addr_space_stats stats;
};

static uint64_t leaves_of(struct space *s)
{
	uint64_t leaves[NPT_LEAF_LEVELS];

	addr_space_get_leaves(&s->as, leaves);
	return leaves[0];
}

static void take(struct space *s, struct before *before)
{
	image_take(&before->image, &s->view);
	before->free = ram_free_bytes();
	before->flushes = s->flushes;
	before->stats = addr_space_get_stats(&s->as);
}

/* Nothing has changed but the count of this outcome. */
static void expect_only(struct space *s, struct before *before, enum fault_outcome outcome)
{
	struct addr_space_stats stats = addr_space_get_stats(&s->as);

	image_expect(&before->image, &s->view, fault_outcome_name(outcome));
	CHECK_EQ(ram_free_bytes(), before->free);
	CHECK_EQ(s->flushes, before->flushes);
	CHECK_EQ(stats.resident, before->stats.resident);
	for (unsigned i = 0; i < FAULT_OUTCOMES; i++)
		CHECK_EQ(stats.faults[i], before->stats.faults[i] + (i == outcome));
}

static void expect_nothing_but(struct space *s, uint64_t gpa, unsigned access, enum fault_outcome outcome)
{
	struct before before;

	take(s, &before);
	CHECK(space_fault(s, gpa, access) == outcome, "%#jx, access %u", (uintmax_t)gpa, access);
	expect_only(s, &before, outcome);
}

/* Memory of its own if it is written, the zeros that all share if not. */
static void first_touch_maps_one_zeroed_page(void **state)
{
	struct space *s = *state;
	const unsigned accesses[] = { NPT_R, NPT_W, NPT_X, NPT_RW, NPT_RWX, 0 };
	uint64_t resident = 0;

	CHECK_ERR(space_alloc(s, MIB(2), GIB(8), NPT_RWX, ALLOC_LAZY_4K), ERR_OK);
	for (size_t i = 0; i < ARRAY_LEN(accesses); i++) {
		uint64_t gpa = MIB(2) + GIB(1) * i + KIB(8) * i + 0xabc, page = align_down(gpa, KIB(4));
		uint64_t flushes = s->flushes, leaves = leaves_of(s);

		CHECK_EQ(space_fault(s, gpa, accesses[i]), FAULT_HANDLED);
		CHECK(space_allows(s, gpa, NPT_RX), "the area's permissions, not only the access");
		CHECK_EQ(space_allows(s, gpa, NPT_W), (accesses[i] & NPT_W) != 0);
		CHECK_EQ(space_is_zero(s, gpa), !(accesses[i] & NPT_W));
		resident += accesses[i] & NPT_W ? PAGE_SIZE : 0;
		CHECK_EQ(space_level(s, gpa), 0);
		CHECK_EQ(leaves_of(s), leaves + 1);
		CHECK_EQ(addr_space_get_stats(&s->as).resident, resident);
		CHECK_EQ(s->flushes, flushes);
		for (unsigned at = 0; at < PAGE_SIZE; at++)
			CHECK(*space_byte(s, page + at) == 0, "byte %u is not zero", at);
		CHECK(!space_allows(s, page - 1, 0) && !space_allows(s, page + KIB(4), 0), "neighbours");
	}
}

static void pages_have_frames_of_their_own(void **state)
{
	struct space *s = *state;

	CHECK_ERR(space_alloc(s, 0, MIB(4), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	for (uint64_t at = 0; at < MIB(4); at += KIB(4)) {
		const struct npt_fault fault = { .gpa = GPA(at), .access = NPT_W };

		CHECK_EQ(addr_space_handle_fault(&s->as.view, &fault), FAULT_HANDLED);
		memset(space_byte(s, at), (int)(at / KIB(4) % 255), KIB(4));
	}
	for (uint64_t at = 0; at < MIB(4); at += KIB(4))
		CHECK(*space_byte(s, at + 77) == at / KIB(4) % 255, "%#jx", (uintmax_t)at);
	space_check(s);
	CHECK_EQ(leaves_of(s), 1024);
}

/* A CPU that was late, or remembers: not a single byte may change. */
static void a_second_fault_is_spurious(void **state)
{
	struct space *s = *state;

	CHECK_ERR(space_alloc(s, 0, MIB(1), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	CHECK_ERR(space_alloc(s, MIB(2), MIB(2), NPT_RX, ALLOC_POPULATE), ERR_OK);
	CHECK_ERR(space_linear(s, GIB(1), 0, MIB(2), NPT_R), ERR_OK);
	CHECK_EQ(space_fault(s, KIB(4), NPT_W), FAULT_HANDLED);
	*space_byte(s, KIB(4) + 9) = 99;
	expect_nothing_but(s, KIB(4), NPT_R, FAULT_SPURIOUS);
	expect_nothing_but(s, KIB(8) - 1, NPT_RW, FAULT_SPURIOUS);
	CHECK_EQ(*space_byte(s, KIB(4) + 9), 99);
	expect_nothing_but(s, MIB(2), NPT_X, FAULT_SPURIOUS);
	expect_nothing_but(s, GIB(1) + MIB(1), NPT_R, FAULT_SPURIOUS);
}

static void permission_is_the_areas(void **state)
{
	struct space *s = *state;

	CHECK_ERR(space_alloc(s, 0, MIB(1), NPT_R, ALLOC_LAZY_4K), ERR_OK);
	CHECK_ERR(space_linear(s, GIB(1), 0, MIB(2), NPT_RX), ERR_OK);
	CHECK_EQ(space_fault(s, 0, NPT_R), FAULT_HANDLED);
	/* On what is there and on what is not; all wanted permissions count. */
	for (uint64_t gpa = 0; gpa <= KIB(4); gpa += KIB(4)) {
		expect_nothing_but(s, gpa, NPT_W, FAULT_DENIED);
		expect_nothing_but(s, gpa, NPT_RW, FAULT_DENIED);
		expect_nothing_but(s, gpa, NPT_X, FAULT_DENIED);
		expect_nothing_but(s, gpa, NPT_RX, FAULT_DENIED);
	}
	expect_nothing_but(s, GIB(1), NPT_W, FAULT_DENIED);
	expect_nothing_but(s, GIB(1), NPT_RWX, FAULT_DENIED);
}

static void outside_all_areas_is_unmapped(void **state)
{
	struct space *s = *state;
	const uint64_t end = BIT(s->format->config.gpa_bits);

	expect_nothing_but(s, 0, NPT_R, FAULT_UNMAPPED);
	CHECK_ERR(space_alloc(s, MIB(2), MIB(2), NPT_RWX, ALLOC_LAZY_4K), ERR_OK);
	CHECK_EQ(space_fault(s, MIB(2), NPT_R), FAULT_HANDLED); /* found last: must not be found again */
	expect_nothing_but(s, MIB(2) - 1, NPT_R, FAULT_UNMAPPED);
	expect_nothing_but(s, MIB(4), NPT_W, FAULT_UNMAPPED);
	expect_nothing_but(s, end - 1, NPT_X, FAULT_UNMAPPED);
	/* Beyond what the tables can hold. */
	expect_nothing_but(s, end, NPT_R, FAULT_UNMAPPED);
	expect_nothing_but(s, end + MIB(2), NPT_R, FAULT_UNMAPPED);
	expect_nothing_but(s, UINT64_MAX, NPT_R, FAULT_UNMAPPED);
}

/* With every number of frames that is too small, from none on: the page itself, then each table on the way. */
static void no_memory_is_an_outcome(void **state)
{
	struct space *s = *state;
	uint64_t frames = 0;

	CHECK_ERR(space_alloc(s, 0, GIB(512), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	for (;; frames++) {
		struct before before;

		CHECK(frames < 16, "16 frames for one page");
		space_leave(s, frames);
		take(s, &before);
		if (space_fault(s, GIB(300), NPT_W) == FAULT_HANDLED) {
			image_drop(&before.image);
			break;
		}
		expect_only(s, &before, FAULT_NO_MEMORY);
		CHECK_EQ(ram_free_bytes(), frames * PAGE_SIZE);
		ram_release(&s->ram);
	}
	CHECK_EQ(frames, s->format->config.levels); /* a page, and a table for each level below the root */
	*space_byte(s, GIB(300)) = 1;               /* so that it cannot be taken back */
	/* The next page needs only itself, which is not to be had; what is there stays. */
	CHECK_EQ(space_fault(s, GIB(300) + KIB(4), NPT_W), FAULT_NO_MEMORY);
	CHECK_EQ(space_fault(s, GIB(300), NPT_W), FAULT_SPURIOUS);
	/* Denied and unmapped need no memory to be said. */
	CHECK_EQ(space_fault(s, GIB(1), NPT_X), FAULT_DENIED);
	ram_release(&s->ram);
	CHECK_EQ(space_fault(s, GIB(300) + KIB(4), NPT_W), FAULT_HANDLED);
}

/* What the hardware said about the entry, and on whose behalf, is no reason for another outcome. */
static void hints_do_not_decide(void **state)
{
	struct space *s = *state;
	struct npt_fault fault = { .gpa = GPA(KIB(4)), .access = NPT_R };

	CHECK_ERR(space_alloc(s, 0, MIB(1), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	for (unsigned hints = 0; hints < 4; hints++) {
		fault.gpa.raw = KIB(4) * hints;
		fault.present = hints & 1;
		fault.on_guest_walk = hints & 2;
		CHECK_EQ(addr_space_handle_fault(&s->as.view, &fault), FAULT_HANDLED);
		CHECK_EQ(addr_space_handle_fault(&s->as.view, &fault), FAULT_SPURIOUS);
		fault.gpa.raw += MIB(1);
		CHECK_EQ(addr_space_handle_fault(&s->as.view, &fault), FAULT_UNMAPPED);
	}
	space_check(s);
}

/* Blocks that the tables are known of by the same number. */
#define FAR (NPT_WALK_CACHE_SIZE * MIB(2))

/* Of blocks in one area it is remembered what a page there gets: it must not outlive the area, its attributes, or its table. */
static void blocks_change_between_faults(void **state)
{
	struct space *s = *state;
	uint64_t resident;

	CHECK_ERR(space_alloc(s, 0, MIB(6), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	for (uint64_t at = 0; at < MIB(6); at += MIB(1))
		CHECK_EQ(space_fault(s, at, NPT_W), FAULT_HANDLED);
	CHECK_ERR(space_unmap(s, KIB(128), PAGE_SIZE), ERR_OK);
	CHECK_EQ(space_fault(s, KIB(128), NPT_W), FAULT_UNMAPPED);
	CHECK_EQ(space_fault(s, KIB(132), NPT_W), FAULT_HANDLED);
	CHECK_ERR(space_protect(s, MIB(2) + KIB(64), KIB(64), NPT_R), ERR_OK);
	CHECK_EQ(space_fault(s, MIB(2) + KIB(64), NPT_W), FAULT_DENIED);
	CHECK_EQ(space_fault(s, MIB(2) + KIB(60), NPT_W), FAULT_HANDLED);
	CHECK_ERR(space_set_policy(s, MIB(4), MIB(2), ALLOC_LAZY_64K), ERR_OK);
	resident = space_stats(s).resident;
	CHECK_EQ(space_fault(s, MIB(4) + KIB(64), NPT_W), FAULT_HANDLED);
	CHECK_EQ(space_stats(s).resident, resident + KIB(64));
	/* A block of two areas from the beginning. */
	CHECK_ERR(space_alloc(s, MIB(6), MIB(1), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	CHECK_ERR(space_alloc(s, MIB(7), MIB(1), NPT_R, ALLOC_LAZY_4K), ERR_OK);
	CHECK_EQ(space_fault(s, MIB(6), NPT_W), FAULT_HANDLED);
	CHECK_EQ(space_fault(s, MIB(7), NPT_W), FAULT_DENIED);
}

/* Whichever block it is: the first ones, and those whose number is no multiple of what the tables are known by. */
static void no_block_is_remembered_too_long(void **state)
{
	struct space *s = *state;
	const unsigned blocks[] = {
		0, 1, 2, 7, 128, NPT_WALK_CACHE_SIZE - 1, NPT_WALK_CACHE_SIZE, NPT_WALK_CACHE_SIZE + 3, 5 * NPT_WALK_CACHE_SIZE + 77
	};

	CHECK_ERR(space_alloc(s, 0, 8 * FAR, NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	for (size_t i = 0; i < ARRAY_LEN(blocks); i++) {
		const uint64_t block = blocks[i] * MIB(2);

		CHECK_EQ(space_fault(s, block, NPT_W), FAULT_HANDLED);
		CHECK_EQ(space_fault(s, block + KIB(4), NPT_W), FAULT_HANDLED);
		CHECK_ERR(space_protect(s, block, MIB(2), NPT_R), ERR_OK);
		CHECK_EQ(space_fault(s, block + KIB(8), NPT_W), FAULT_DENIED);
		CHECK_ERR(space_protect(s, block, MIB(2), NPT_RWX), ERR_OK);
		CHECK_EQ(space_fault(s, block + KIB(8), NPT_W), FAULT_HANDLED);
		CHECK(space_allows(s, block + KIB(8), NPT_RWX), "as the area was, in block %u", blocks[i]);
		CHECK_ERR(space_set_policy(s, block, MIB(2), ALLOC_LAZY_64K), ERR_OK);
		CHECK_EQ(space_fault(s, block + KIB(64), NPT_W), FAULT_HANDLED);
		CHECK(space_allows(s, block + KIB(68), NPT_W), "by the policy of before, in block %u", blocks[i]);
		CHECK_ERR(space_unmap(s, block, MIB(2)), ERR_OK);
		CHECK_EQ(space_fault(s, block + KIB(12), NPT_W), FAULT_UNMAPPED);
	}
}

static void blocks_take_turns(void **state)
{
	struct space *s = *state;
	struct space *child;

	CHECK_ERR(space_alloc(s, 0, MIB(2), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	CHECK_ERR(space_alloc(s, FAR, MIB(2), NPT_RWX, ALLOC_LAZY_4K), ERR_OK);
	CHECK_ERR(space_linear(s, 2 * FAR, 0x90000000, PAGE_SIZE, NPT_R), ERR_OK);
	for (uint64_t at = 0; at < KIB(16); at += PAGE_SIZE) {
		CHECK_EQ(space_fault(s, at, NPT_W), FAULT_HANDLED);
		CHECK(!space_allows(s, at, NPT_X), "as in the other block");
		CHECK_EQ(space_fault(s, 2 * FAR + PAGE_SIZE + at, NPT_W), FAULT_UNMAPPED);
		CHECK_EQ(space_fault(s, FAR + at, NPT_W), FAULT_HANDLED);
		CHECK(space_allows(s, FAR + at, NPT_RWX), "as in the other block");
	}
	/* A block that is one leaf has no table of pages to be known; it becomes the parent's own again. */
	CHECK_ERR(space_alloc(s, 3 * FAR, MIB(2), NPT_RWX, ALLOC_POPULATE), ERR_OK);
	CHECK_ERR(space_set_policy(s, 3 * FAR, MIB(2), ALLOC_LAZY_4K), ERR_OK);
	CHECK_ERR(space_fork(s, &child), ERR_OK);
	space_end(child);
	for (uint64_t at = 0; at < KIB(12); at += PAGE_SIZE) {
		CHECK_EQ(space_touch(s, at + KIB(64), NPT_W), 1);
		CHECK_EQ(space_touch(s, 3 * FAR, NPT_W), at == 0);
		CHECK(!space_allows(s, at + KIB(64), NPT_X), "as in the block that is one leaf");
	}
	space_check(s);
}

#define CPUS         3
#define SHARED_PAGES 512

/* A virtual CPU that touches every page once, in an order of its own. */
struct cpu {
	struct space *space;
	unsigned stride;
	bool reads; /* now and then */
	unsigned outcomes[FAULT_OUTCOMES];
	pthread_t thread;
};

static void *touch_all(void *context)
{
	struct cpu *cpu = context;

	for (unsigned i = 0; i < SHARED_PAGES; i++) {
		const struct npt_fault fault = {
			.gpa = GPA(PAGE_SIZE * (i * cpu->stride % SHARED_PAGES)),
			.access = cpu->reads && i % 3 == 0 ? NPT_R : NPT_W,
		};

		cpu->outcomes[addr_space_handle_fault(&cpu->space->as.view, &fault)]++;
	}
	return NULL;
}

static void touch_at_once(struct space *s, bool reads, unsigned *handled, unsigned *spurious)
{
	struct cpu cpus[CPUS];

	space_begin(s);
	for (unsigned i = 0; i < CPUS; i++) {
		cpus[i] = (struct cpu){ .space = s, .stride = 2 * i + 1, .reads = reads };
		assert_int_equal(pthread_create(&cpus[i].thread, NULL, touch_all, &cpus[i]), 0);
	}
	for (unsigned i = 0; i < CPUS; i++) {
		pthread_join(cpus[i].thread, NULL);
		*handled += cpus[i].outcomes[FAULT_HANDLED];
		*spurious += cpus[i].outcomes[FAULT_SPURIOUS];
	}
	space_check(s);
}

/* Each page is backed once, whoever comes first; for the others it is spurious. */
static void cpus_may_fault_at_once(void **state)
{
	struct space *s = *state;
	unsigned handled = 0, spurious = 0;

	CHECK_ERR(space_alloc(s, 0, SHARED_PAGES * PAGE_SIZE, NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	touch_at_once(s, false, &handled, &spurious);
	CHECK_EQ(handled, SHARED_PAGES);
	CHECK_EQ(spurious, (CPUS - 1) * SHARED_PAGES);
	CHECK_EQ(addr_space_get_stats(&s->as).resident, SHARED_PAGES * PAGE_SIZE);
}

/* Zeros that become memory, windows that overlap, and blocks that are promoted: in the end it is all there. */
static void cpus_may_fault_at_once_by_any_policy(void **state)
{
	struct space *s = *state;

	for (unsigned policy = ALLOC_LAZY_4K; policy <= ALLOC_LAZY_AUTO; policy++) {
		unsigned handled = 0, spurious = 0;

		CHECK_ERR(space_alloc(s, 0, SHARED_PAGES * PAGE_SIZE, NPT_RW, policy), ERR_OK);
		touch_at_once(s, true, &handled, &spurious);
		touch_at_once(s, false, &handled, &spurious);
		CHECK_EQ(handled + spurious, 2 * CPUS * SHARED_PAGES);
		CHECK_EQ(addr_space_get_stats(&s->as).resident, SHARED_PAGES * PAGE_SIZE);
		CHECK_EQ(addr_space_get_stats(&s->as).zero_leaves[0], 0);
		space_clear(s);
	}
}

static void outcomes_have_the_reports_names(void **state)
{
	(void)state;
	assert_string_equal(fault_outcome_name(FAULT_HANDLED), "handled");
	assert_string_equal(fault_outcome_name(FAULT_SPURIOUS), "spurious");
	assert_string_equal(fault_outcome_name(FAULT_DENIED), "denied");
	assert_string_equal(fault_outcome_name(FAULT_UNMAPPED), "unmapped");
	assert_string_equal(fault_outcome_name(FAULT_NO_MEMORY), "no_memory");
}

int main(void)
{
	static const struct format_test tests[] = {
		{ "first_touch_maps_one_zeroed_page", first_touch_maps_one_zeroed_page },
		{ "pages_have_frames_of_their_own", pages_have_frames_of_their_own },
		{ "a_second_fault_is_spurious", a_second_fault_is_spurious },
		{ "permission_is_the_areas", permission_is_the_areas },
		{ "outside_all_areas_is_unmapped", outside_all_areas_is_unmapped },
		{ "no_memory_is_an_outcome", no_memory_is_an_outcome },
		{ "hints_do_not_decide", hints_do_not_decide },
		{ "blocks_change_between_faults", blocks_change_between_faults },
		{ "no_block_is_remembered_too_long", no_block_is_remembered_too_long },
		{ "blocks_take_turns", blocks_take_turns },
		{ "cpus_may_fault_at_once", cpus_may_fault_at_once },
		{ "cpus_may_fault_at_once_by_any_policy", cpus_may_fault_at_once_by_any_policy },
		{ "outcomes_have_the_reports_names", outcomes_have_the_reports_names },
	};

	return space_suite("addr_space_fault", tests, ARRAY_LEN(tests));
}

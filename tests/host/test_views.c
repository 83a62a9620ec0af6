/* SPDX-License-Identifier: BSD-2-Clause */
/* Several views of one space, one step at a time: what one vCPU finds when another one was quicker, and what waits for a flush. */
#include <string.h>

#include "mm/space.h"
#include "tests/host/space.h"

static struct space *seen; /* for the hooks */
static struct addr_space_view other;

static enum fault_outcome fault_by(struct addr_space_view *view, uint64_t gpa, unsigned access)
{
	const struct npt_fault fault = { .gpa = GPA(gpa), .access = (uint8_t)access };

	return addr_space_handle_fault(view, &fault);
}

static struct space *two_views(void **state)
{
	seen = *state;
	CHECK_ERR(addr_space_add_view(&seen->as, &other), ERR_OK);
	return seen;
}

static void one_view(struct space *s)
{
	addr_space_remove_view(&other);
	space_check(s);
}

static uint64_t frame_at(struct space *s, uint64_t gpa)
{
	return view_walk(&s->view, gpa, 0).hpa;
}

/* --- The same page ------------------------------------------------------------------------------------------------------- */

static void other_is_quicker(void)
{
	CHECK_EQ(fault_by(&seen->as.view, KIB(4), NPT_W), FAULT_HANDLED);
}

/* While one clears frames for a page, another one maps it: one frame, one fault that was handled, and nothing lost. */
static void the_later_one_finds_the_page_mapped(void **state)
{
	struct space *s = two_views(state);
	struct addr_space_stats stats;

	CHECK_ERR(space_alloc(s, 0, MIB(2), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	CHECK_EQ(fault_by(&s->as.view, 0, NPT_W), FAULT_HANDLED);
	space_begin(s);
	host_zeroing = other_is_quicker;
	CHECK_EQ(fault_by(&other, KIB(4), NPT_W), FAULT_SPURIOUS);
	space_check(s);
	stats = space_stats(s);
	CHECK_EQ(stats.resident, KIB(8));
	CHECK_EQ(stats.faults[FAULT_HANDLED], 2);
	one_view(s);
	CHECK_EQ(space_stats(s).resident, KIB(8));
}

static void other_takes_the_window(void)
{
	CHECK_EQ(fault_by(&seen->as.view, KIB(64) + KIB(20), NPT_W), FAULT_HANDLED);
}

/* A window is mapped while memory for it is being cleared: it stays as it is, and the memory is free again. */
static void the_later_window_leaves_what_is_mapped(void **state)
{
	struct space *s = two_views(state);

	CHECK_ERR(space_alloc(s, 0, MIB(2), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	CHECK_EQ(fault_by(&s->as.view, 0, NPT_R), FAULT_HANDLED); /* the table, and the zero page */
	CHECK_ERR(space_set_policy(s, KIB(64), KIB(64), ALLOC_LAZY_64K), ERR_OK);
	space_begin(s);
	host_zeroing = other_takes_the_window;
	CHECK_EQ(fault_by(&other, KIB(64), NPT_W), FAULT_HANDLED);
	space_check(s);
	CHECK(space_allows(s, KIB(64), NPT_W) && space_allows(s, KIB(124), NPT_W), "the window is not there");
	CHECK_EQ(space_stats(s).resident, KIB(64));
	one_view(s);
}

static void nobody_waits(void)
{
	fail_msg("a fault waits for what another vCPU does");
}

/* What one view's lock is enough for: here another vCPU has its own all the time. */
static void faults_do_not_wait_for_each_other(void **state)
{
	struct space *s = two_views(state);

	CHECK_ERR(space_alloc(s, 0, MIB(2), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	CHECK_ERR(space_alloc(s, MIB(2), MIB(2), NPT_RW, ALLOC_LAZY_64K), ERR_OK);
	CHECK_ERR(space_alloc(s, MIB(4), MIB(2), NPT_RW, ALLOC_LAZY_2M), ERR_OK);
	CHECK_ERR(space_alloc(s, MIB(6), MIB(4), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	for (uint64_t at = 0; at < MIB(6); at += MIB(2))
		CHECK_EQ(fault_by(&s->as.view, at, NPT_W), FAULT_HANDLED);
	CHECK_EQ(fault_by(&s->as.view, KIB(4), NPT_R), FAULT_HANDLED);
	space_begin(s);
	spin_lock(&s->as.view.lock);
	spin_wait = nobody_waits;
	CHECK_EQ(fault_by(&other, KIB(8), NPT_W), FAULT_HANDLED);
	CHECK_EQ(fault_by(&other, KIB(12), NPT_R), FAULT_HANDLED);
	CHECK_EQ(fault_by(&other, KIB(4), NPT_R), FAULT_SPURIOUS);
	CHECK_EQ(fault_by(&other, KIB(4), NPT_W), FAULT_HANDLED); /* zero-page break */
	CHECK_EQ(fault_by(&other, 0, NPT_W), FAULT_SPURIOUS);
	CHECK_EQ(fault_by(&other, 0, NPT_R), FAULT_SPURIOUS);
	CHECK_EQ(fault_by(&other, MIB(2) + KIB(64), NPT_W), FAULT_HANDLED);
	CHECK_EQ(fault_by(&other, MIB(2) + KIB(32), NPT_W), FAULT_SPURIOUS);
	CHECK_EQ(fault_by(&other, MIB(4) + KIB(32), NPT_W), FAULT_SPURIOUS); /* a large leaf */
	CHECK_EQ(fault_by(&other, MIB(6), NPT_W), FAULT_HANDLED);            /* new tables */
	CHECK_EQ(fault_by(&other, MIB(8), NPT_R), FAULT_HANDLED);
	CHECK_EQ(fault_by(&other, MIB(8) + KIB(4), NPT_W), FAULT_HANDLED);
	spin_wait = NULL;
	spin_unlock(&s->as.view.lock);
	space_check(s);
	CHECK_EQ(space_stats(s).faults[FAULT_SPURIOUS], 5);
	one_view(s);
}

/* --- Before and after the flush ------------------------------------------------------------------------------------------- */

static void cpu_finds_nothing(struct space *s)
{
	CHECK(view_walk(&s->view, KIB(4), 0).status == ORACLE_NOT_PRESENT, "the new page is there before the old one is flushed");
}

/* A vCPU must not write to the new page while another one still reads the zero page. */
static void zeros_are_flushed_before_the_new_page_is_there(void **state)
{
	struct space *s = two_views(state);

	CHECK_ERR(space_alloc(s, 0, MIB(2), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	for (unsigned i = 0; i < 2; i++) {
		CHECK_ERR(space_discard(s, 0, MIB(2)), ERR_OK);
		CHECK_EQ(fault_by(&other, 0, NPT_W), FAULT_HANDLED);
		CHECK_EQ(fault_by(&other, KIB(4), NPT_R), FAULT_HANDLED);
		space_begin(s);
		s->meanwhile = cpu_finds_nothing;
		CHECK_EQ(fault_by(i == 0 ? &other : &s->as.view, KIB(4), NPT_W), FAULT_HANDLED);
		CHECK(!s->meanwhile, "nothing was flushed");
		space_check(s);
	}
	one_view(s);
}

static void copies_are_flushed_before_they_are_there(void **state)
{
	struct space *s = two_views(state), *child;

	CHECK_ERR(space_alloc(s, 0, MIB(2), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	space_store(s, KIB(4), 7);
	CHECK_ERR(space_fork(s, &child), ERR_OK);
	space_store(s, KIB(8), 7); /* the table is its own */
	space_begin(s);
	s->meanwhile = cpu_finds_nothing;
	CHECK_EQ(fault_by(&other, KIB(4), NPT_W), FAULT_HANDLED);
	CHECK(!s->meanwhile, "nothing was flushed");
	space_check(s);
	CHECK_EQ(space_load(s, KIB(4)), 7);
	one_view(s);
}

#define SHARED MIB(1)

static struct space *parent;
static uint64_t old_frames[SHARED / PAGE_SIZE];

/* The child's CPUs may still read the memory: to the parent it is still shared, so that its writes make copies. */
static void parent_writes(struct space *child)
{
	(void)child;
	for (uint64_t at = 0; at < SHARED; at += KIB(8))
		CHECK(frame_is_shared(HPA(old_frames[at / PAGE_SIZE]), 0), "a reference was dropped before the flush");
	CHECK_EQ(fault_by(&parent->as.view, 0, NPT_W), FAULT_HANDLED);
	CHECK(frame_at(parent, 0) != old_frames[0], "the parent writes to what the child's CPUs read");
}

/* Fork, with every other page there, and no two of them contiguous on the host. */
static struct space *fork_with_scattered_pages(struct space *s)
{
	struct space *child;

	parent = s;
	CHECK_ERR(space_alloc(s, 0, SHARED, NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	for (uint64_t i = 0; i < SHARED / KIB(8); i++) {
		uint64_t at = i * 37 % (SHARED / KIB(8)) * KIB(8);

		space_store(s, at, 1);
		old_frames[at / PAGE_SIZE] = frame_at(s, at);
	}
	CHECK_ERR(space_fork(s, &child), ERR_OK);
	return child;
}

static void references_are_dropped_after_the_flush(void **state)
{
	struct space *s = two_views(state), *child = fork_with_scattered_pages(s);

	space_begin(child);
	child->flushes = 0;
	child->meanwhile = parent_writes;
	child->as.view.stats.flushes = 0;
	CHECK_ERR(addr_space_discard(&child->as, GPA(0), SHARED), ERR_OK);
	CHECK_EQ(child->flushes, 1); /* for all of it */
	CHECK_EQ(space_stats(child).shared, 0);
	space_check(child);
	/* Now the parent has all of it for itself. */
	space_store(s, KIB(8), 2);
	CHECK_EQ(frame_at(s, KIB(8)), old_frames[2]);
	one_view(s);
}

/* Where there is no frame to keep the references in mind, more flushes do. */
static void references_are_dropped_without_memory(void **state)
{
	struct space *s = two_views(state), *child = fork_with_scattered_pages(s);

	space_leave(s, 0);
	space_begin(child);
	CHECK_ERR(addr_space_discard(&child->as, GPA(0), SHARED), ERR_OK);
	CHECK(child->flushes > 1, "it needs memory");
	CHECK_EQ(space_stats(child).shared, 0);
	space_check(child);
	one_view(s);
}

/* --- Views come and go ---------------------------------------------------------------------------------------------------- */

static void there_are_sixteen(void **state)
{
	static struct addr_space_view more[ADDR_SPACE_VIEWS];
	struct space *s = *state;

	for (unsigned i = 0; i < ADDR_SPACE_VIEWS; i++)
		CHECK_ERR(addr_space_add_view(&s->as, &more[i]), i < ADDR_SPACE_VIEWS - 1 ? ERR_OK : ERR_RANGE);
	CHECK_ERR(space_alloc(s, 0, MIB(4), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	space_begin(s);
	for (unsigned i = 0; i < ADDR_SPACE_VIEWS - 1; i++)
		CHECK_EQ(fault_by(&more[i], i * PAGE_SIZE, NPT_W), FAULT_HANDLED);
	space_check(s);
	for (unsigned i = 0; i < ADDR_SPACE_VIEWS - 1; i++) {
		addr_space_remove_view(&more[i]);
		space_check(s);
	}
	CHECK_EQ(space_stats(s).resident, 15 * PAGE_SIZE);
	CHECK_EQ(space_stats(s).handled_fresh, 15);
}

/* What other views hold for their faults is as good as free. */
static void the_last_frames_are_anyones(void **state)
{
	struct space *s = two_views(state);
	uint64_t pages;

	CHECK_ERR(space_alloc(s, 0, MIB(2), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	CHECK_EQ(fault_by(&s->as.view, 0, NPT_W), FAULT_HANDLED);
	ram_take_all(&s->ram);
	pages = (s->as.view.run.end - s->as.view.run.next) / PAGE_SIZE;
	CHECK(pages > 0, "nothing is held");
	space_begin(s);
	for (uint64_t i = 1; i <= pages; i++) {
		CHECK(fault_by(&other, i * PAGE_SIZE, NPT_W) == FAULT_HANDLED, "page %ju of %ju", (uintmax_t)i, (uintmax_t)pages);
		*space_byte(s, i * PAGE_SIZE) = 1; /* or reclaim would take it */
	}
	space_check(s);
	one_view(s);
}

int main(void)
{
	static const struct format_test tests[] = {
		{ "the_later_one_finds_the_page_mapped", the_later_one_finds_the_page_mapped },
		{ "the_later_window_leaves_what_is_mapped", the_later_window_leaves_what_is_mapped },
		{ "faults_do_not_wait_for_each_other", faults_do_not_wait_for_each_other },
		{ "zeros_are_flushed_before_the_new_page_is_there", zeros_are_flushed_before_the_new_page_is_there },
		{ "copies_are_flushed_before_they_are_there", copies_are_flushed_before_they_are_there },
		{ "references_are_dropped_after_the_flush", references_are_dropped_after_the_flush },
		{ "references_are_dropped_without_memory", references_are_dropped_without_memory },
		{ "there_are_sixteen", there_are_sixteen },
		{ "the_last_frames_are_anyones", the_last_frames_are_anyones },
	};

	return space_suite("views", tests, ARRAY_LEN(tests));
}

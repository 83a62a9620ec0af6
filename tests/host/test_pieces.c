/* SPDX-License-Identifier: BSD-2-Clause */
/* Long ranges piece by piece: no piece is long, all pieces together do what one call does, and any piece may be the last one. */
#include "tests/host/space.h"

#include <string.h>

#include "mm/space.h"

#define PAGES (MIB(6) / PAGE_SIZE)

/* 6 MiB in pages of 4 KiB, a block, zeros, and a terabyte less that of nothing, as the format has it. */
static void furnish(struct space *s)
{
	CHECK_ERR(space_alloc(s, 0, MIB(6), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	CHECK_ERR(space_alloc(s, MIB(6), GIB(16) - MIB(6), NPT_RWX, ALLOC_LAZY_2M), ERR_OK);
	for (unsigned page = 0; page < PAGES; page++)
		space_store(s, page * PAGE_SIZE, (uint8_t)(page % 255 + 1));
	space_store(s, MIB(6), 1);
	CHECK_EQ(space_fault(s, GIB(1), NPT_R), FAULT_HANDLED);
}

struct found {
	uint64_t pages, leaves;
};

static bool count(const struct npt_leaf *leaf, void *context)
{
	struct found *found = context;

	*(leaf->level == 0 ? &found->pages : &found->leaves) += 1;
	return true;
}

/* What there is in the range. */
static struct found found_in(struct space *s, uint64_t start, uint64_t size)
{
	struct found found = { 0 };

	CHECK_ERR(npt_walk(&s->as.npt, GPA(start), size, count, &found), ERR_OK);
	return found;
}

/* The next piece; it is not more than it should be. */
static uint64_t piece(struct space *s, uint64_t at, uint64_t end)
{
	uint64_t size = addr_space_piece(&s->as, GPA(at), end - at);
	struct found found;

	CHECK(size > 0 && size <= end - at && is_aligned(size, PAGE_SIZE), "%#jx of %#jx", (uintmax_t)size, (uintmax_t)(end - at));
	found = found_in(s, at, size);
	CHECK(found.pages <= 2 * BLOCK_PAGES && found.leaves <= 8, "%ju pages and %ju leaves in one piece", (uintmax_t)found.pages,
	      (uintmax_t)found.leaves);
	return size;
}

/* Do it in pieces; returns how many these were. */
static unsigned in_pieces(struct space *s, uint64_t start, uint64_t end,
			  enum err (*call)(struct space *s, uint64_t at, uint64_t size))
{
	unsigned pieces = 0;

	for (uint64_t at = start, size; at < end; at += size, pieces++) {
		size = piece(s, at, end);
		CHECK_ERR(call(s, at, size), ERR_OK);
	}
	return pieces;
}

static enum err look(struct space *s, uint64_t at, uint64_t size)
{
	(void)s;
	(void)at;
	(void)size;
	return ERR_OK;
}

static enum err read_only(struct space *s, uint64_t at, uint64_t size)
{
	return space_protect(s, at, size, NPT_R);
}

static enum err by_64k(struct space *s, uint64_t at, uint64_t size)
{
	return space_set_policy(s, at, size, ALLOC_LAZY_64K);
}

static void nothing_is_one_piece(void **state)
{
	struct space *s = *state;

	CHECK_ERR(space_alloc(s, 0, GIB(256), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	CHECK(in_pieces(s, 0, GIB(256), look) <= 4, "an empty range in many pieces");
	/* A page in each of a few gibibytes costs what its table costs. */
	for (uint64_t at = 0; at < GIB(64); at += GIB(1))
		CHECK_EQ(space_fault(s, at, NPT_W), FAULT_HANDLED);
	CHECK(in_pieces(s, 0, GIB(256), look) <= 16, "64 pages in many pieces");
	CHECK(in_pieces(s, 0, GIB(256), space_discard) <= 16, "64 pages in many pieces");
	CHECK_EQ(space_stats(s).resident, 0);
}

/* Areas cost, too, where nothing is mapped. */
static void areas_make_pieces(void **state)
{
	struct space *s = *state;
	unsigned pieces;

	CHECK_ERR(space_alloc(s, 0, GIB(1), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	for (uint64_t at = 0; at < MIB(4); at += KIB(8))
		CHECK_ERR(addr_space_protect(&s->as, GPA(at), PAGE_SIZE, NPT_R), ERR_OK);
	pieces = in_pieces(s, 0, GIB(1), look);
	CHECK(pieces >= 8 && pieces <= 32, "%u pieces of 1024 areas", pieces);
	CHECK_EQ(in_pieces(s, 0, GIB(1), read_only) >= 4, true);
	CHECK_EQ(area_set_bytes(&s->as.areas), 0); /* one area again */
	CHECK_EQ(space_fault(s, KIB(4), NPT_W), FAULT_DENIED);
}

static void all_pieces_are_the_whole(void **state)
{
	struct space *s = *state;
	struct addr_space_area area;
	unsigned pieces;

	furnish(s);
	pieces = in_pieces(s, KIB(8), GIB(16), read_only);
	CHECK(pieces >= 3 && pieces <= 16, "%u pieces", pieces);
	CHECK(addr_space_area_at(&s->as, GPA(KIB(8)), &area) && area.size == MIB(6) - KIB(8), "not one area: %#jx",
	      (uintmax_t)area.size);
	CHECK_EQ(space_fault(s, GIB(16) - PAGE_SIZE, NPT_W), FAULT_DENIED);
	CHECK_EQ(space_fault(s, KIB(8), NPT_W), FAULT_DENIED);
	CHECK(space_allows(s, KIB(4), NPT_W), "before the range");
	CHECK_EQ(in_pieces(s, KIB(8), GIB(16), by_64k) >= 3, true);
	CHECK_EQ(in_pieces(s, KIB(8), GIB(16), space_discard) >= 3, true);
	CHECK_EQ(space_stats(s).resident, KIB(8));
	CHECK_EQ(space_stats(s).discarded, MIB(8) - KIB(8));
	CHECK_EQ(space_stats(s).zero_leaves[0] + space_stats(s).zero_leaves[1], 0);
}

static void expect_copy(struct space *s, struct space *child)
{
	CHECK_EQ(space_stats(child).shared, MIB(8));
	/* The tables of whole blocks are the parent's. */
	CHECK_EQ(child->as.npt.table_bytes, s->as.npt.table_bytes - child->as.npt.shared_tables * PAGE_SIZE);
	CHECK(child->as.npt.shared_tables > 0, "nothing is shared");
	for (uint64_t at = 0; at < MIB(8); at += PAGE_SIZE) {
		CHECK_EQ(view_walk(&child->view, at, 0).hpa, view_walk(&s->view, at, 0).hpa);
		CHECK(!space_allows(child, at, NPT_W) && !space_allows(s, at, NPT_W), "writable at %#jx", (uintmax_t)at);
	}
	for (unsigned page = 0; page < PAGES; page += 7)
		CHECK_EQ(space_load(child, page * PAGE_SIZE), page % 255 + 1);
	CHECK_EQ(space_fault(child, GIB(2), NPT_W), FAULT_HANDLED);
	CHECK_EQ(space_fault(child, GIB(16), NPT_W), FAULT_UNMAPPED);
}

/* Fork at most so many pieces. True: the child is complete. */
static bool fork_some(struct space *s, unsigned most, struct space **child, enum err *err)
{
	uint64_t at = 0;
	bool more = true;

	*err = space_fork_begin(s, child);
	for (unsigned i = 0; *err == ERR_OK && more && i < most; i++) {
		uint64_t before = at;

		*err = space_fork_piece(s, *child, &at, &more);
		if (*err != ERR_OK)
			break;
		CHECK(found_in(s, before, min_u64(at, GIB(16)) - before).pages <= 4 * BLOCK_PAGES, "long");
		CHECK(!more || at > before, "no further than %#jx", (uintmax_t)at);
	}
	return *err == ERR_OK && !more;
}

/* Nobody has run on it: it goes as it came, piece by piece. */
static void undo(struct space *child)
{
	gpa_t at = GPA(0);
	uint64_t before;

	child->as.flush = NULL;
	do
		before = at.raw;
	while (addr_space_clear_piece(&child->as, &at) && at.raw > before);
	CHECK_EQ(at.raw, BIT(child->format->config.gpa_bits));
	space_end(child);
}

static void a_fork_may_end_after_any_piece(void **state)
{
	struct space *s = *state, *child;
	uint64_t free;
	enum err err;
	unsigned most = 0;
	bool done;

	furnish(s);
	addr_space_release_held(&s->as);
	free = ram_free_bytes();
	do {
		done = fork_some(s, most++, &child, &err);
		CHECK_ERR(err, ERR_OK);
		if (done)
			expect_copy(s, child);
		undo(child);
		CHECK_EQ(ram_free_bytes(), free);
		CHECK_EQ(space_stats(s).resident, MIB(8));
	} while (!done);
	CHECK(most >= 3, "%u pieces", most - 1);
	/* What it has shared is the parent's again, where it is. */
	for (unsigned page = 0; page < PAGES; page += 5)
		space_store(s, page * PAGE_SIZE, 7);
	CHECK_EQ(space_stats(s).handled_copy, 0);
}

static void a_fork_may_lack_memory_in_any_piece(void **state)
{
	struct space *s = *state, *child;
	enum err err = ERR_NO_MEMORY;

	furnish(s);
	for (unsigned frames = 0; err != ERR_OK; frames++) {
		space_leave(s, frames);
		fork_some(s, UINT32_MAX, &child, &err);
		CHECK(err == ERR_OK || err == ERR_NO_MEMORY, "%s", host_err(err));
		if (child)
			undo(child);
		CHECK_EQ(ram_free_bytes(), frames * PAGE_SIZE);
		space_check(s);
		ram_release(&s->ram);
		CHECK(frames < 64, "it never succeeds");
	}
}

/* A space that is used is cleared in pieces, too, with its CPUs flushed. */
static void a_space_goes_in_pieces(void **state)
{
	struct space *s = *state, *child;
	unsigned pieces = 0;
	gpa_t at = GPA(0);
	bool more;

	furnish(s);
	CHECK_ERR(space_fork(s, &child), ERR_OK);
	for (unsigned i = 0; i < 2; i++) {
		struct space *one = i ? child : s;
		uint64_t last = MIB(8);

		at = GPA(0);
		do {
			space_begin(one);
			more = addr_space_clear_piece(&one->as, &at);
			space_check(s);
			CHECK(last - (space_stats(one).resident + space_stats(one).shared) <= MIB(4), "much at once");
			last = space_stats(one).resident + space_stats(one).shared;
			pieces++;
		} while (more);
		CHECK_EQ(last, 0);
		CHECK(!area_find_from(&one->as.areas, 0), "an area is left");
	}
	CHECK(pieces >= 6, "%u pieces", pieces);
}

/* Between two pieces another vCPU may do what it likes: here, undo what the first piece did, and the other way round. */
static void others_may_come_between(void **state)
{
	struct space *s = *state;
	uint64_t size;

	furnish(s);
	size = piece(s, 0, GIB(16));
	CHECK_ERR(space_discard(s, 0, size), ERR_OK);
	space_store(s, 0, 9);
	CHECK_ERR(space_unmap(s, size, MIB(2)), ERR_OK);
	CHECK_EQ(piece(s, size, GIB(16)) > 0, true);
	CHECK_ERR(space_discard(s, size, piece(s, size, GIB(16))), ERR_NOT_FOUND);
	CHECK_EQ(space_load(s, 0), 9);
	CHECK_EQ(addr_space_piece(&s->as, GPA(0), 0), 0);
	CHECK_EQ(addr_space_piece(&s->as, GPA(1), PAGE_SIZE), PAGE_SIZE);
}

int main(void)
{
	static const struct format_test tests[] = {
		{ "nothing_is_one_piece", nothing_is_one_piece },
		{ "areas_make_pieces", areas_make_pieces },
		{ "all_pieces_are_the_whole", all_pieces_are_the_whole },
		{ "a_fork_may_end_after_any_piece", a_fork_may_end_after_any_piece },
		{ "a_fork_may_lack_memory_in_any_piece", a_fork_may_lack_memory_in_any_piece },
		{ "a_space_goes_in_pieces", a_space_goes_in_pieces },
		{ "others_may_come_between", others_may_come_between },
	};

	return space_suite("pieces", tests, ARRAY_LEN(tests));
}

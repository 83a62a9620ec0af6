/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory of the host's, such as a file's, that spaces map copy-on-write: who sees what, and what is left in the end. */
#include "tests/host/space.h"

#include <string.h>

#define AT   MIB(2)
#define SIZE (MIB(2) + KIB(8))

/* A file of SIZE bytes, aligned to 2 MiB; each page begins with its number. */
static hpa_t new_file(struct space *s)
{
	hpa_t file;

	CHECK_ERR(frame_alloc(10, &file), ERR_OK);
	for (uint64_t at = 0; at < SIZE; at += PAGE_SIZE)
		memset(frame_ptr(HPA(file.raw + at)), (int)(at / PAGE_SIZE + 1), PAGE_SIZE);
	s->file = (struct ram_range){ file, MIB(4) };
	return file;
}

/* Nobody has written to it, and nobody has a reference to it any more. */
static void end_file(struct space *s, hpa_t file)
{
	for (uint64_t at = 0; at < SIZE; at += PAGE_SIZE) {
		CHECK_EQ(*(uint8_t *)frame_ptr(HPA(file.raw + at)), (uint8_t)(at / PAGE_SIZE + 1));
		CHECK(!frame_is_shared(HPA(file.raw + at), 0), "%#jx", (uintmax_t)at);
	}
	frame_free_count(file, MIB(4) / PAGE_SIZE);
	s->file.size = 0;
}

static void promise(struct space *s)
{
	CHECK_ERR(space_alloc(s, 0, MIB(16), NPT_RWX, ALLOC_LAZY_4K), ERR_OK);
}

static void it_is_read_without_a_copy(void **state)
{
	struct space *s = *state;
	hpa_t file = new_file(s);

	promise(s);
	CHECK_ERR(addr_space_map_shared(&s->as, GPA(AT), file, SIZE), ERR_OK);
	space_check(s);
	CHECK_EQ(space_stats(s).shared, SIZE);
	CHECK_EQ(space_stats(s).resident, 0);
	for (uint64_t at = 0; at < SIZE; at += PAGE_SIZE)
		CHECK(space_load(s, AT + at) == (uint8_t)(at / PAGE_SIZE + 1) && !space_allows(s, AT + at, NPT_W), "%#jx",
		      (uintmax_t)at);
	CHECK_EQ(space_load(s, AT + SIZE), 0);
	CHECK_EQ(space_level(s, AT + MIB(2)), 0);
	space_clear(s);
	end_file(s, file);
}

static void a_write_copies_a_page(void **state)
{
	struct space *s = *state, *child;
	hpa_t file = new_file(s);

	promise(s);
	CHECK_ERR(addr_space_map_shared(&s->as, GPA(AT), file, SIZE), ERR_OK);
	space_store(s, AT + KIB(8) + 5, 0xaa);
	space_store(s, AT + MIB(2), 0xbb);
	space_check(s);
	CHECK_EQ(space_load(s, AT + KIB(8)), 3);
	CHECK_EQ(space_stats(s).resident, KIB(8));
	CHECK_EQ(space_stats(s).shared, SIZE - KIB(8));
	CHECK_ERR(space_fork(s, &child), ERR_OK);
	space_store(child, AT + KIB(8) + 5, 0xcc);
	space_store(child, AT, 0xdd);
	space_check(s);
	CHECK_EQ(space_load(s, AT + KIB(8) + 5), 0xaa);
	CHECK_EQ(space_load(s, AT), 1);
	CHECK_EQ(space_load(child, AT + KIB(4)), 2);
	space_end(child);
	CHECK_ERR(space_discard(s, AT, SIZE), ERR_OK);
	CHECK_EQ(space_stats(s).shared, 0);
	CHECK_EQ(space_load(s, AT), 0);
	end_file(s, file);
}

static void several_spaces_have_it(void **state)
{
	struct space *s = *state, *child;
	hpa_t file = new_file(s);

	promise(s);
	CHECK_ERR(space_fork(s, &child), ERR_OK);
	CHECK_ERR(addr_space_map_shared(&s->as, GPA(AT), file, SIZE), ERR_OK);
	CHECK_ERR(addr_space_map_shared(&child->as, GPA(AT + MIB(4)), file, SIZE), ERR_OK);
	space_store(s, AT, 0xaa);
	space_check(s);
	CHECK_EQ(space_load(child, AT + MIB(4)), 1);
	space_end(child);
	space_clear(s);
	end_file(s, file);
}

static void what_cannot_be_is_refused(void **state)
{
	struct space *s = *state;
	hpa_t file = new_file(s);

	CHECK_ERR(addr_space_map_shared(&s->as, GPA(AT), file, SIZE), ERR_NOT_FOUND);
	promise(s);
	CHECK_ERR(addr_space_map_shared(&s->as, GPA(MIB(15)), file, SIZE), ERR_NOT_FOUND);
	CHECK_ERR(addr_space_map_shared(&s->as, GPA(AT), file, 0), ERR_INVALID);
	CHECK_ERR(addr_space_map_shared(&s->as, GPA(AT), file, 5), ERR_INVALID);
	CHECK_ERR(addr_space_map_shared(&s->as, GPA(AT), HPA(file.raw + 5), PAGE_SIZE), ERR_INVALID);
	space_store(s, AT + MIB(2), 1);
	CHECK_ERR(addr_space_map_shared(&s->as, GPA(AT), file, SIZE), ERR_EXISTS);
	CHECK_EQ(space_stats(s).shared, 0);
	space_check(s);
	space_clear(s);
	end_file(s, file);
}

static void out_of_memory_changes_nothing(void **state)
{
	struct space *s = *state;
	hpa_t file = new_file(s);
	enum err err = ERR_NO_MEMORY;
	unsigned frames;

	promise(s);
	for (frames = 0; err != ERR_OK; frames++) {
		space_leave(s, frames);
		err = addr_space_map_shared(&s->as, GPA(AT), file, SIZE);
		CHECK(err == ERR_OK || err == ERR_NO_MEMORY, "%s", err_name(err));
		CHECK_EQ(space_stats(s).shared, err == ERR_OK ? SIZE : 0);
		ram_release(&s->ram);
		space_check(s);
	}
	CHECK(frames > 1, "%u", frames);
	space_clear(s);
	end_file(s, file);
}

#define TO MIB(8) /* pages of the guest's own */

static uint8_t page_of_file(uint64_t page)
{
	return (uint8_t)(page + 1);
}

static void copy_page(struct space *s, uint64_t to, uint64_t from)
{
	space_begin(s); /* from here on: what is freed must have been flushed */
	CHECK_ERR(addr_space_copy(&s->as, GPA(to), GPA(from), PAGE_SIZE), ERR_OK);
	space_check(s);
}

static void store_page(struct space *s, uint64_t to, uint64_t from)
{
	space_begin(s);
	CHECK_ERR(addr_space_store(&s->as, GPA(to), GPA(from), PAGE_SIZE), ERR_OK);
	space_check(s);
}

/* Pages that the guest has written to, one after the other, then once more: what was there goes, and nothing is copied. */
static void single_pages_are_mapped(void **state)
{
	struct space *s = *state;
	hpa_t file = new_file(s);
	struct addr_space_stats before;
	uint64_t flushes;

	promise(s);
	CHECK_ERR(addr_space_map_shared(&s->as, GPA(AT), file, SIZE), ERR_OK);
	for (uint64_t i = 0; i < 24; i++)
		space_store(s, TO + i * PAGE_SIZE, 0xee);
	space_touch(s, TO + 24 * PAGE_SIZE, NPT_R);
	for (uint64_t i = 0; i < 50; i++) {
		uint64_t to = i % 25, from = i < 25 ? i : SIZE / PAGE_SIZE - 50 + i;

		before = space_stats(s);
		flushes = s->flushes;
		copy_page(s, TO + to * PAGE_SIZE, AT + from * PAGE_SIZE);
		CHECK_EQ(s->flushes, flushes + 1);
		CHECK_EQ(before.resident - space_stats(s).resident, i < 24 ? PAGE_SIZE : 0);
		CHECK_EQ(space_stats(s).shared - before.shared, i < 25 ? PAGE_SIZE : 0);
		CHECK_EQ(space_load(s, TO + to * PAGE_SIZE + PAGE_SIZE - 1), page_of_file(from));
		CHECK(!space_allows(s, TO + to * PAGE_SIZE, NPT_W), "page %ju can be written", (uintmax_t)to);
	}
	space_store(s, TO, 0x77);
	CHECK_EQ(space_load(s, AT + SIZE - 25 * PAGE_SIZE), page_of_file(SIZE / PAGE_SIZE - 25));
	/* What is the space's own stays single: it is copied. */
	space_store(s, AT, 0x55);
	copy_page(s, TO + PAGE_SIZE, AT);
	CHECK(space_stats(s).resident >= 3 * PAGE_SIZE, "the same page twice");
	space_store(s, TO + PAGE_SIZE, 0x66);
	CHECK_EQ(space_load(s, AT), 0x55);
	space_clear(s);
	end_file(s, file);
}

/* Whole pages of a file: they need not be copied before, and whoever else has them keeps them. */
static void whole_pages_are_overwritten(void **state)
{
	struct space *s = *state, *child;
	hpa_t file = new_file(s);
	struct addr_space_stats before;
	uint8_t byte;

	promise(s);
	CHECK_ERR(addr_space_map_shared(&s->as, GPA(AT), file, SIZE), ERR_OK);
	CHECK_ERR(space_fork(s, &child), ERR_OK);
	space_store(s, AT + SIZE - PAGE_SIZE, 1); /* now it is known how such pages look, */
	for (uint64_t i = 0; i < 8; i++) {
		space_store(s, TO + i * PAGE_SIZE, (uint8_t)(0xa0 + i));
		space_store(s, TO + (i + 1) * PAGE_SIZE - 1, (uint8_t)(0xb0 + i));
	}
	CHECK_ERR(addr_space_read(&s->as, GPA(TO), &byte, 1), ERR_OK); /* and such as can be read */
	space_store(s, AT, 1);                                         /* the large leaf is split */
	for (uint64_t i = 1; i < 8; i++) {
		before = space_stats(s);
		store_page(s, AT + i * PAGE_SIZE, TO + i * PAGE_SIZE);
		CHECK_EQ(space_stats(s).handled_copy, before.handled_copy);
		CHECK_EQ(space_stats(s).resident - before.resident, PAGE_SIZE);
		CHECK_EQ(before.shared - space_stats(s).shared, PAGE_SIZE);
		CHECK_EQ(space_load(s, AT + i * PAGE_SIZE), 0xa0 + i);
		CHECK_EQ(space_load(s, AT + (i + 1) * PAGE_SIZE - 1), 0xb0 + i);
		CHECK_EQ(space_load(child, AT + i * PAGE_SIZE), page_of_file(i));
		store_page(s, AT + i * PAGE_SIZE, TO); /* it is the space's own by now */
		CHECK_EQ(space_load(s, AT + i * PAGE_SIZE), 0xa0);
		CHECK_EQ(space_stats(s).resident - before.resident, PAGE_SIZE);
	}
	/* Not whole, or not alike. */
	CHECK_ERR(addr_space_store(&s->as, GPA(AT + 8 * PAGE_SIZE + 512), GPA(TO + 512), PAGE_SIZE), ERR_OK);
	CHECK_EQ(space_load(s, AT + 8 * PAGE_SIZE), page_of_file(8));
	CHECK_EQ(space_load(s, AT + 9 * PAGE_SIZE - 1), 0xb0);
	CHECK_EQ(space_load(s, AT + 9 * PAGE_SIZE), 0xa1);
	CHECK_EQ(space_load(s, AT + 9 * PAGE_SIZE + 512), page_of_file(9));
	CHECK_ERR(addr_space_store(&s->as, GPA(AT + 10 * PAGE_SIZE), GPA(TO + 1), PAGE_SIZE), ERR_OK);
	CHECK_EQ(space_load(s, AT + 11 * PAGE_SIZE - 2), 0xb0);
	CHECK_EQ(space_load(s, AT + 11 * PAGE_SIZE - 1), 0xa1);
	space_check(s);
	space_end(child);
	space_clear(s);
	end_file(s, file);
}

/* Neither beyond the limit, nor without a frame; and then what was there is still there. */
static void without_memory_nothing_is_overwritten(void **state)
{
	struct space *s = *state;
	hpa_t file = new_file(s);
	uint8_t byte;

	promise(s);
	CHECK_ERR(addr_space_map_shared(&s->as, GPA(AT), file, SIZE), ERR_OK);
	space_store(s, TO, 0xaa);
	CHECK_ERR(addr_space_read(&s->as, GPA(TO), &byte, 1), ERR_OK);
	space_store(s, AT, 1);
	space_leave(s, 8);
	CHECK_ERR(space_limit(s, space_stats(s).memory_used), ERR_OK);
	CHECK_ERR(addr_space_store(&s->as, GPA(AT + PAGE_SIZE), GPA(TO), PAGE_SIZE), ERR_NO_MEMORY);
	CHECK_EQ(space_load(s, AT + PAGE_SIZE), page_of_file(1));
	CHECK_ERR(space_limit(s, UINT64_MAX), ERR_OK);
	space_leave(s, 1);
	store_page(s, AT + PAGE_SIZE, TO);
	CHECK_ERR(addr_space_store(&s->as, GPA(AT + 2 * PAGE_SIZE), GPA(TO), PAGE_SIZE), ERR_NO_MEMORY);
	CHECK_EQ(space_load(s, AT + 2 * PAGE_SIZE), page_of_file(2));
	space_check(s);
	space_clear(s);
	end_file(s, file);
}

int main(void)
{
	static const struct format_test tests[] = {
		{ "it_is_read_without_a_copy", it_is_read_without_a_copy },
		{ "a_write_copies_a_page", a_write_copies_a_page },
		{ "several_spaces_have_it", several_spaces_have_it },
		{ "what_cannot_be_is_refused", what_cannot_be_is_refused },
		{ "out_of_memory_changes_nothing", out_of_memory_changes_nothing },
		{ "single_pages_are_mapped", single_pages_are_mapped },
		{ "whole_pages_are_overwritten", whole_pages_are_overwritten },
		{ "without_memory_nothing_is_overwritten", without_memory_nothing_is_overwritten },
	};

	return space_suite_both_marks("map_shared", tests, ARRAY_LEN(tests));
}

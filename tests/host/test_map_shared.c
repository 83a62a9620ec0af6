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

int main(void)
{
	static const struct format_test tests[] = {
		{ "it_is_read_without_a_copy", it_is_read_without_a_copy },
		{ "a_write_copies_a_page", a_write_copies_a_page },
		{ "several_spaces_have_it", several_spaces_have_it },
		{ "what_cannot_be_is_refused", what_cannot_be_is_refused },
		{ "out_of_memory_changes_nothing", out_of_memory_changes_nothing },
	};

	return space_suite_both_marks("map_shared", tests, ARRAY_LEN(tests));
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Under `auto`, a sequence of writes to a file's pages: how many are copied with each of them, and which never are. */
#include "tests/host/space.h"

#include <string.h>

#include "mm/space.h"

#define AT    MIB(2)
#define SIZE  MIB(2)
#define PAGES (SIZE / PAGE_SIZE)

/* A file of SIZE bytes, aligned to that; each page begins with its number. `owner`: FRAME_OWNER_FILE, or 0 for what is none. */
static hpa_t map_file(struct space *s, uint16_t owner)
{
	hpa_t file;

	CHECK_ERR(frame_alloc(9, &file), ERR_OK);
	frame_take_over(file, 9, owner);
	for (uint64_t at = 0; at < SIZE; at += PAGE_SIZE)
		memset(frame_ptr(HPA(file.raw + at)), (int)(at / PAGE_SIZE + 1), PAGE_SIZE);
	s->file = (struct ram_range){ file, SIZE };
	CHECK_ERR(space_alloc(s, 0, MIB(8), NPT_RWX, ALLOC_LAZY_AUTO), ERR_OK);
	CHECK_ERR(addr_space_map_shared(&s->as, GPA(AT), file, SIZE), ERR_OK);
	return file;
}

static void end_file(struct space *s, hpa_t file)
{
	space_clear(s);
	for (uint64_t at = 0; at < SIZE; at += PAGE_SIZE) {
		CHECK_EQ(*(uint8_t *)frame_ptr(HPA(file.raw + at)), (uint8_t)(at / PAGE_SIZE + 1));
		CHECK(!frame_is_shared(HPA(file.raw + at), 0), "%#jx", (uintmax_t)at);
	}
	frame_free_count(file, PAGES);
	s->file.size = 0;
}

static void store(struct space *s, unsigned page)
{
	space_store(s, AT + page * PAGE_SIZE + 5, 0xaa);
}

static void store_all(struct space *s, unsigned first, unsigned end)
{
	for (unsigned page = first; page < end; page++)
		store(s, page);
}

/* What the file has, but for what was stored in [first, end). */
static void expect(struct space *s, unsigned first, unsigned end)
{
	for (unsigned page = 0; page < PAGES; page++) {
		CHECK_EQ(space_load(s, AT + page * PAGE_SIZE), (uint8_t)(page + 1));
		CHECK_EQ(space_load(s, AT + page * PAGE_SIZE + 5), page >= first && page < end ? 0xaa : (uint8_t)(page + 1));
	}
}

static uint64_t copied(struct space *s)
{
	return space_stats(s).resident / PAGE_SIZE;
}

static uint8_t published[SPACE_RAM_SIZE / PAGE_SIZE];

static void note_publish(void *bytes, uint64_t size)
{
	memset(published + ((uintptr_t)bytes - frame_phys_to_virt - SPACE_RAM_AT) / PAGE_SIZE, 1, size / PAGE_SIZE);
}

static hpa_t memory_of(struct space *s, unsigned page)
{
	hpa_t hpa;

	CHECK_ERR(addr_space_translate(&s->as, GPA(AT + page * PAGE_SIZE), &hpa), ERR_OK);
	return hpa;
}

/* 8 pages one by one, then windows of 2, 4, 8 and 16 as the sequence gets longer: also with two vCPUs, and below a limit. */
static void a_sequence_takes_few_faults(void **state)
{
	static struct addr_space_view second;
	struct space *s = *state;

	s->as.publish = note_publish;
	for (unsigned how = 0; how < 3; how++) {
		hpa_t file = map_file(s, FRAME_OWNER_FILE);

		memset(published, 0, sizeof(published));
		if (how == 1)
			CHECK_ERR(space_limit(s, MIB(8)), ERR_OK);
		if (how == 2)
			CHECK_ERR(addr_space_add_view(&s->as, &second), ERR_OK);
		for (unsigned page = 0; page < PAGES; page++) {
			store(s, page);
			CHECK(copied(s) <= (page + 1) * 5 / 4, "%ju pages for %u", (uintmax_t)copied(s), page + 1);
			CHECK(published[(memory_of(s, page).raw - SPACE_RAM_AT) / PAGE_SIZE], "%u is not published", page);
		}
		space_check(s);
		CHECK_EQ(space_stats(s).handled_copy, (how + 1) * (8 + 4 + 4 + 4 + 448 / 16));
		CHECK_EQ(copied(s), PAGES);
		CHECK_EQ(space_stats(s).shared, 0);
		expect(s, 0, PAGES);
		if (how == 1)
			CHECK_ERR(space_limit(s, UINT64_MAX), ERR_OK);
		end_file(s, file);
	}
	s->as.publish = NULL;
}

/* Writes here and there, downwards, or in a short sequence copy what is written to. */
static void lone_writes_copy_one_page(void **state)
{
	struct space *s = *state;
	hpa_t file = map_file(s, FRAME_OWNER_FILE);

	for (unsigned page = 0; page < 128; page += 2)
		store(s, page);
	CHECK_EQ(copied(s), 64);
	for (unsigned page = 200; page > 160; page--)
		store(s, page);
	CHECK_EQ(copied(s), 64 + 40);
	store_all(s, 304, 304 + 8);
	CHECK_EQ(copied(s), 64 + 40 + 8);
	space_check(s);
	end_file(s, file);
}

/* What a fork shares with its parent is no file: it pays for what it writes. A file it goes on with as its parent would. */
static void only_files_are_copied_ahead(void **state)
{
	struct space *s = *state, *child;
	hpa_t file = map_file(s, 0);

	store_all(s, 0, 65);
	CHECK_EQ(copied(s), 65);
	end_file(s, file);
	file = map_file(s, FRAME_OWNER_FILE);
	store_all(s, 0, 65);
	CHECK_EQ(copied(s), 64 + 16);
	CHECK_ERR(space_fork(s, &child), ERR_OK);
	store_all(child, 0, 33);
	CHECK_EQ(copied(child), 33);
	store_all(child, 33, 81); /* up to page 79 they are the parent's, then come the file's, */
	CHECK_EQ(copied(child), 80 + 16);
	store(s, 80); /* and none of the parent's: they are shared */
	CHECK_EQ(copied(s), 80 + 1);
	space_check(s);
	for (unsigned page = 0; page < 81; page++)
		CHECK_EQ(space_load(child, AT + page * PAGE_SIZE + 5), 0xaa);
	space_end(child);
	CHECK_EQ(space_load(s, AT + 64 * PAGE_SIZE + 5), 0xaa);
	CHECK_EQ(space_load(s, AT + 79 * PAGE_SIZE + 5), 80);
	end_file(s, file);
}

/* The window ends with the area, and with the pages that lie side by side in the file. */
static void windows_end_where_the_rest_is_other(void **state)
{
	struct space *s = *state;
	hpa_t file = map_file(s, FRAME_OWNER_FILE);

	store(s, 83);
	CHECK_ERR(space_protect(s, AT + 98 * PAGE_SIZE, KIB(64), NPT_RX), ERR_OK);
	CHECK_ERR(space_discard(s, AT + 70 * PAGE_SIZE, PAGE_SIZE), ERR_OK);
	store_all(s, 0, 65);
	CHECK_EQ(copied(s), 64 + 4 + 1); /* up to page 69, of which a power of two; and page 83 */
	store_all(s, 65, 81);
	CHECK_EQ(copied(s), 80 + 2 + 1); /* up to page 82 */
	store_all(s, 81, 97);
	CHECK_EQ(copied(s), 98);
	CHECK(!space_allows(s, AT + 98 * PAGE_SIZE, NPT_W), "what may only be read can be written");
	CHECK_EQ(space_fault(s, AT + 98 * PAGE_SIZE, NPT_W), FAULT_DENIED);
	space_check(s);
	CHECK_EQ(space_load(s, AT + 98 * PAGE_SIZE), 99);
	end_file(s, file);
}

/* The last frames and the last of a limit go to pages that are written: a window is no reason to fail. */
static void without_memory_single_pages_are_copied(void **state)
{
	struct space *s = *state;

	for (unsigned limited = 0; limited < 2; limited++) {
		hpa_t file = map_file(s, FRAME_OWNER_FILE);
		unsigned page = 64;

		store_all(s, 0, 64);
		if (limited)
			CHECK_ERR(space_limit(s, space_stats(s).memory_used + KIB(28)), ERR_OK);
		else
			space_leave(s, 7);
		while (page < 80 && space_fault(s, AT + page * PAGE_SIZE, NPT_W) == FAULT_HANDLED)
			store(s, page++);
		CHECK_EQ(page, 64 + 7);
		space_check(s);
		expect(s, 0, page);
		CHECK_ERR(space_limit(s, UINT64_MAX), ERR_OK);
		ram_release(&s->ram);
		end_file(s, file);
	}
}

/* Of a window only the page that is written becomes accessed and dirty, if hardware keeps that; what was accessed before, stays so.
 */
static void the_rest_is_as_accessed_as_before(void **state)
{
	struct space *s = *state;
	const bool hardware = s->as.npt.config.hardware_ad;
	hpa_t file = map_file(s, FRAME_OWNER_FILE);
	uint64_t bits[PAGES / 64];

	store_all(s, 0, 64);
	(void)space_test_and_clear(s, NPT_ACCESSED, AT, SIZE, false, bits);
	(void)space_test_and_clear(s, NPT_DIRTY, AT, SIZE, false, bits);
	store_all(s, 0, 64); /* writable again, where software keeps the bits */
	(void)space_test_and_clear(s, NPT_ACCESSED, AT + KIB(256), KIB(64), false, bits);
	space_load(s, AT + 70 * PAGE_SIZE);
	store(s, 64);
	CHECK_EQ(copied(s), hardware ? 80 : 65); /* what software waits for is not copied ahead */
	memset(bits, 0, sizeof(bits));
	(void)space_test_and_clear(s, NPT_ACCESSED, AT + KIB(256), KIB(64), false, bits);
	CHECK_EQ(bits[0], BIT(0) | BIT(6));
	(void)space_test_and_clear(s, NPT_DIRTY, AT + KIB(256), KIB(64), false, bits);
	CHECK_EQ(bits[0], BIT(0));
	space_check(s);
	end_file(s, file);
}

/* Where dirty pages are logged exactly, each is copied by itself. */
static void a_logged_block_has_no_windows(void **state)
{
	struct space *s = *state;
	hpa_t file = map_file(s, FRAME_OWNER_FILE);
	uint64_t bits[PAGES / 64];

	store(s, 0);
	(void)space_test_and_clear(s, NPT_DIRTY, AT, SIZE, true, bits);
	store_all(s, 0, 65);
	CHECK_EQ(copied(s), 65);
	memset(bits, 0, sizeof(bits));
	(void)space_test_and_clear(s, NPT_DIRTY, AT, SIZE, true, bits);
	CHECK(bits[0] == UINT64_MAX && bits[1] == 1 && bits[2] == 0, "other pages than were written are dirty");
	end_file(s, file);
}

int main(void)
{
	static const struct format_test tests[] = {
		{ "a_sequence_takes_few_faults", a_sequence_takes_few_faults },
		{ "lone_writes_copy_one_page", lone_writes_copy_one_page },
		{ "only_files_are_copied_ahead", only_files_are_copied_ahead },
		{ "windows_end_where_the_rest_is_other", windows_end_where_the_rest_is_other },
		{ "without_memory_single_pages_are_copied", without_memory_single_pages_are_copied },
		{ "the_rest_is_as_accessed_as_before", the_rest_is_as_accessed_as_before },
		{ "a_logged_block_has_no_windows", a_logged_block_has_no_windows },
	};

	return space_suite_both_marks("copy_around", tests, ARRAY_LEN(tests));
}

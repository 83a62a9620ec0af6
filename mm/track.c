/* SPDX-License-Identifier: BSD-2-Clause */
/* Test-and-clear of accessed and dirty bits: which pages a guest has accessed, and which it has written. */
#include <string.h>

#include "mm/space.h"

static uint64_t count_bits(const uint64_t *bitmap, uint64_t words)
{
	uint64_t count = 0;

	/* A bit at a time: not every CPU that we support has a population-count instruction. */
	for (uint64_t i = 0; i < words; i++)
		for (uint64_t word = bitmap[i]; word != 0; word &= word - 1)
			count++;
	return count;
}

/* --- Blocks that stay split --------------------------------------------------------------------------------------- */

/* The note (frame_table_note) of the level 0 table around `gpa`; NULL: there is no such table. `*next` is where the next can be. */
static uint16_t *note_at(const struct addr_space *as, uint64_t gpa, uint64_t *next)
{
	struct npt_cursor cursor;
	uint64_t size;

	npt_find(&as->npt, GPA(gpa), &cursor);
	size = npt_level_size(cursor.level > 0 ? cursor.level : BLOCK_LEVEL);
	*next = align_down(gpa, size) + size;
	return cursor.level == 0 ? frame_table_note(cursor.table) : NULL;
}

bool is_logged(const struct addr_space *as, uint64_t gpa)
{
	const uint16_t *note;
	uint64_t next;

	if (!as->logged)
		return false;
	note = note_at(as, gpa, &next);
	return note && (*note & TABLE_LOGGED);
}

static void set_logged(struct addr_space *as, uint64_t start, uint64_t end, bool logged)
{
	if (!logged && !as->logged)
		return;
	as->logged = true;
	while (start < end) {
		uint16_t *note = note_at(as, start, &start);

		if (note) /* of a table that is not shared */
			*note = logged ? TABLE_LOGGED : 0;
	}
}

void log_fork(const struct addr_space *parent, struct addr_space *child, uint64_t start, uint64_t end)
{
	uint64_t next;

	child->logged = parent->logged;
	for (uint64_t at = start; parent->logged && at < end; at = next) {
		const uint16_t *note = note_at(parent, at, &next);
		uint16_t *copy = note_at(child, at, &next);

		if (note && copy && note != copy)
			*copy = *note & TABLE_LOGGED;
	}
}

/* --- Questions ---------------------------------------------------------------------------------------------------- */

/* Split every large leaf in the range, so that each page has accessed and dirty bits of its own. */
static enum err split_range(struct addr_space *as, uint64_t start, uint64_t end)
{
	struct npt_cursor cursor;
	enum err err = ERR_OK;

	while (err == ERR_OK && start < end) {
		uint64_t size = BLOCK_SIZE;

		if (npt_find(&as->npt, GPA(start), &cursor) == NPT_LEAF && cursor.level > 0)
			err = split_to_pages(as, start);
		else if (cursor.level > BLOCK_LEVEL)
			size = npt_level_size(cursor.level);
		start = align_down(start, size) + size;
	}
	return err;
}

static enum err test_and_clear(struct addr_space *as, gpa_t gpa, uint64_t size, enum npt_ad bit, uint64_t *bitmap, uint64_t *pages)
{
	uint64_t words = (size / PAGE_SIZE + 63) / 64;
	struct npt_gather gather;
	enum err err;

	memset(bitmap, 0, words * sizeof(*bitmap));
	npt_gather_init(&gather, &as->npt);
	err = npt_test_and_clear(&as->npt, gpa, size, bit, bitmap, &gather);
	npt_gather_finish(&gather);
	*pages = count_bits(bitmap, words);
	return err;
}

enum err addr_space_scan_accessed(struct addr_space *as, gpa_t gpa, uint64_t size, uint64_t *bitmap, uint64_t *pages)
{
	enum err err;

	space_lock(as);
	err = check_range(as, gpa, size);
	if (err == ERR_OK)
		err = test_and_clear(as, gpa, size, NPT_ACCESSED, bitmap, pages);
	space_unlock(as);
	return err;
}

enum err addr_space_dirty_log(struct addr_space *as, gpa_t gpa, uint64_t size, bool split, uint64_t *bitmap, uint64_t *pages)
{
	enum err err;

	space_lock(as);
	err = check_range(as, gpa, size);
	if (err == ERR_OK && split)
		err = split_range(as, gpa.raw, gpa.raw + size);
	if (err == ERR_OK)
		err = npt_own_tables(&as->npt, gpa, size);
	if (err == ERR_OK)
		set_logged(as, gpa.raw, gpa.raw + size, split);
	if (err == ERR_OK)
		err = test_and_clear(as, gpa, size, NPT_DIRTY, bitmap, pages);
	space_unlock(as);
	return err;
}

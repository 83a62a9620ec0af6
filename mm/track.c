/* SPDX-License-Identifier: BSD-2-Clause */
/* Which pages a guest has accessed, and which it has written: what the leaves remember, asked and forgotten. */
#include <string.h>

#include "mm/space.h"

static uint64_t count_bits(const uint64_t *bitmap, uint64_t words)
{
	uint64_t count = 0;

	/* Bit by bit: there is no instruction for it that all CPUs have. */
	for (uint64_t i = 0; i < words; i++)
		for (uint64_t word = bitmap[i]; word != 0; word &= word - 1)
			count++;
	return count;
}

/* Split every large leaf in the range, so that each page remembers for itself. */
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

static enum err harvest(struct addr_space *as, gpa_t gpa, uint64_t size, enum npt_mark mark, uint64_t *bitmap,
			uint64_t *pages)
{
	uint64_t words = (size / PAGE_SIZE + 63) / 64;
	struct npt_gather gather;
	enum err err;

	memset(bitmap, 0, words * sizeof(*bitmap));
	npt_gather_init(&gather, &as->npt);
	err = npt_harvest(&as->npt, gpa, size, mark, bitmap, &gather);
	npt_gather_finish(&gather);
	*pages = count_bits(bitmap, words);
	return err;
}

enum err addr_space_scan_accessed(struct addr_space *as, gpa_t gpa, uint64_t size, uint64_t *bitmap, uint64_t *pages)
{
	enum err err;

	spin_lock(&as->lock);
	err = check_range(as, gpa, size);
	if (err == ERR_OK)
		err = harvest(as, gpa, size, NPT_ACCESSED, bitmap, pages);
	spin_unlock(&as->lock);
	return err;
}

enum err addr_space_dirty_log(struct addr_space *as, gpa_t gpa, uint64_t size, bool split, uint64_t *bitmap,
			      uint64_t *pages)
{
	enum err err;

	spin_lock(&as->lock);
	err = check_range(as, gpa, size);
	if (err == ERR_OK && split)
		err = split_range(as, gpa.raw, gpa.raw + size);
	if (err == ERR_OK)
		err = harvest(as, gpa, size, NPT_DIRTY, bitmap, pages);
	spin_unlock(&as->lock);
	return err;
}

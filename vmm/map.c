/* SPDX-License-Identifier: BSD-2-Clause */
/* The map: what the picture shows, in characters on the console. */
#include <stdio.h>
#include <string.h>

#include "include/log.h"
#include "vmm/blocks.h"
#include "vmm/picture.h"
#include "vmm/text.h"

enum { MAP_WIDTH = 64, MAP_HEIGHT = 8 };

static const char marks[LOOKS + 1] = ".-0s@123456789#";

/* One character for `count` blocks together. */
static char mark_of(unsigned block, unsigned count)
{
	struct addr_space_survey survey = { 0 };
	bool discarded = false;
	uint64_t all = 0;

	for (unsigned i = block; i < block + count; i++) {
		unsigned leaves = UINT32_MAX;
		uint64_t size;

		block_range(i, &survey.next, &size);
		block_survey(i, &leaves, &survey);
		discarded = discarded || block_was_discarded(i);
		all += size;
	}
	return marks[block_look(&survey, all, discarded)];
}

/* The block after the row that begins with `block`: a row goes on as long as addresses do. */
static unsigned row_end(unsigned block, unsigned together)
{
	return (unsigned)min_u64(block + MAP_WIDTH * together, blocks_piece_end(block));
}

/* The least number of blocks a character with which there are few enough rows. */
static unsigned blocks_together(void)
{
	for (unsigned together = 1;; together++) {
		unsigned block = 0;

		for (unsigned row = 0; row < MAP_HEIGHT && block < blocks_get()->count; row++)
			block = row_end(block, together);
		if (block == blocks_get()->count)
			return together;
	}
}

static void print_legend(unsigned together)
{
	const struct blocks *blocks = blocks_get();
	char line[LOG_LINE_MAX], who[32] = "", size[TEXT_SIZE_ROOM];

	if (vm_is_forked(blocks->vm))
		snprintf(who, sizeof(who), "forked VM %u, ", blocks->vm->number);
	snprintf(line, sizeof(line), "map: %s%s a character:", who, text_size(size, (uint64_t)together << blocks->shift));
	for (unsigned look = 0; look <= LOOK_PAGES; look++)
		text_add(line, sizeof(line), "%s %c%s %s", look > 0 ? "," : "", marks[look], look < LOOK_PAGES ? "" : "-9#",
			 look_names[look]);
	log_info("%s", line);
}

void map_print(void)
{
	unsigned together = blocks_together();

	print_legend(together);
	for (unsigned block = 0; block < blocks_get()->count;) {
		unsigned end = row_end(block, together);
		char row[MAP_WIDTH + 1] = "";
		uint64_t size;
		gpa_t gpa;

		block_range(block, &gpa, &size);
		for (unsigned i = 0; block < end; i++, block += together)
			row[i] = mark_of(block, (unsigned)min_u64(together, end - block));
		block = end;
		/* Of rows with nothing in them there can be many. */
		if (row[strspn(row, ".")] != '\0')
			log_info("map: 0x%011lx |%s|", gpa.raw, row);
	}
}

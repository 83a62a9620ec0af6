/* SPDX-License-Identifier: BSD-2-Clause */
/* The map: what the picture shows, in characters on the console. */
#include <stdio.h>
#include <string.h>

#include "include/lock.h"
#include "include/log.h"
#include "vmm/picture.h"
#include "vmm/text.h"

enum { MAP_WIDTH = 64, MAP_HEIGHT = 8 };

static const char marks[LOOKS + 1] = ".-0s@123456789#";

/* One character for `count` blocks together. */
static char mark_of(struct vm *vm, unsigned block, unsigned count)
{
	struct addr_space_survey survey = { 0 };
	bool discarded = false;
	uint64_t all = 0;

	for (unsigned i = block; i < block + count; i++) {
		unsigned leaves = UINT32_MAX;
		uint64_t size;

		block_range(vm, i, &survey.next, &size);
		block_survey(vm, i, &leaves, &survey);
		discarded = discarded || block_was_discarded(vm, i);
		all += size;
	}
	return marks[block_look(&survey, all, discarded)];
}

/* The block after the row that begins with `block`: a row goes on as long as addresses do. */
static unsigned row_end(const struct vm *vm, unsigned block, unsigned together)
{
	return (unsigned)min_u64(block + MAP_WIDTH * together, blocks_piece_end(vm, block));
}

/* The least number of blocks a character with which there are few enough rows. */
static unsigned blocks_together(const struct vm *vm)
{
	for (unsigned together = 1;; together++) {
		unsigned block = 0;

		for (unsigned row = 0; row < MAP_HEIGHT && block < vm->blocks.count; row++)
			block = row_end(vm, block, together);
		if (block == vm->blocks.count)
			return together;
	}
}

static void print_legend(const struct vm *vm, unsigned together)
{
	char line[LOG_LINE_MAX], size[TEXT_SIZE_ROOM];
	const char *name = vm->console.name;

	snprintf(line, sizeof(line), "map: %s%s%s a character:", name, name[0] != '\0' ? ", " : "",
		 text_size(size, (uint64_t)together << vm->blocks.shift));
	for (unsigned look = 0; look <= LOOK_PAGES; look++)
		text_add(line, sizeof(line), "%s %c%s %s", look > 0 ? "," : "", marks[look], look < LOOK_PAGES ? "" : "-9#",
			 look_names[look]);
	log_info("%s", line);
}

static void print_row(struct vm *vm, unsigned block, unsigned end, unsigned together)
{
	char row[MAP_WIDTH + 1] = "";
	uint64_t size;
	gpa_t gpa;

	block_range(vm, block, &gpa, &size);
	for (unsigned i = 0; block < end; i++, block += together)
		row[i] = mark_of(vm, block, (unsigned)min_u64(together, end - block));
	/* Of rows with nothing in them there can be many. */
	if (row[strspn(row, ".")] != '\0')
		log_info("map: 0x%011lx |%s|", gpa.raw, row);
}

void map_print(struct vm *vm)
{
	/* Of two VMs that end, the one's map follows the other's. */
	static struct spinlock lock = SPINLOCK(LOCK_REPORT);
	unsigned together = blocks_together(vm);

	spin_lock(&lock);
	print_legend(vm, together);
	for (unsigned block = 0, end; block < vm->blocks.count; block = end) {
		end = row_end(vm, block, together);
		print_row(vm, block, end, together);
	}
	spin_unlock(&lock);
}

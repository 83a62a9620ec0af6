/* SPDX-License-Identifier: BSD-2-Clause */
/* Walks a device tree once, for its memory nodes and the rate of RISC-V's timebase. Source: Devicetree Specification 0.4,
 * "Flattened Devicetree (DTB) Format". */
#include "guest/rt/fdt.h"

#include "guest/rt/rt.h"

enum { FDT_BEGIN_NODE = 1, FDT_END_NODE = 2, FDT_PROP = 3, FDT_NOP = 4 };

#define FDT_MAGIC 0xd00dfeed

/* Offsets in the header, in words. */
enum { HEADER_MAGIC, HEADER_SIZE, HEADER_STRUCT, HEADER_STRINGS };

/* Numbers are big-endian, and aligned to 4 bytes. */
static uint32_t word(const uint32_t *at)
{
	const unsigned char *byte = (const unsigned char *)at;

	return (uint32_t)byte[0] << 24 | (uint32_t)byte[1] << 16 | (uint32_t)byte[2] << 8 | byte[3];
}

static uint64_t number(const uint32_t *at, uint32_t cells)
{
	uint64_t value = 0;

	while (cells--)
		value = value << 32 | word(at++);
	return value;
}

static bool is(const char *a, const char *b)
{
	size_t length = strlen(b);

	return strlen(a) == length && memcmp(a, b, length) == 0;
}

uint64_t rt_fdt_timebase;

/* What the root says about addresses, and in which node of the second level we are. */
struct walk {
	const char *strings;
	uint32_t address_cells, size_cells;
	unsigned depth;
	bool in_memory, in_cpus;
};

static void read_property(struct walk *walk, const char *name, const uint32_t *value, uint32_t size)
{
	uint32_t entry = walk->address_cells + walk->size_cells;

	if (walk->depth == 1 && is(name, "#address-cells"))
		walk->address_cells = word(value);
	else if (walk->depth == 1 && is(name, "#size-cells"))
		walk->size_cells = word(value);
	else if (walk->depth == 2 && walk->in_cpus && is(name, "timebase-frequency"))
		rt_fdt_timebase = number(value, size / 4);
	else if (walk->depth == 2 && walk->in_memory && is(name, "reg"))
		for (uint32_t i = 0; entry && (i + entry) * 4 <= size; i += entry)
			rt_add_ram(number(value + i, walk->address_cells),
				   number(value + i + walk->address_cells, walk->size_cells));
}

static bool is_memory(const char *name)
{
	return memcmp(name, "memory", 6) == 0 && (name[6] == '@' || name[6] == '\0');
}

bool rt_fdt_read(const void *tree)
{
	const uint32_t *header = tree, *at;
	struct walk walk = { .address_cells = 2, .size_cells = 1 };

	if (word(&header[HEADER_MAGIC]) != FDT_MAGIC)
		return false;
	walk.strings = (const char *)tree + word(&header[HEADER_STRINGS]);
	at = header + word(&header[HEADER_STRUCT]) / 4;
	for (;;) {
		switch (word(at++)) {
		case FDT_BEGIN_NODE:
			walk.in_memory = ++walk.depth == 2 && is_memory((const char *)at);
			walk.in_cpus = walk.depth == 2 && is((const char *)at, "cpus");
			at += strlen((const char *)at) / 4 + 1;
			break;
		case FDT_END_NODE:
			walk.depth--;
			break;
		case FDT_PROP:
			read_property(&walk, walk.strings + word(at + 1), at + 2, word(at));
			at += 2 + (word(at) + 3) / 4;
			break;
		case FDT_NOP:
			break;
		default: /* the end */
			rt_reserve((uintptr_t)tree, (uintptr_t)tree + word(&header[HEADER_SIZE]));
			return true;
		}
	}
}

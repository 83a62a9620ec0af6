/* SPDX-License-Identifier: BSD-2-Clause */
/* The picture: cells, a legend, counters. */
#include "vmm/picture.h"

#include <stdio.h>
#include <string.h>

#include "drivers/font.h"
#include "drivers/framebuffer.h"
#include "include/arch/virt.h"
#include "include/lock.h"
#include "vmm/hypercall.h"
#include "vmm/text.h"

enum {
	REDRAW_EXITS = 256,   /* from one time to the next */
	REDRAW_LEAVES = 4096, /* looked at each time, at most; */
	BLOCK_LEAVES = 8,     /* a block counts as so many at least */
	SWEEP_BLOCKS = 16,    /* surveyed each time without a fault in them: blocks may change without one */
	TURN_DRAWS = 64,      /* for so many times a VM is shown if there are others, */
	TURN_EXITS = 16384,   /* or for so many exits of these: it may have none */
};

/* The column beside the cells, in characters and lines. */
enum {
	COLUMN_CHARS = 24,
	LEGEND_LINE = 0,
	COUNTERS_LINE = LOOK_PAGES + 2,
	COUNTERS = 8,
};

/* An address to the left of the cells, and the space behind it, in characters. */
#define ADDRESS_CHARS 14

#define NO_LOOK LOOKS

/* All of it is under the lock. */
static struct spinlock lock = SPINLOCK(LOCK_REPORT);

static struct {
	struct vm *vm;                /* that is shown; NULL: none, or it has ended */
	const struct fork_tree *tree; /* the frame and the cells that are drawn are of a VM of this one */
	unsigned draws, others;       /* since it has been shown; and exits of VMs that are not */
	struct framebuffer_part grid, column;
	uint32_t scale, pitch, columns;  /* of text; pixels from one cell to the next; cells in a row */
	unsigned exits;                  /* since it was drawn */
	unsigned next, sweep;            /* blocks where drawing and sweeping go on */
	struct addr_space_survey survey; /* of block `next`, as far as it has come */
	bool surveying;
	uint64_t stale[BLOCKS_MAX / 64];
	uint8_t drawn[BLOCKS_MAX]; /* enum block_look, or NO_LOOK */
	char shown[COUNTERS][COLUMN_CHARS + 1];
} picture;

bool picture_wanted(void)
{
	struct framebuffer_part canvas;

	return framebuffer_canvas(&canvas);
}

static uint32_t colour_of(unsigned look)
{
	static const uint32_t colours[LOOK_PAGES] = {
		[LOOK_NOTHING] = 0x20242c, [LOOK_DISCARDED] = 0x7a4a80, [LOOK_ZEROS] = 0x2c6c9c,
		[LOOK_SHARED] = 0xe0b040,  [LOOK_LARGE] = 0xe05840,
	};
	uint32_t shade = look - LOOK_PAGES;

	return look < LOOK_PAGES ? colours[look] : (0x20 + 6 * shade) << 16 | (0x70 + 15 * shade) << 8 | (0x38 + 6 * shade);
}

static void draw_cell(unsigned block, enum block_look look)
{
	uint32_t gap = picture.pitch >= 4 ? picture.scale : 0;
	const struct framebuffer_part cell = {
		.x = picture.grid.x + block % picture.columns * picture.pitch,
		.y = picture.grid.y + block / picture.columns * picture.pitch,
		.width = picture.pitch - gap,
		.height = picture.pitch - gap,
	};

	if (picture.drawn[block] != look)
		framebuffer_fill(cell, colour_of(look));
	picture.drawn[block] = (uint8_t)look;
}

static void draw_text(uint32_t x, uint32_t y, const char *text)
{
	for (; *text; text++, x += FONT_ADVANCE * picture.scale)
		framebuffer_put(x, y, picture.scale, FRAMEBUFFER_WHITE, *text);
}

static uint32_t line_at(unsigned line)
{
	return picture.column.y + line * FONT_LINE * picture.scale;
}

/* All but what has not changed. */
static void draw_counter(unsigned line, const char *text)
{
	char *shown = picture.shown[line];
	bool ended = false;

	for (uint32_t i = 0; i < COLUMN_CHARS; i++) {
		char c;

		ended = ended || text[i] == '\0';
		c = ended ? ' ' : text[i];
		if (shown[i] != c)
			framebuffer_put(picture.column.x + i * FONT_ADVANCE * picture.scale, line_at(COUNTERS_LINE + line),
					picture.scale, FRAMEBUFFER_WHITE, c);
		shown[i] = c;
	}
}

/* Exits that the guest's own doing has led to: how often the host's timer comes is another machine's affair. */
static uint64_t own_exits(const struct vm *vm)
{
	uint64_t exits = vm_exits(vm).total;

	for (unsigned i = 0; i < vm->vcpus; i++)
		exits -= vm->vcpu_table[i]->interrupts;
	return exits;
}

static void draw_counters(void)
{
	struct vm *vm = picture.vm;
	struct addr_space_stats stats = addr_space_get_stats(&vm->as);
	const struct {
		const char *what;
		uint64_t bytes;
	} sizes[] = {
		{ "promised", vm->options.ram }, { "resident", stats.resident },       { "at its peak", stats.resident_peak },
		{ "shared", stats.shared },      { "tables", vm->as.npt.table_bytes },
	};
	char text[64], size[TEXT_SIZE_ROOM];
	unsigned line = 0;

	snprintf(text, sizeof(text), "VM %u%s%s", vm->number, vm_is_forked(vm) ? ", a fork" : "",
		 vm->outcome == VM_RUNNING ? "" : ", ended");
	draw_counter(line++, text);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		snprintf(text, sizeof(text), "%-11s %s", sizes[i].what, text_size(size, sizes[i].bytes));
		draw_counter(line++, text);
	}
	snprintf(text, sizeof(text), "%-11s %lu", "exits", own_exits(vm));
	draw_counter(line++, text);
	snprintf(text, sizeof(text), "%-11s %lu", "faults", vm_exits(vm).fault);
	draw_counter(line, text);
}

static void draw_legend(void)
{
	uint32_t side = FONT_HEIGHT * picture.scale;

	for (unsigned look = 0; look <= LOOK_PAGES; look++) {
		uint32_t y = line_at(LEGEND_LINE + look);

		/* Shades share one square. */
		for (uint32_t i = 0; i < LOOK_SHADES; i++) {
			const struct framebuffer_part part = { picture.column.x + side * i / LOOK_SHADES, y, side / LOOK_SHADES + 1,
							       side };

			framebuffer_fill(part, colour_of(look < LOOK_PAGES ? look : look + i));
		}
		draw_text(picture.column.x + 2 * side, y, look_names[look]);
	}
}

static void draw_title(void)
{
	const struct vm *vm = picture.vm;
	const struct vm_options *options = &vm->options;
	char text[192], size[TEXT_SIZE_ROOM];

	snprintf(text, sizeof(text), "Nestling on %s, %s. Guest: %s. A cell is %s of its memory.", arch_isa_name(),
		 arch_virt_name(), options->guest[0] ? options->guest : options->demo, text_size(size, BIT(vm->blocks.shift)));
	draw_text(picture.grid.x - ADDRESS_CHARS * FONT_ADVANCE * picture.scale, FONT_HEIGHT * picture.scale, text);
}

/* Where rows begin, of as many rows as there is room for: the address of the first cell. */
static void draw_addresses(void)
{
	uint32_t every = (FONT_LINE * picture.scale + picture.pitch - 1) / picture.pitch * picture.columns;

	for (uint32_t block = 0; block < picture.vm->blocks.count; block += every) {
		char text[ADDRESS_CHARS + 8];
		uint64_t size;
		gpa_t gpa;

		block_range(picture.vm, block, &gpa, &size);
		snprintf(text, sizeof(text), "0x%011lx", gpa.raw);
		draw_text(picture.grid.x - ADDRESS_CHARS * FONT_ADVANCE * picture.scale,
			  picture.grid.y + block / picture.columns * picture.pitch, text);
	}
}

/* Rows as long as makes the cells largest. */
static void lay_out(const struct framebuffer_part *canvas, unsigned count)
{
	uint32_t scale = framebuffer_text_scale(), margin = FONT_HEIGHT * scale, top = 3 * margin;
	uint32_t column = COLUMN_CHARS * FONT_ADVANCE * scale, addresses = ADDRESS_CHARS * FONT_ADVANCE * scale;

	picture.scale = scale;
	picture.grid = (struct framebuffer_part){ canvas->x + margin + addresses, canvas->y + top,
						  canvas->width - addresses - column - 3 * margin, canvas->height - top - margin };
	picture.column = (struct framebuffer_part){ picture.grid.x + picture.grid.width + margin, picture.grid.y, column,
						    picture.grid.height };
	picture.pitch = 0;
	for (uint32_t columns = 8; columns <= 256; columns += 8) {
		uint32_t rows = (count + columns - 1) / columns;
		uint32_t pitch = (uint32_t)min_u64(picture.grid.width / columns, picture.grid.height / rows);

		if (pitch <= picture.pitch)
			continue;
		picture.pitch = pitch;
		picture.columns = columns;
	}
}

static void mark_stale(unsigned block)
{
	picture.stale[block / 64] |= BIT(block % 64);
}

static void mark_all_stale(void)
{
	memset(picture.stale, 0xff, sizeof(picture.stale));
}

/* A block that is not done when the leaves are used up is gone on with the next time. True: it is done. */
static bool redraw_block(unsigned block, unsigned *leaves)
{
	uint64_t size;
	gpa_t gpa;

	block_range(picture.vm, block, &gpa, &size);
	if (!picture.surveying)
		picture.survey = (struct addr_space_survey){ .next = gpa };
	picture.surveying = !block_survey(picture.vm, block, leaves, &picture.survey);
	if (picture.surveying)
		return false;
	draw_cell(block, block_look(&picture.survey, size, block_was_discarded(picture.vm, block)));
	picture.stale[block / 64] &= ~BIT(block % 64);
	return true;
}

/* The first block from `from` on that is to be looked at; the number of blocks if there is none. */
static unsigned next_stale(unsigned from)
{
	unsigned count = picture.vm->blocks.count;

	while (from < count) {
		uint64_t word = picture.stale[from / 64] >> from % 64;

		if (word & 1)
			return from;
		from = word ? from + 1 : (from / 64 + 1) * 64;
	}
	return count;
}

/* Once round, or as far as the leaves go. */
static void redraw(unsigned leaves)
{
	for (unsigned round = 0; round < 2 && leaves > 0; round++) {
		while ((picture.next = next_stale(picture.next)) < picture.vm->blocks.count && leaves > 0) {
			if (!redraw_block(picture.next, &leaves))
				return;
			leaves -= (unsigned)min_u64(leaves, BLOCK_LEAVES);
		}
		if (leaves > 0)
			picture.next = 0;
	}
}

/* Mark the blocks of a range as stale. The range comes from the guest and may be invalid. */
static void mark_range(uint64_t start, uint64_t size)
{
	unsigned last = block_at(picture.vm, GPA(start + size - 1));

	for (unsigned block = block_at(picture.vm, GPA(start)); block <= last && block < picture.vm->blocks.count; block++)
		mark_stale(block);
}

static void note_hypercall(const struct hypercall *call)
{
	if (call->number == HYPERCALL_FORK)
		mark_all_stale();
	if (call->number == HYPERCALL_DISCARD)
		mark_range(call->arg[0], call->arg[1]);
}

static void draw_frame(const struct framebuffer_part *canvas)
{
	struct vm *vm = picture.vm;

	memset(&picture, 0, sizeof(picture));
	memset(picture.drawn, NO_LOOK, sizeof(picture.drawn));
	picture.vm = vm;
	picture.tree = vm->tree;
	framebuffer_fill(*canvas, FRAMEBUFFER_BLACK);
	lay_out(canvas, vm->blocks.count);
	draw_title();
	draw_addresses();
	draw_legend();
	for (unsigned block = 0; block < vm->blocks.count; block++)
		draw_cell(block, LOOK_NOTHING);
}

/* VMs of a fork tree have the same memory: only cells that differ are drawn. */
static void show(struct vm *vm)
{
	struct framebuffer_part canvas;

	if (picture.vm == vm || !framebuffer_canvas(&canvas))
		return;
	picture.vm = vm;
	if (picture.tree != vm->tree)
		draw_frame(&canvas);
	picture.draws = 0;
	picture.others = 0;
	picture.surveying = false;
	picture.next = 0;
	mark_all_stale();
}

static void draw(void)
{
	picture.exits = 0;
	picture.draws++;
	for (unsigned i = 0; i < SWEEP_BLOCKS; i++) {
		mark_stale(picture.sweep);
		picture.sweep = (picture.sweep + 1) % picture.vm->blocks.count;
	}
	redraw(REDRAW_LEAVES);
	draw_counters();
}

/* Of a VM that ends while another one is shown its end is shown. */
static void take_turns(struct vm *vm)
{
	if (picture.vm == vm)
		return;
	picture.others++;
	if (picture.vm && picture.draws < TURN_DRAWS && picture.others < TURN_EXITS)
		return;
	show(vm);
	draw();
}

void picture_exit(struct vm *vm, const struct vm_exit *exit)
{
	/* Another CPU may be drawing: what this exit has changed is found by one of the next sweeps. */
	if (!spin_trylock(&lock))
		return;
	take_turns(vm);
	if (picture.vm == vm) {
		if (exit->kind == VM_EXIT_FAULT)
			mark_range(exit->fault.gpa.raw, 1);
		else if (exit->kind == VM_EXIT_HYPERCALL)
			note_hypercall(&exit->hypercall);
		if (++picture.exits >= REDRAW_EXITS)
			draw();
	}
	spin_unlock(&lock);
}

void picture_end(struct vm *vm)
{
	if (!picture_wanted())
		return;
	spin_lock(&lock);
	show(vm);
	picture.surveying = false;
	mark_all_stale();
	picture.next = 0;
	redraw(UINT32_MAX);
	draw_counters();
	picture.vm = NULL;
	spin_unlock(&lock);
}

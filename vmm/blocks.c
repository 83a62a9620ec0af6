/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest memory in blocks. */
#include "vmm/blocks.h"

#include <string.h>

#include "vmm/vm.h"

/* Blocks get smaller than a large leaf as long as there are no more of them than this. */
#define FEW_BLOCKS 512

const char *const look_names[LOOK_PAGES + 1] = {
	[LOOK_NOTHING] = "nothing", [LOOK_DISCARDED] = "discarded", [LOOK_ZEROS] = "zero page",
	[LOOK_SHARED] = "shared",   [LOOK_LARGE] = "2 MiB leaf",    [LOOK_PAGES] = "4 KiB pages",
};

static unsigned blocks_of(uint64_t bytes, unsigned shift)
{
	return (unsigned)min_u64(align_up(bytes, BIT(shift)) >> shift, BLOCKS_MAX + 1);
}

static unsigned count_blocks(const struct vm *vm, unsigned shift)
{
	unsigned count = 0;

	for (size_t i = 0; i < vm->ram_ranges; i++)
		count += blocks_of(vm->ram[i].size, shift);
	return count;
}

void blocks_start(struct vm *vm)
{
	unsigned shift = PAGE_SHIFT + NPT_INDEX_BITS;

	while (count_blocks(vm, shift) > BLOCKS_MAX)
		shift++;
	while (shift > PAGE_SHIFT && count_blocks(vm, shift - 1) <= FEW_BLOCKS)
		shift--;
	vm->blocks.shift = shift;
	vm->blocks.count = count_blocks(vm, shift);
	memset(vm->blocks.discarded, 0, sizeof(vm->blocks.discarded));
}

void block_range(const struct vm *vm, unsigned block, gpa_t *gpa, uint64_t *size)
{
	const struct ram_range_gpa *ram = vm->ram;
	uint64_t offset;

	for (unsigned here; block >= (here = blocks_of(ram->size, vm->blocks.shift)); block -= here)
		ram++;
	offset = (uint64_t)block << vm->blocks.shift;
	*gpa = GPA(ram->start.raw + offset);
	*size = min_u64(BIT(vm->blocks.shift), ram->size - offset);
}

unsigned blocks_piece_end(const struct vm *vm, unsigned block)
{
	unsigned end = 0;

	for (const struct ram_range_gpa *ram = vm->ram; end <= block; ram++)
		end += blocks_of(ram->size, vm->blocks.shift);
	return end;
}

unsigned block_at(const struct vm *vm, gpa_t gpa)
{
	unsigned before = 0;

	for (size_t i = 0; i < vm->ram_ranges; i++) {
		const struct ram_range_gpa *ram = &vm->ram[i];

		if (gpa.raw - ram->start.raw < ram->size)
			return before + (unsigned)((gpa.raw - ram->start.raw) >> vm->blocks.shift);
		before += blocks_of(ram->size, vm->blocks.shift);
	}
	return vm->blocks.count;
}

void blocks_discarded(struct vm *vm, gpa_t gpa, uint64_t size)
{
	unsigned last = block_at(vm, GPA(gpa.raw + size - 1));

	for (unsigned block = block_at(vm, gpa); block <= last && block < vm->blocks.count; block++)
		__atomic_or_fetch(&vm->blocks.discarded[block / 64], BIT(block % 64), __ATOMIC_RELAXED);
}

bool block_was_discarded(const struct vm *vm, unsigned block)
{
	return __atomic_load_n(&vm->blocks.discarded[block / 64], __ATOMIC_RELAXED) & BIT(block % 64);
}

bool block_survey(struct vm *vm, unsigned block, unsigned *leaves, struct addr_space_survey *survey)
{
	uint64_t size;
	gpa_t gpa;
	enum err err = ERR_OK;

	block_range(vm, block, &gpa, &size);
	if (*leaves > 0)
		err = addr_space_survey(&vm->as, survey->next, gpa.raw + size - survey->next.raw, leaves, survey);
	/* A malformed entry is reported where it is used; here it counts as not mapped. */
	return err != ERR_OK || survey->next.raw == gpa.raw + size;
}

enum block_look block_look(const struct addr_space_survey *survey, uint64_t size, bool was_discarded)
{
	uint64_t memory = survey->pages + survey->large + survey->shared;

	if (memory == 0 && survey->zeros == 0)
		return was_discarded ? LOOK_DISCARDED : LOOK_NOTHING;
	if (memory == 0)
		return LOOK_ZEROS;
	if (survey->shared >= survey->pages + survey->large)
		return LOOK_SHARED;
	if (survey->large >= survey->pages + survey->shared)
		return LOOK_LARGE;
	if (memory == size)
		return LOOKS - 1;
	return LOOK_PAGES + (enum block_look)(memory / PAGE_SIZE * (LOOK_SHADES - 1) / (size / PAGE_SIZE));
}

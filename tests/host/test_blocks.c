/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest RAM in blocks: each byte in one, few enough of them, and what is shown of each. */
#include "vmm/blocks.h"

#include <stdlib.h>
#include <string.h>

#include "tests/host/host.h"
#include "vmm/vm.h"

static struct vm *vm;

static int setup(void **state)
{
	(void)state;
	vm = host_zeros(sizeof(*vm));
	return vm ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	free(vm);
	return 0;
}

static void start(uint64_t first, uint64_t first_size, uint64_t second, uint64_t second_size)
{
	vm->ram[0] = (struct ram_range_gpa){ GPA(first), first_size };
	vm->ram[1] = (struct ram_range_gpa){ GPA(second), second_size };
	vm->ram_ranges = second_size ? 2 : 1;
	blocks_start(vm);
}

/* In order, without a hole or an overlap, each range from its start to its end. */
static void check_blocks(void)
{
	const struct blocks *blocks = &vm->blocks;
	uint64_t at = vm->ram[0].start.raw;
	size_t range = 0;

	CHECK(blocks->count > 0 && blocks->count <= BLOCKS_MAX, "%u blocks", blocks->count);
	for (unsigned block = 0; block < blocks->count; block++) {
		uint64_t size;
		gpa_t gpa;

		if (at == vm->ram[range].start.raw + vm->ram[range].size)
			at = vm->ram[++range].start.raw;
		block_range(vm, block, &gpa, &size);
		CHECK_EQ(gpa.raw, at);
		CHECK(size > 0 && size <= BIT(blocks->shift), "block %u is of %#jx bytes", block, (uintmax_t)size);
		CHECK_EQ(block_at(vm, gpa), block);
		CHECK_EQ(block_at(vm, GPA(gpa.raw + size - 1)), block);
		at += size;
	}
	CHECK_EQ(at, vm->ram[vm->ram_ranges - 1].start.raw + vm->ram[vm->ram_ranges - 1].size);
	CHECK_EQ(block_at(vm, GPA(at)), blocks->count);
	CHECK_EQ(block_at(vm, GPA(UINT64_MAX)), blocks->count);
}

static void all_ram_is_in_blocks(void **state)
{
	static const uint64_t sizes[] = {
		KIB(4),
		KIB(8),
		MIB(1),
		MIB(2),
		MIB(2) + KIB(4),
		MIB(3) - KIB(4),
		MIB(64),
		MIB(258),
		GIB(1),
		GIB(3) + MIB(1),
		GIB(8),
		GIB(8) + KIB(4),
		GIB(64),
		GIB(64) + KIB(4),
		TIB(1),
		TIB(200) + KIB(12),
		TIB(256) - GIB(1),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		start(0x80000000, sizes[i], 0, 0);
		check_blocks();
		start(0, GIB(3), GIB(4), sizes[i]);
		check_blocks();
		start(GIB(1), KIB(4), GIB(2), sizes[i]);
		check_blocks();
		CHECK_EQ(block_at(vm, GPA(0)), vm->blocks.count);
		CHECK_EQ(block_at(vm, GPA(GIB(1) + KIB(4))), vm->blocks.count);
	}
}

static void blocks_are_as_large_as_people_expect(void **state)
{
	static const struct {
		uint64_t ram;
		unsigned shift, count;
	} expected[] = {
		{ MIB(2), 12, 512 },  { MIB(4), 13, 512 },  { MIB(256), 19, 512 }, { GIB(1), 21, 512 },
		{ GIB(2), 21, 1024 }, { GIB(8), 21, 4096 }, { GIB(16), 22, 4096 }, { GIB(64), 24, 4096 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
		start(0x40000000, expected[i].ram, 0, 0);
		CHECK_EQ(vm->blocks.shift, expected[i].shift);
		CHECK_EQ(vm->blocks.count, expected[i].count);
	}
}

static void discarded_blocks_are_remembered(void **state)
{
	(void)state;
	start(0, GIB(3), GIB(4), GIB(1));
	for (unsigned block = 0; block < vm->blocks.count; block++)
		CHECK(!block_was_discarded(vm, block), "block %u", block);
	blocks_discarded(vm, GPA(MIB(4) + KIB(4)), MIB(2));
	blocks_discarded(vm, GPA(MIB(20)), MIB(2));
	blocks_discarded(vm, GPA(GIB(5) - KIB(4)), KIB(4));
	for (unsigned block = 0; block < vm->blocks.count; block++)
		CHECK_EQ(block_was_discarded(vm, block), block == 2 || block == 3 || block == 10 || block + 1 == vm->blocks.count);
	blocks_start(vm);
	CHECK(!block_was_discarded(vm, 2), "still");
}

static void a_block_looks_like_most_of_its_memory(void **state)
{
	static const struct {
		struct addr_space_survey survey;
		enum block_look look;
	} cases[] = {
		{ { 0 }, LOOK_NOTHING },
		{ { .zeros = KIB(4) }, LOOK_ZEROS },
		{ { .zeros = MIB(2) }, LOOK_ZEROS },
		{ { .pages = KIB(4) }, LOOK_PAGES },
		{ { .pages = KIB(4), .zeros = MIB(2) - KIB(4) }, LOOK_PAGES },
		{ { .pages = MIB(1) }, LOOK_PAGES + 4 },
		{ { .pages = MIB(2) - KIB(4) }, LOOKS - 2 },
		{ { .pages = MIB(2) }, LOOKS - 1 },
		{ { .large = MIB(2) }, LOOK_LARGE },
		{ { .large = MIB(1), .pages = KIB(512) }, LOOK_LARGE },
		{ { .large = KIB(512), .pages = MIB(1) + KIB(512) }, LOOKS - 1 },
		{ { .shared = KIB(8), .pages = KIB(8) }, LOOK_SHARED },
		{ { .shared = KIB(4), .pages = KIB(8) }, LOOK_PAGES },
		{ { .shared = KIB(4), .zeros = MIB(1) }, LOOK_SHARED },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CHECK_EQ(block_look(&cases[i].survey, MIB(2), false), cases[i].look);
		CHECK_EQ(block_look(&cases[i].survey, MIB(2), true), i == 0 ? LOOK_DISCARDED : cases[i].look);
	}
	/* Every shade is somebody's, and none is passed over. */
	for (uint64_t pages = 1, last = LOOK_PAGES; pages <= 512; pages++) {
		struct addr_space_survey survey = { .pages = pages * PAGE_SIZE };
		enum block_look look = block_look(&survey, MIB(2), false);

		CHECK(look == last || look == last + 1, "%u after %u", look, (unsigned)last);
		last = look;
		CHECK_EQ(look == LOOKS - 1, pages == 512);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_ram_is_in_blocks),
		cmocka_unit_test(blocks_are_as_large_as_people_expect),
		cmocka_unit_test(discarded_blocks_are_remembered),
		cmocka_unit_test(a_block_looks_like_most_of_its_memory),
	};

	return cmocka_run_group_tests_name("blocks", tests, setup, teardown);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* See tests/fuzz/guest.h. */
#include "tests/fuzz/guest.h"

#include <stdlib.h>
#include <string.h>

#include "tests/host/formats.h"
#include "tests/host/ram.h"

#define HOST_RAM MIB(4)

static void add_ram(struct vm *vm, uint64_t start, uint64_t size)
{
	if (size == 0)
		return;
	vm->ram[vm->ram_ranges].start = GPA(start);
	vm->ram[vm->ram_ranges++].size = size;
	CHECK_ERR(addr_space_map_alloc(&vm->as, GPA(start), size, NPT_RWX, ALLOC_LAZY_4K), ERR_OK);
}

struct vm *guest_new(uint64_t start, uint64_t size, uint64_t high_start, uint64_t high_size)
{
	static struct ram ram;
	static struct vm *vm;

	if (!vm) {
		vm = host_zeros(sizeof(*vm));
		assert_non_null(vm);
		ram_open(&ram, GIB(16), HOST_RAM, true);
		CHECK_ERR(addr_space_new(&vm->as, formats[0].ops, &formats[0].config, NULL), ERR_OK);
	}
	addr_space_clear(&vm->as);
	vm->ram_ranges = 0;
	add_ram(vm, start, size);
	add_ram(vm, high_start, high_size);
	return vm;
}

void guest_expect(struct vm *vm, uint64_t gpa, const void *bytes, uint64_t size)
{
	uint8_t *back = malloc(size ? size : 1);

	assert_non_null(back);
	CHECK_ERR(addr_space_read(&vm->as, GPA(gpa), back, size), ERR_OK);
	CHECK(memcmp(back, bytes, size) == 0, "%ju bytes at %#jx are not the file's", (uintmax_t)size, (uintmax_t)gpa);
	free(back);
}

uint64_t guest_resident(struct vm *vm)
{
	return addr_space_get_stats(&vm->as).resident;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* See tests/host/host_vm.h. */
#include "tests/host/host_vm.h"

#include <stdlib.h>

#include "tests/host/formats.h"

struct vm *host_vm_new(struct ram *ram, uint64_t start, uint64_t size)
{
	struct vm *vm = host_zeros(sizeof(*vm));

	assert_non_null(vm);
	ram_open(ram, GIB(16), MIB(4), true);
	CHECK_ERR(addr_space_new(&vm->as, formats[0].ops, &formats[0].config, NULL), ERR_OK);
	vm->ram[0].start = GPA(start);
	vm->ram[0].size = size;
	vm->ram_ranges = 1;
	CHECK_ERR(addr_space_map_alloc(&vm->as, GPA(start), size, NPT_RWX, ALLOC_LAZY_4K), ERR_OK);
	return vm;
}

void host_vm_free(struct ram *ram, struct vm *vm)
{
	addr_space_free(&vm->as);
	free(vm);
	ram_release(ram);
	ram_close(ram);
}

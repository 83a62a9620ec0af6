/* SPDX-License-Identifier: BSD-2-Clause */
/* The windows of a VM's disks. */
#include "vmm/disks.h"

#include "vmm/guest_file.h"

/* Above what 32 bits reach, where there may be devices. */
#define WINDOWS_FROM GIB(4)
/* What large leaves map. */
#define WINDOW_ALIGN MIB(2)

static uint64_t window_size(const struct vm *vm, unsigned number)
{
	return align_up(disks_size(vm, number), PAGE_SIZE);
}

gpa_t disks_window(const struct vm *vm, unsigned number)
{
	const struct ram_range_gpa *top = &vm->ram[vm->ram_ranges - 1];
	uint64_t at = max_u64(align_up(top->start.raw + top->size, WINDOW_ALIGN), WINDOWS_FROM);

	for (unsigned i = 0; i < number; i++)
		at += align_up(window_size(vm, i), WINDOW_ALIGN);
	return GPA(at);
}

/* The first write to a page is a fault like any other. */
static enum err map_disk(struct vm *vm, unsigned number)
{
	gpa_t window = disks_window(vm, number);
	uint64_t size = window_size(vm, number);
	enum err err = addr_space_map_alloc(&vm->as, window, size, NPT_RW, ALLOC_LAZY_4K);

	if (err == ERR_OK)
		err = guest_file_map(vm, &vm->options.disk_files[number], size, window);
	if (err == ERR_OK && vm->options.disk[number].read_only)
		err = addr_space_protect(&vm->as, window, size, NPT_R);
	return err;
}

enum err disks_map(struct vm *vm)
{
	enum err err = ERR_OK;

	for (unsigned i = 0; i < vm->options.disks && err == ERR_OK; i++)
		err = map_disk(vm, i);
	return err;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * x86: bzImages. Input: a byte that says how much guest RAM there is, and the file. It is none, is refused with a reason, or its
 * kernel lies in RAM above the boot data, where it prefers to or aligned, with room for what it says it takes.
 */
#include "vmm/x86_64/bzimage.c"

#include <stdlib.h>

#include "tests/fuzz/guest.h"

gpa_t arch_guest_load_floor(const struct vm *vm)
{
	(void)vm;
	return GPA(MIB(1));
}

static void check_loaded(struct vm *vm, const uint8_t *file, size_t size, gpa_t entry)
{
	const struct setup_header *header = (const struct setup_header *)(file + SETUP_HEADER_AT);
	size_t start = (header->setup_sects ? header->setup_sects + 1 : 5) * 512, length = (size_t)header->syssize * 16;
	uint64_t at = entry.raw - 0x200;

	CHECK(start + length <= size && length > 0x200, "%zu and %zu of %zu bytes", start, length, size);
	CHECK(at >= MIB(1), "%#jx", (uintmax_t)at);
	CHECK(at == header->pref_address || (header->relocatable_kernel && is_aligned(at, header->kernel_alignment)), "%#jx",
	      (uintmax_t)at);
	CHECK(vm_is_ram(vm, GPA(at), max_u64(length, header->init_size)), "%#jx", (uintmax_t)at);
	CHECK(vm->image.start.raw == at && vm_is_ram(vm, vm->image.start, vm->image.size), "image");
	guest_expect(vm, at, file + start, length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t where = size > 0 ? data[0] : 0;
	struct vm *vm = guest_new(0, MIB(2) + (where & 15) * MIB(2), where & 16 ? GIB(4) : 0, where & 16 ? MIB(8) : 0);
	uint8_t *file;
	gpa_t entry;
	char why[160];

	if (size == 0)
		return 0;
	memset(vm->options.cmdline, 'x', where & 32 ? 300 : 0);
	vm->options.cmdline[where & 32 ? 300 : 0] = '\0';
	file = fuzz_copy(data + 1, --size);
	if (bzimage_is(file, size)) {
		const struct guest_image image = { .bytes = file, .size = size };

		strcpy(why, "");
		if (bzimage_load(vm, &image, &entry, why, sizeof(why)) == ERR_OK) {
			check_loaded(vm, file, size, entry);
		} else {
			fuzz_check_reason(why, sizeof(why));
			CHECK_EQ(guest_resident(vm), 0);
		}
	}
	free(file);
	return 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Raw Linux images. Input: a byte that says where guest RAM and the boot data are, and the file. It is no such image, is
 * refused with a reason, or lies in RAM above the boot data, aligned as it must be.
 */
#include "vmm/linux_image.h"

#include <stdlib.h>
#include <string.h>

#include "include/arch/virt.h"
#include "tests/fuzz/guest.h"

#define MAGIC 0x644d5241
#define RAM   MIB(32)

static uint64_t floor_gpa;

/* The first byte's lowest bit: AArch64's, or RISC-V's. */
static struct linux_rules rules;

const struct linux_rules *arch_linux_rules(void)
{
	return &rules;
}

const char *arch_linux_refuses(uint64_t flags)
{
	return flags & BIT(60) ? "refused" : NULL;
}

gpa_t arch_guest_load_floor(const struct vm *vm)
{
	(void)vm;
	return GPA(floor_gpa);
}

static void check_loaded(struct vm *vm, const uint8_t *file, size_t size, gpa_t entry)
{
	uint64_t text_offset, image_size;

	memcpy(&text_offset, file + 8, sizeof(text_offset));
	memcpy(&image_size, file + 16, sizeof(image_size));
	if (image_size == 0)
		text_offset = rules.old_text_offset;
	CHECK(text_offset > 0 || image_size > 0, "nobody knows how large it is");
	CHECK(is_aligned(text_offset, rules.align), "%#jx", (uintmax_t)text_offset);
	CHECK(entry.raw >= floor_gpa, "%#jx is below the floor", (uintmax_t)entry.raw);
	CHECK(is_aligned(entry.raw - text_offset, MIB(2)), "%#jx", (uintmax_t)entry.raw);
	CHECK(vm_is_ram(vm, entry, max_u64(size, image_size)), "%#jx", (uintmax_t)entry.raw);
	guest_expect(vm, entry.raw, file, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint64_t starts[] = { 0, GIB(1), GIB(2) + MIB(1), GIB(3) - PAGE_SIZE };
	uint8_t where = size > 0 ? data[0] : 0;
	uint64_t start = starts[where & 3];
	struct vm *vm = guest_new(start, RAM, 0, 0);
	uint8_t *file;
	gpa_t entry;
	char why[96];
	enum err err;

	if (size == 0)
		return 0;
	rules = (struct linux_rules){ .magic = MAGIC,
				      .align = where & 1 ? MIB(2) : 4,
				      .old_text_offset = where & 1 ? 0 : KIB(512) };
	floor_gpa = start + (where >> 2) * KIB(64);
	file = fuzz_copy(data + 1, --size);
	if (linux_image_is(file, size)) {
		const struct guest_image image = { .bytes = file, .size = size };

		err = linux_image_load(vm, &image, &entry, why, sizeof(why));
		if (err == ERR_OK) {
			check_loaded(vm, file, size, entry);
		} else {
			fuzz_check_reason(why, sizeof(why));
			CHECK_EQ(guest_resident(vm), 0);
		}
	}
	free(file);
	return 0;
}

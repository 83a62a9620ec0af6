/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * x86: bzImages. Input: a byte that says how much guest RAM there is, and the file. It is none, is refused with a reason, or its
 * kernel lies in RAM above the boot data, where it prefers to or aligned, with room for what it says it takes: as it is in the
 * file, or if that can be unpacked, as it is then.
 */
#include "vmm/x86_64/bzimage.c"
#include "vmm/x86_64/vmlinux.c"
#include "vmm/x86_64/unzstd.c"

#include <stdlib.h>

#include "tests/fuzz/guest.h"

gpa_t arch_guest_load_floor(const struct vm *vm)
{
	(void)vm;
	return GPA(MIB(1));
}

uint16_t arch_elf_machine(void)
{
	return 62; /* System V ABI, AMD64 supplement: EM_X86_64 */
}

static void check_place(struct vm *vm, const struct setup_header *header, uint64_t at)
{
	CHECK(at >= MIB(1), "%#jx", (uintmax_t)at);
	CHECK(at == header->pref_address || (header->relocatable_kernel && is_aligned(at, header->kernel_alignment)), "%#jx",
	      (uintmax_t)at);
	CHECK(vm_is_ram(vm, GPA(at), header->init_size), "%#jx", (uintmax_t)at);
	CHECK(vm->image.start.raw == at && vm_is_ram(vm, vm->image.start, vm->image.size), "image");
}

static void check_loaded(struct vm *vm, const uint8_t *file, size_t size, gpa_t entry)
{
	const struct setup_header *header = (const struct setup_header *)(file + SETUP_HEADER_AT);
	size_t start = (header->setup_sects ? header->setup_sects + 1 : 5) * 512, length = (size_t)header->syssize * 16;
	uint64_t at = entry.raw - 0x200;

	CHECK(start + length <= size && length > 0x200, "%zu and %zu of %zu bytes", start, length, size);
	check_place(vm, header, at);
	CHECK(vm_is_ram(vm, GPA(at), length), "%#jx", (uintmax_t)at);
	guest_expect(vm, at, file + start, length);
}

static void check_segments(struct vm *vm, const struct guest_image *image, gpa_t entry)
{
	const struct setup_header *header = (const struct setup_header *)((const uint8_t *)image->bytes + SETUP_HEADER_AT);
	const uint8_t *kernel = image->unpacked->bytes;
	uint64_t at = vm->image.start.raw, moved = at - header->pref_address;
	struct elf_header elf;

	memcpy(&elf, kernel, sizeof(elf));
	check_place(vm, header, at);
	CHECK(entry.raw - at < header->init_size, "%#jx", (uintmax_t)entry.raw);
	for (unsigned i = 0; i < elf.phnum; i++) {
		struct elf_segment segment;

		memcpy(&segment, kernel + elf.phoff + i * sizeof(segment), sizeof(segment));
		if (segment.type != PT_LOAD || segment.filesz == 0)
			continue;
		CHECK(segment.offset + segment.filesz <= image->unpacked->size, "segment %u", i);
		CHECK(segment.paddr + moved >= at && segment.paddr + moved - at + segment.filesz <= vm->image.size, "segment %u",
		      i);
		guest_expect(vm, segment.paddr + moved, kernel + segment.offset, segment.filesz);
	}
}

/* What is said to be larger than it may be for a fuzzer's memory is not unpacked here. */
#define UNPACKED_MAX MIB(1)

/* Without a kernel that can be loaded, the file's own is, unless it is said to be damaged. */
static void unpack(struct guest_image *image)
{
	static struct guest_image kernel;
	static uint64_t work[KIB(128) / 8];
	struct packed_kernel packed;
	size_t used;
	uint8_t *to;
	enum err err;

	if (!bzimage_find_packed(image->bytes, image->size, &packed) || packed.unpacked > UNPACKED_MAX)
		return;
	CHECK(packed.work <= sizeof(work), "%zu", packed.work);
	CHECK(packed.head <= image->size, "%zu", packed.head);
	to = malloc(packed.unpacked);
	assert_non_null(to);
	err = bzimage_unpack(image->bytes, &packed, to, work, &used);
	image->damaged = err == ERR_CORRUPT;
	if (err == ERR_OK) {
		CHECK(used <= packed.unpacked, "%zu", used);
		kernel = (struct guest_image){ .bytes = to, .size = used };
		image->unpacked = &kernel;
		image->size = packed.head;
	} else {
		free(to);
	}
}

static void load(struct vm *vm, const uint8_t *file, size_t size)
{
	struct guest_image image = { .bytes = file, .size = size };
	char why[160] = "";
	gpa_t entry;

	unpack(&image);
	if (bzimage_load(vm, &image, &entry, why, sizeof(why)) != ERR_OK) {
		fuzz_check_reason(why, sizeof(why));
		CHECK_EQ(guest_resident(vm), 0);
	} else if (image.unpacked) {
		check_segments(vm, &image, entry);
	} else {
		CHECK(!image.damaged, "it is loaded");
		check_loaded(vm, file, size, entry);
	}
	if (image.unpacked)
		free((void *)(uintptr_t)image.unpacked->bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t where = size > 0 ? data[0] : 0;
	struct vm *vm = guest_new(0, MIB(2) + (where & 15) * MIB(2), where & 16 ? GIB(4) : 0, where & 16 ? MIB(8) : 0);
	uint8_t *file;

	if (size == 0)
		return 0;
	memset(vm->options.cmdline, 'x', where & 32 ? 300 : 0);
	vm->options.cmdline[where & 32 ? 300 : 0] = '\0';
	file = fuzz_copy(data + 1, --size);
	if (bzimage_is(file, size))
		load(vm, file, size);
	free(file);
	return 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest programs: input, the file. Refused whole with a reason, or loaded as its program headers say. */
#include "vmm/elf.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "include/arch/virt.h"
#include "tests/fuzz/guest.h"

#define FLOOR MIB(1)

uint16_t arch_elf_machine(void)
{
	return EM_RISCV;
}

enum elf_relocation arch_elf_relocation(uint32_t type)
{
	static const enum elf_relocation types[] = {
		[R_RISCV_NONE] = ELF_RELOCATION_NONE,
		[R_RISCV_64] = ELF_RELOCATION_SYMBOL,
		[R_RISCV_RELATIVE] = ELF_RELOCATION_RELATIVE,
	};

	return type < ARRAY_LEN(types) ? types[type] : ELF_RELOCATION_OTHER;
}

gpa_t arch_guest_load_floor(const struct vm *vm)
{
	(void)vm;
	return GPA(FLOOR);
}

/* The loader's own reading is not to be trusted here. What relocations change is not looked at. */
static void check_loaded(struct vm *vm, const uint8_t *file, gpa_t entry)
{
	Elf64_Ehdr header;
	uint64_t bias;
	bool entered = false, relocated = false;

	memcpy(&header, file, sizeof(header));
	CHECK_EQ(header.e_machine, EM_RISCV);
	bias = header.e_type == ET_DYN ? entry.raw - header.e_entry : 0;
	CHECK(bias % MIB(2) == 0, "moved by %#jx", (uintmax_t)bias);
	for (unsigned i = 0; i < header.e_phnum; i++) {
		Elf64_Phdr segment;

		memcpy(&segment, file + header.e_phoff + i * sizeof(segment), sizeof(segment));
		relocated |= segment.p_type == PT_DYNAMIC;
	}
	for (unsigned i = 0; i < header.e_phnum; i++) {
		Elf64_Phdr segment;
		uint64_t start;

		memcpy(&segment, file + header.e_phoff + i * sizeof(segment), sizeof(segment));
		if (segment.p_type != PT_LOAD || segment.p_memsz == 0)
			continue;
		start = header.e_type == ET_DYN ? segment.p_vaddr + bias : segment.p_paddr;
		CHECK(start >= FLOOR && vm_is_ram(vm, GPA(start), segment.p_memsz), "segment %u", i);
		if (segment.p_filesz && !relocated)
			guest_expect(vm, start, file + segment.p_offset, segment.p_filesz);
		entered |= entry.raw - start < segment.p_filesz &&
			   (entry.raw - start == header.e_entry - segment.p_vaddr || entry.raw == header.e_entry);
	}
	CHECK(entered, "entry %#jx is in no segment", (uintmax_t)entry.raw);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vm *vm = guest_new(0, MIB(8), GIB(4), MIB(2));
	uint8_t *file = fuzz_copy(data, size);
	gpa_t entry;
	char why[64];
	enum err err = elf_load(vm, file, size, &entry, why, sizeof(why));

	if (err == ERR_OK) {
		check_loaded(vm, file, entry);
	} else {
		fuzz_check_reason(why, sizeof(why));
		CHECK_EQ(guest_resident(vm), 0);
	}
	free(file);
	return 0;
}

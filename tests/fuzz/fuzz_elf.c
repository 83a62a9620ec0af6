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

gpa_t arch_guest_load_floor(const struct vm *vm)
{
	(void)vm;
	return GPA(FLOOR);
}

/* The loader's own reading is not to be trusted here. */
static void check_loaded(struct vm *vm, const uint8_t *file, gpa_t entry)
{
	Elf64_Ehdr header;
	bool entered = false;

	memcpy(&header, file, sizeof(header));
	CHECK_EQ(header.e_machine, EM_RISCV);
	for (unsigned i = 0; i < header.e_phnum; i++) {
		Elf64_Phdr segment;

		memcpy(&segment, file + header.e_phoff + i * sizeof(segment), sizeof(segment));
		if (segment.p_type != PT_LOAD || segment.p_memsz == 0)
			continue;
		CHECK(segment.p_paddr >= FLOOR && vm_is_ram(vm, GPA(segment.p_paddr), segment.p_memsz), "segment %u", i);
		guest_expect(vm, segment.p_paddr, file + segment.p_offset, segment.p_filesz);
		entered |= entry.raw - segment.p_paddr < segment.p_memsz &&
			   entry.raw - segment.p_paddr == header.e_entry - segment.p_vaddr;
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

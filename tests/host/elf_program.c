/* SPDX-License-Identifier: BSD-2-Clause */
/* See tests/host/elf_program.h. */
#include "tests/host/elf_program.h"

#include <stdlib.h>
#include <string.h>

#include "include/arch/virt.h"
#include "tests/host/formats.h"

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

struct ram program_ram;
struct vm *program_vm;
struct program program;

void set_segment(unsigned i, uint64_t paddr, uint64_t offset, uint64_t filesz, uint64_t memsz)
{
	program.segments[i] = (Elf64_Phdr){
		.p_type = PT_LOAD,
		.p_flags = PF_R | PF_W | PF_X,
		.p_offset = BYTES_AT + offset,
		.p_vaddr = paddr,
		.p_paddr = paddr,
		.p_filesz = filesz,
		.p_memsz = memsz,
		.p_align = KIB(4),
	};
}

void make_program(void)
{
	memset(&program, 0, sizeof(program));
	memcpy(program.header.e_ident, ELFMAG, SELFMAG);
	program.header.e_ident[EI_CLASS] = ELFCLASS64;
	program.header.e_ident[EI_DATA] = ELFDATA2LSB;
	program.header.e_ident[EI_VERSION] = EV_CURRENT;
	program.header.e_type = ET_EXEC;
	program.header.e_machine = EM_RISCV;
	program.header.e_version = EV_CURRENT;
	program.header.e_entry = MIB(1) + 0x100;
	program.header.e_phoff = sizeof(Elf64_Ehdr);
	program.header.e_ehsize = sizeof(Elf64_Ehdr);
	program.header.e_phentsize = sizeof(Elf64_Phdr);
	program.header.e_phnum = 4;
	set_segment(0, MIB(1), 0, KIB(10), KIB(10));
	set_segment(1, 0, UINT64_MAX / 2, UINT64_MAX, 5);
	program.segments[1].p_type = PT_NOTE;
	set_segment(2, MIB(2) + 0x345, KIB(10), KIB(6), KIB(100));
	set_segment(3, RAM_HIGH, 0, 0, KIB(64));
	for (size_t i = 0; i < sizeof(program.bytes); i++)
		program.bytes[i] = (uint8_t)(1 + i % 255);
	program.size = BYTES_AT + sizeof(program.bytes);
}

int program_setup(void **state)
{
	const struct format_case *format = &formats[0];

	(void)state;
	program_vm = calloc(1, sizeof(*program_vm));
	assert_non_null(program_vm);
	ram_open(&program_ram, GIB(16), MIB(4), true);
	CHECK_ERR(addr_space_new(&program_vm->as, format->ops, &format->config, NULL), ERR_OK);
	program_vm->ram[0].start = GPA(0);
	program_vm->ram[0].size = RAM_LOW;
	program_vm->ram[1].start = GPA(RAM_HIGH);
	program_vm->ram[1].size = HIGH_SIZE;
	program_vm->ram_ranges = 2;
	for (size_t i = 0; i < program_vm->ram_ranges; i++)
		CHECK_ERR(addr_space_map_alloc(&program_vm->as, program_vm->ram[i].start, program_vm->ram[i].size, NPT_RWX,
					       ALLOC_LAZY_4K),
			  ERR_OK);
	make_program();
	return 0;
}

int program_teardown(void **state)
{
	(void)state;
	addr_space_free(&program_vm->as);
	free(program_vm);
	ram_release(&program_ram);
	ram_close(&program_ram);
	return 0;
}

enum err load(size_t size, gpa_t *entry, char *why, size_t why_size)
{
	uint8_t *file = malloc(size ? size : 1);
	enum err err;
	static uint8_t whole[sizeof(program)];

	assert_non_null(file);
	memcpy(whole, &program.header, sizeof(program.header));
	memcpy(whole + sizeof(program.header), program.segments, sizeof(program.segments));
	memcpy(whole + BYTES_AT, program.bytes, sizeof(program.bytes));
	memcpy(file, whole, size);
	memset(why, '?', why_size);
	err = elf_load(program_vm, file, size, entry, why, why_size);
	free(file);
	if (err != ERR_OK)
		CHECK(memchr(why, '\0', why_size) && !strchr(why, '\n') && (why[0] || why_size == 1), "no reason");
	return err;
}

uint64_t resident(void)
{
	return addr_space_get_stats(&program_vm->as).resident;
}

void expect_refused(const char *what, enum err wanted)
{
	uint64_t before = resident();
	gpa_t entry;
	char why[ELF_WHY_MAX];
	enum err err = load(program.size, &entry, why, sizeof(why));

	CHECK(err == wanted, "%s: %s (%s)", what, host_err(err), err == ERR_OK ? "" : why);
	CHECK(resident() == before, "%s: something was loaded", what);
	make_program();
}

void expect_loaded(uint64_t entry_at)
{
	gpa_t entry;
	char why[ELF_WHY_MAX];

	CHECK_ERR(load(program.size, &entry, why, sizeof(why)), ERR_OK);
	CHECK_EQ(entry.raw, entry_at);
}

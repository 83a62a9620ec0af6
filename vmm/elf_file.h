/* SPDX-License-Identifier: BSD-2-Clause */
/* An ELF file that is being loaded, for the loader's parts. Source: System V ABI, "Object Files". */
#ifndef NESTLING_VMM_ELF_FILE_H
#define NESTLING_VMM_ELF_FILE_H

#include "vmm/elf.h"

enum {
	ET_EXEC = 2,
	ET_DYN = 3,
	PT_LOAD = 1,
	PT_DYNAMIC = 2,
	PF_X = 1,
};

struct elf_header {
	uint8_t ident[16]; /* magic, class, data, ... */
	uint16_t type, machine;
	uint32_t version;
	uint64_t entry, phoff, shoff;
	uint32_t flags;
	uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct elf_segment {
	uint32_t type, flags;
	uint64_t offset, vaddr, paddr, filesz, memsz, align;
};
_Static_assert(sizeof(struct elf_header) == 64 && sizeof(struct elf_segment) == 56, "the layout of the ABI");

struct elf_file {
	struct vm *vm;
	const char *bytes;
	size_t size;
	struct elf_header header;
	struct elf_segment load[ELF_MAX_SEGMENTS]; /* paddr is where it is loaded */
	unsigned loads;
	struct elf_segment dynamic; /* type 0: there is none */
	uint64_t bias;              /* from the addresses of an ET_DYN to those it is loaded at */
	char *why;
	size_t why_size;
};

/* Say why the file is refused, in a clause; returns `err`. */
enum err elf_fail(struct elf_file *file, enum err err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Fill in `header`, `load` and `dynamic`. Errors: ERR_CORRUPT, ERR_UNSUPPORTED. */
MUST_CHECK enum err elf_read(struct elf_file *file);

/*
 * Check what the dynamic section asks for, if there is one: nothing but relative relocations. The segments are placed and
 * checked. Errors: ERR_CORRUPT, ERR_UNSUPPORTED (needs a dynamic linker).
 */
MUST_CHECK enum err elf_check_dynamic(struct elf_file *file);

/* After the check, with the segments in memory: apply the relocations. ERR_NO_MEMORY. */
MUST_CHECK enum err elf_relocate(struct elf_file *file);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* A VM, and a program for it of which a test spoils a part; for RISC-V. */
#ifndef NESTLING_TESTS_HOST_ELF_PROGRAM_H
#define NESTLING_TESTS_HOST_ELF_PROGRAM_H

#include <elf.h>

#include "include/err.h"
#include "tests/host/ram.h"
#include "vmm/elf.h"

#define FLOOR     MIB(1)
#define RAM_LOW   MIB(8) /* guest RAM at 0 */
#define RAM_HIGH  GIB(4) /* and 2 MiB more here */
#define HIGH_SIZE MIB(2)
#define SEGMENTS  20

/* A file as its parts, of which a test spoils one. */
struct program {
	Elf64_Ehdr header;
	Elf64_Phdr segments[SEGMENTS];
	uint8_t bytes[KIB(16)] __attribute__((aligned(8)));
	size_t size; /* of the whole file */
};

#define BYTES_AT (sizeof(Elf64_Ehdr) + SEGMENTS * sizeof(Elf64_Phdr))

extern struct ram program_ram;
extern struct vm *program_vm;
extern struct program program;

void set_segment(unsigned i, uint64_t paddr, uint64_t offset, uint64_t filesz, uint64_t memsz);

/* Text, data with bss, and bss alone; a note in between that is nobody's business. */
void make_program(void);

/* For each test: the VM is there, and the program as make_program has it. */
int program_setup(void **state);
int program_teardown(void **state);

/* Load a copy of exactly this size, so that the sanitizer sees what is read beyond it. */
enum err load(size_t size, gpa_t *entry, char *why, size_t why_size);

uint64_t resident(void);

/* Refused as a whole: not a page of the guest's has been touched. Makes the program anew. */
void expect_refused(const char *what, enum err wanted);
void expect_loaded(uint64_t entry_at);

#endif

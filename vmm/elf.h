/* SPDX-License-Identifier: BSD-2-Clause */
/* Loads guest programs: static ELF64 executables, by their program headers. */
#ifndef NESTLING_VMM_ELF_H
#define NESTLING_VMM_ELF_H

#include "vmm/vm.h"

/* More PT_LOAD segments than this are refused. */
#define ELF_MAX_SEGMENTS 16

#define ELF_WHY_MAX 256

/*
 * Check the whole file before a byte of it is used, then copy its segments into the VM's memory at their physical
 * addresses (p_paddr). Memory beyond p_filesz is not written: it reads as zeros. A position-independent file (ET_DYN) is loaded as
 * a whole where it was linked, or else at the lowest possible address. Its relocations are applied if they need nothing but the
 * program itself; a file with other relocations is refused.
 * `why`, on failure, is a clause that says what is wrong ("segment 1 overlaps segment 0"), cut to `why_size`; ELF_WHY_MAX
 * is enough for any.
 * Errors: ERR_CORRUPT (malformed), ERR_UNSUPPORTED (not for this machine), ERR_RANGE (does not fit guest RAM),
 * ERR_NO_MEMORY.
 */
MUST_CHECK enum err elf_load(struct vm *vm, const void *file, size_t size, gpa_t *entry, char *why, size_t why_size);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* Recognises files that are no guest, for an error message that says what the file is and what to do. */
#ifndef NESTLING_VMM_FILE_KIND_H
#define NESTLING_VMM_FILE_KIND_H

#include "include/types.h"

/* Of a file that is no ELF file: a clause that says what it is, and how it becomes a guest or what to give instead. */
const char *file_kind_describe(const void *file, size_t size);

/* The same for an ELF file with a class, byte order or type that no loader here accepts; NULL if these are right. */
const char *file_kind_describe_elf(const void *file, size_t size);

/* The name of the machine that e_machine of an ELF file means, or "another machine". */
const char *file_kind_machine(uint16_t machine);

#endif

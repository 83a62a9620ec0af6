/* SPDX-License-Identifier: BSD-2-Clause */
/* What a file is that is no guest, and what its owner may do about it. */
#ifndef NESTLING_VMM_FILE_KIND_H
#define NESTLING_VMM_FILE_KIND_H

#include "include/types.h"

/* Of a file that is no ELF file: a clause that says what it is, and how it becomes a guest or what to give instead. */
const char *file_kind_describe(const void *file, size_t size);

/* The same of an ELF file whose class, byte order or type no loader here takes; NULL if those are right. */
const char *file_kind_describe_elf(const void *file, size_t size);

/* What e_machine of an ELF file stands for, or "another machine". */
const char *file_kind_machine(uint16_t machine);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* Texts put together piece by piece, for reports. */
#ifndef NESTLING_VMM_TEXT_H
#define NESTLING_VMM_TEXT_H

#include "include/types.h"

struct vm;

/* What an access wants, in a word: bits of enum npt_prot. */
const char *access_text(unsigned access);

/* "discard", "protect": a call of include/abi.h; "?" where there is no such call. */
const char *hypercall_name(uint64_t number);

/* Append to the text in a buffer of `size` bytes; what does not fit is cut. */
void text_add(char *text, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* What stands behind a noun of which there are so many. */
static inline const char *text_plural(uint64_t count)
{
	return count == 1 ? "" : "s";
}

/* "1 GiB", "1.2 MiB", "12 KiB": one decimal, rounded down, where it is not whole. Returns `text`. */
#define TEXT_SIZE_ROOM 48
const char *text_size(char text[TEXT_SIZE_ROOM], uint64_t bytes);

/* Append where the guest has RAM: "RAM is at 0x0-0x40000000 and 0x...-0x...". */
void text_add_ram(char *text, size_t size, const struct vm *vm);

/* "rwx", "r--". Returns `text`. */
#define TEXT_PROT_ROOM 4
const char *text_prot(char text[TEXT_PROT_ROOM], unsigned prot);

#endif

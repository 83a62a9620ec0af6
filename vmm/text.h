/* SPDX-License-Identifier: BSD-2-Clause */
/* Building texts piece by piece, for logs and reports. */
#ifndef NESTLING_VMM_TEXT_H
#define NESTLING_VMM_TEXT_H

#include "include/types.h"

struct vm;

/* A word for an access, given as bits of enum npt_prot: "read", "write", ... */
const char *access_text(unsigned access);

/* "discard", "protect": a call of include/abi.h; "?" where there is no such call. */
const char *hypercall_name(uint64_t number);

/* Append to the text in a buffer of `size` bytes; what does not fit is cut. */
void text_add(char *text, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* The ending of a noun with this count: "" or "s". */
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

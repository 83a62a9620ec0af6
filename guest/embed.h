/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest programs that the hypervisor's image carries. */
#ifndef NESTLING_GUEST_EMBED_H
#define NESTLING_GUEST_EMBED_H

#include <stddef.h>

/* An ELF64 file in memory, [start, end), 16-byte aligned; `name` is that of the source file. */
struct guest_blob {
	const char *name;
	const void *start, *end;
};

extern const struct guest_blob guest_blobs[];
extern const size_t guest_blob_count;

#endif

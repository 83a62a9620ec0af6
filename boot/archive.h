/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files that the image itself carries, so that it needs no volume: tools/mkefi puts them behind the image, as a section ".files" of
 * it, in the form of cpio's "newc" archives. Sources: Microsoft, "PE Format", "Section Table"; cpio(5), "New ASCII Format".
 */
#ifndef NESTLING_BOOT_ARCHIVE_H
#define NESTLING_BOOT_ARCHIVE_H

#include "include/types.h"

struct archive {
	const char *bytes;
	size_t size;
};

/* That of the image whose `size` bytes, its headers first, are loaded at `image`. An empty one: it has none. */
struct archive archive_of_image(const void *image, size_t size);

/*
 * The file `path`, whose bytes are the archive's. As on an EFI system partition, the case of letters does not matter, '\' and '/'
 * are the same, and one in front may be left out. NULL: there is none, or what is before it is no archive.
 */
const void *archive_find(const struct archive *archive, const char *path, size_t *size);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* nestling.cfg: what the person who boots the image asks for. */
#ifndef NESTLING_BOOT_CONFIG_H
#define NESTLING_BOOT_CONFIG_H

#include "vmm/vm.h"

#define CONFIG_DEFAULT_DEMO "lazy"
#define CONFIG_DEFAULT_RAM  GIB(1)

/* The name of the file, in the root of the volume that the image was started from. */
#define CONFIG_FILE "nestling.cfg"
/* A larger file is refused. */
#define CONFIG_MAX_BYTES KIB(64)

/* What holds where the file says nothing. */
void config_defaults(struct vm_options *options);

/*
 * Read `size` bytes of text: lines of "key = value", '#' starts a comment, blank lines and "\r\n" are fine. Each key
 * may come once. Errors: ERR_INVALID, with one line in `why` (NUL-terminated, cut to `why_size`) that names the line.
 */
MUST_CHECK enum err config_parse(struct vm_options *options, const char *text, size_t size, char *why,
				 size_t why_size);

/* "4096", "64K", "512M", "1G", "2T": bytes. Errors: ERR_INVALID (syntax), ERR_RANGE (2^64 and more). */
MUST_CHECK enum err config_parse_size(const char *text, uint64_t *bytes);

#endif

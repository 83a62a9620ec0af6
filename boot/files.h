/* SPDX-License-Identifier: BSD-2-Clause */
/* The files that guests are made of: read while the firmware is there, and memory that guests can map when it has gone. */
#ifndef NESTLING_BOOT_FILES_H
#define NESTLING_BOOT_FILES_H

#include "include/err.h"
#include "vmm/machine.h"

/*
 * Read the files of all VMs, each once, and unpack kernels that are packed. Errors: a file cannot be had; one line has been logged
 * by log_fatal.
 */
MUST_CHECK enum err files_read(struct machine *machine);

/* When the frames are ours: they become memory that guests can map, and what is of no use to guests becomes free. */
void files_adopt(struct machine *machine);

/* The line for a file that firmware_read_file has failed to read, of `size` bytes, or 0 if that is not known; returns `err`. */
enum err files_cannot_read(const char *name, enum err err, uint64_t max, size_t size);

#endif

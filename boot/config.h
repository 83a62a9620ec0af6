/* SPDX-License-Identifier: BSD-2-Clause */
/* nestling.cfg: the configuration of the machine and its VMs. */
#ifndef NESTLING_BOOT_CONFIG_H
#define NESTLING_BOOT_CONFIG_H

#include "vmm/machine.h"

#define CONFIG_DEFAULT_DEMO  "lazy"
#define CONFIG_DEFAULT_RAM   GIB(1)
/* Microseconds. */
#define CONFIG_DEFAULT_SLICE 10000

/* The name of the file, in the root of the volume that the image was started from. */
#define CONFIG_FILE      "nestling.cfg"
/* A larger file is refused. */
#define CONFIG_MAX_BYTES KIB(64)

/* The VM of a file without sections. */
#define CONFIG_DEFAULT_NAME "guest"

/* What the file says of the machine and of its VMs, which are in the order of the file. */
struct config {
	bool no_serial; /* the console goes on on the screen, though there is a serial port */
	bool gdb;       /* wait for a debugger before the machine is taken over */
	bool vhe;       /* see arch_virt_probe */
	struct machine machine;
};

/* An upper bound of the number of VMs that a text of `size` bytes describes. */
unsigned config_room(const char *text, size_t size);

/* The defaults: one VM, at `vm`, which is the caller's memory and must outlive `config`. */
void config_defaults(struct config *config, struct machine_vm *vm);

/*
 * Read `size` bytes of text into what config_defaults has made, with room for config_room VMs: lines of "key = value", a VM's
 * section begins with "[vm NAME]", what stands before the first one holds for all of them. '#' begins a comment, behind text
 * only after a blank; blank lines, a byte-order mark, and line ends of any system are fine. A value may be in quotes, single or
 * double. Each key may come once in a section, but for disks. Errors: ERR_INVALID, with one line in `why` (NUL-terminated, cut to
 * `why_size`) that names the line of the file.
 */
MUST_CHECK enum err config_parse(struct config *config, const char *text, size_t size, char *why, size_t why_size);

#endif

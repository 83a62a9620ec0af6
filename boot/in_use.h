/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory that the CPU itself uses while the firmware's set-up is in force: its translation tables, descriptor tables, trap
 * handlers and stacks. Firmware may list it as free: U-Boot on x86-64 does so with its page tables. And memory that is excluded
 * (memory_exclude).
 *
 * Both are allocated by the firmware's own call, so that neither the firmware nor we, who rely on its map, use them for anything
 * else.
 */
#ifndef NESTLING_BOOT_IN_USE_H
#define NESTLING_BOOT_IN_USE_H

#include "boot/firmware.h"
#include "include/err.h"

/*
 * Take what the CPU uses from the memory that the firmware calls free: from now on it is boot services' data, which
 * becomes ours when our own map and traps are in force. Before anything is allocated. Errors: those of firmware_get_map;
 * ERR_DENIED (the firmware calls it free and does not give it); ERR_CORRUPT (its tables have no end).
 */
MUST_CHECK enum err in_use_keep(void);

/* Does the CPU use any of these bytes so? */
bool in_use_overlaps(const struct firmware_map *map, hpa_t start, uint64_t size);

/*
 * Take what `map` calls free of these bytes from the firmware, as memory of a type. `*taken` is how many bytes that
 * were; what was taken before is left. False: the firmware has refused some.
 */
bool in_use_take(const struct firmware_map *map, hpa_t start, uint64_t size, UINT32 type, uint64_t *taken);

#endif

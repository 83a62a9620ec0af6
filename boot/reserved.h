/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory that the device tree keeps for others. */
#ifndef NESTLING_BOOT_RESERVED_H
#define NESTLING_BOOT_RESERVED_H

#include "boot/firmware.h"
#include "include/err.h"

/*
 * Exclude (memory_exclude) what the tree's reservation block and /reserved-memory list. UEFI's map is not enough: U-Boot
 * shows reserved memory without the property `no-map`, which OpenSBI's own is, as free after boot services. What of it `map`
 * calls free is taken from the firmware, too, so that it does not give it to us; `map` may be NULL. Nodes that are disabled
 * keep nothing, and ranges beyond all addresses are passed over.
 */
void reserved_exclude(const void *fdt, const struct firmware_map *map);

#endif

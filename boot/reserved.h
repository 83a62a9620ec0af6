/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory that the device tree reserves. */
#ifndef NESTLING_BOOT_RESERVED_H
#define NESTLING_BOOT_RESERVED_H

/*
 * Exclude (memory_exclude) what the tree's reservation block and /reserved-memory list. UEFI's map is not enough: U-Boot
 * shows reserved memory without the property `no-map`, which OpenSBI's own is, as free after boot services. Nodes that are
 * disabled reserve nothing. A malformed reservation is logged and skipped.
 */
void reserved_exclude(const void *fdt);

#endif

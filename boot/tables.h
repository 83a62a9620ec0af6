/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tables that firmware describes the machine with. Sources: UEFI specification 2.10, "EFI Configuration Table &
 * Properties Table"; RISC-V UEFI Protocol Specification, "RISCV_EFI_BOOT_PROTOCOL".
 */
#ifndef NESTLING_BOOT_TABLES_H
#define NESTLING_BOOT_TABLES_H

#include "boot/firmware.h"
#include "drivers/platform.h"

/* A larger device tree is refused: EDK2 hands over 1 MiB, most of it padding; boards have some 100 KiB. */
#define TABLES_MAX_FDT_BYTES MIB(4)

/*
 * Find what there is, the boot services still being there; `memory` is the firmware's map, which must stay, NULL if there
 * is none. The device tree is copied to memory of ours. One that is malformed is left aside, with one line that says so.
 */
void tables_find(struct platform *platform, const struct firmware_map *memory);

/*
 * The tree copied once more, to other memory: its copy may lie in what it reserves, when that has been taken from the
 * firmware. NULL: there is no memory for it, which has been logged.
 */
const void *tables_move_fdt(const void *fdt);

#endif

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
 * Find the tables, while the boot services are available. `memory` is the firmware's map, which must stay valid; NULL if there is
 * none. The device tree is copied to our own memory. A malformed one is ignored, and that is logged.
 */
void tables_find(struct platform *platform, const struct firmware_map *memory);

/*
 * Copy the device tree once more: its first copy may lie in memory that it reserves. To be called when the reserved memory has been
 * allocated from the firmware. NULL: there is no memory for it, which has been logged.
 */
const void *tables_move_fdt(const void *fdt);

#endif

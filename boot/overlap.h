/* SPDX-License-Identifier: BSD-2-Clause */
/* Checks addresses in the firmware's tables against the firmware's memory map, while the console can still report an error. */
#ifndef NESTLING_BOOT_OVERLAP_H
#define NESTLING_BOOT_OVERLAP_H

#include "boot/firmware.h"
#include "drivers/framebuffer.h"
#include "drivers/serial.h"
#include "include/err.h"

/* Set the firmware's map for the functions below; it must stay valid. NULL: there is none, and every check succeeds. */
void overlap_set_map(const struct firmware_map *map);

/* May registers be where they are said to be? Not in memory. If not, it is logged: `what` is a noun. */
bool overlap_registers_fit(const char *what, hpa_t start, uint64_t size);

/* May the port's registers be where they are said to be? Not in memory. If not, it is logged. A serial_filter. */
bool overlap_serial_fits(const struct serial_port *port);

/* May pixels be written where the screen is said to be? Not in memory in use. If not, it is logged. */
bool overlap_screen_fits(const struct framebuffer *framebuffer);

/* Exclude the screen's pixels from the firmware's allocations and from ours. */
void overlap_keep_screen(const struct framebuffer *framebuffer);

/* Exclude the ranges given to memory_exclude from the firmware's allocations and from ours. */
void overlap_keep_excluded(void);

/* Check that no range given to memory_exclude overlaps the image or our allocations. Errors: ERR_EXISTS, logged as fatal. */
MUST_CHECK enum err overlap_check_excluded(void);

#endif

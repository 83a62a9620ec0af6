/* SPDX-License-Identifier: BSD-2-Clause */
/* What the firmware's tables say of a place, held against what is there, while there is still somebody to tell of it. */
#ifndef NESTLING_BOOT_OVERLAP_H
#define NESTLING_BOOT_OVERLAP_H

#include "boot/firmware.h"
#include "drivers/framebuffer.h"
#include "drivers/serial.h"
#include "include/err.h"

/* The firmware's map for the functions below; it must stay. NULL: there is none, and nothing is found fault with. */
void overlap_set_map(const struct firmware_map *map);

/* May the port's registers be where they are said to be? Not in memory. If not, it is logged. A serial_filter. */
bool overlap_serial_fits(const struct serial_port *port);

/* May pixels be written where the screen is said to be? Not in memory in use. If not, it is logged. */
bool overlap_screen_fits(const struct framebuffer *framebuffer);

/* Keep the screen's pixels out of the firmware's hands, and ours. */
void overlap_keep_screen(const struct framebuffer *framebuffer);

/* Keep what memory_exclude was given out of the firmware's hands, and ours. */
void overlap_keep_excluded(void);

/* Is none of the memory that memory_exclude was given our own? Errors: ERR_EXISTS, which has been logged as fatal. */
MUST_CHECK enum err overlap_check_excluded(void);

#endif

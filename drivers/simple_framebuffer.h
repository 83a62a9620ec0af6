/* SPDX-License-Identifier: BSD-2-Clause */
/* The screen of a device tree, as the boot loader has set it up. Source: the binding display/simple-framebuffer.yaml in Linux. */
#ifndef NESTLING_DRIVERS_SIMPLE_FRAMEBUFFER_H
#define NESTLING_DRIVERS_SIMPLE_FRAMEBUFFER_H

#include "drivers/framebuffer.h"

/*
 * The first that is enabled and can be drawn on. Errors: ERR_NOT_FOUND; of the last one that is there, otherwise as
 * framebuffer_check, or ERR_UNSUPPORTED: its pixels are not of 32 bits.
 */
MUST_CHECK enum err simple_framebuffer_find(const void *fdt, struct framebuffer *framebuffer);

#endif

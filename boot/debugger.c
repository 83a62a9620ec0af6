/* SPDX-License-Identifier: BSD-2-Clause */
/* How a debugger and the image find each other. */
#include "boot/debugger.h"

#include "boot/firmware.h"
#include "include/log.h"
#include "include/types.h"

extern const char __image_start[];

/*
 * What tools/gdb searches memory for. A copy of the file in memory has the same text: the image that was relocated is
 * where `self` is the marker's own address. Volatile, so that it is read, and so kept.
 */
static const volatile struct image_marker {
	char magic[16];
	const volatile void *self;
	const char *image;
} image_marker = { "nestling-image\n", &image_marker, __image_start };

/* Set by the debugger. */
static volatile bool debugger_is_here;

void debugger_tell_place(void)
{
	log_info("nestling: image at %#lx", (uintptr_t)image_marker.image);
}

void debugger_wait(void)
{
	firmware_no_watchdog();
	log_info("nestling: waiting for a debugger, which tools/gdb starts");
	while (!debugger_is_here)
		;
}

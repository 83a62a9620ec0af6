/* SPDX-License-Identifier: BSD-2-Clause */
/* How a debugger and the image find each other: docs/debugging.md, tools/gdb. */
#ifndef NESTLING_BOOT_DEBUGGER_H
#define NESTLING_BOOT_DEBUGGER_H

/* Print the address at which the firmware has loaded the image: address 0 of nestling.elf is there. */
void debugger_tell_place(void);

/* Wait until a debugger has set debugger_is_here. To be called while the boot services are available. */
void debugger_wait(void);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* How a debugger and the image find each other: docs/debugging.md, tools/gdb. */
#ifndef NESTLING_BOOT_DEBUGGER_H
#define NESTLING_BOOT_DEBUGGER_H

/* Say where the firmware has put the image: what is at 0 in nestling.elf is there. */
void debugger_tell_place(void);

/* Wait until a debugger has set debugger_is_here. Boot services must be there still. */
void debugger_wait(void);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* Offsets in struct trap_frame for trap_entry.S; traps.c checks them against the structure. */
#ifndef NESTLING_BOOT_AARCH64_TRAP_FRAME_H
#define NESTLING_BOOT_AARCH64_TRAP_FRAME_H

#define TRAP_X1     8
#define TRAP_X2     16
#define TRAP_X30    240
#define TRAP_ELR    256
#define TRAP_ESR    272
#define TRAP_NEXT   288
#define TRAP_VECTOR 296

#endif

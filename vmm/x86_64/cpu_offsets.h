/* SPDX-License-Identifier: BSD-2-Clause */
/* Offsets in struct cpu_arch, for assembly; checked in boot/x86_64/interrupts.c. */
#ifndef NESTLING_VMM_X86_64_CPU_OFFSETS_H
#define NESTLING_VMM_X86_64_CPU_OFFSETS_H

#define CPU_SELF   0
#define CPU_EVENTS 8

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* The hypervisor's own interrupts. A vector's upper four bits are its priority: an IPI comes before the timer. */
#ifndef NESTLING_BOOT_X86_64_VECTORS_H
#define NESTLING_BOOT_X86_64_VECTORS_H

#define INTERRUPT_TIMER    0xe0
#define INTERRUPT_IPI      0xf0
#define INTERRUPT_SPURIOUS 0xff

#endif

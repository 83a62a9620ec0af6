/* SPDX-License-Identifier: BSD-2-Clause */
/* What the runtime reads of a device tree, where the platform passes one. */
#ifndef NESTLING_GUEST_RT_FDT_H
#define NESTLING_GUEST_RT_FDT_H

#include <stdint.h>

/* Add the RAM of all memory nodes, and reserve the tree itself. False: it is no device tree. */
_Bool rt_fdt_read(const void *tree);

/* /cpus/timebase-frequency, once the tree was read; 0: there is none. */
extern uint64_t rt_fdt_timebase;

#endif

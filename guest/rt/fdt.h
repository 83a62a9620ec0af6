/* SPDX-License-Identifier: BSD-2-Clause */
/* What the runtime reads of a device tree, where the platform passes one. */
#ifndef NESTLING_GUEST_RT_FDT_H
#define NESTLING_GUEST_RT_FDT_H

/* Add the RAM of all memory nodes, and reserve the tree itself. False: it is no device tree. */
_Bool rt_fdt_read(const void *tree);

#endif

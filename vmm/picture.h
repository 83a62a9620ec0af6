/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The memory of a VM as it fills: a cell for each block of it on the screen, if there is one, and a map in characters on the
 * console at the end. Of several VMs the screen shows those that run in turn.
 */
#ifndef NESTLING_VMM_PICTURE_H
#define NESTLING_VMM_PICTURE_H

#include "vmm/vm.h"

/* Is there a screen to draw on? Then picture_exit is to be called after each exit. */
bool picture_wanted(void);

/*
 * To be called when an exit has been served. Usually this only records the address of a fault; after a fixed number of exits, cells
 * that have changed are drawn, by a bounded amount of work. A VM that is not shown takes the place of one that has been for a
 * while. Formats text: called for traced VMs only.
 */
void picture_exit(struct vm *vm, const struct vm_exit *exit);

/* The VM has ended: draw all that is there. It is not accessed after that. */
void picture_end(struct vm *vm);

/* Print the map of a VM that has ended. */
void map_print(struct vm *vm);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The memory of the VM that runs, as it fills: a cell for each block of it on the screen, if there is one, and a map in
 * characters on the console at the end.
 */
#ifndef NESTLING_VMM_PICTURE_H
#define NESTLING_VMM_PICTURE_H

#include "vmm/vm.h"

/* Is there a screen to draw on? Then picture_exit is to be called after each exit. */
bool picture_wanted(void);

/* This VM runs from now on. */
void picture_start(struct vm *vm);

/*
 * To be called when an exit has been served. Usually this only records the address of a fault; after a fixed number of exits, cells
 * that have changed are drawn, by a bounded amount of work. Formats text: called for traced VMs only.
 */
void picture_exit(const struct vm_exit *exit);

/* It has ended: draw all that is there. */
void picture_end(void);

/* Print the map of the VM that was started last. */
void map_print(void);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* Forks of a VM that the configuration asks for. */
#ifndef NESTLING_VMM_CLONES_H
#define NESTLING_VMM_CLONES_H

#include "vmm/vm.h"

/* The VM, the first one of its fork tree, is about to run: have its options' `clones` made, now or when it prints `clone_when`;
 * once. */
void clones_expect(struct vm *vm);

/* It has ended: tell if it never printed that. */
void clones_end(struct vm *vm);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* How a VM comes into its fork tree (struct fork_tree in vmm/vm.h, under its lock) and leaves it. For vmm/vm.c. */
#ifndef NESTLING_VMM_FORK_TREE_H
#define NESTLING_VMM_FORK_TREE_H

#include "vmm/vm.h"

/* Give the VM its numbers. Errors: ERR_NO_MEMORY. */
MUST_CHECK enum err fork_tree_join(struct vm *vm);

/* The VM leaves its tree: who waits for its end is woken. */
void fork_tree_leave(struct vm *vm);

/* A VM that has left the tree is freed. True: it was the last one, so that all that the tree has cost is free. */
bool fork_tree_gone(struct fork_tree *tree);

#endif

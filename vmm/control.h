/* SPDX-License-Identifier: BSD-2-Clause */
/* What a guest asks for by its control page, or tells by its panic device: carried out. */
#ifndef NESTLING_VMM_CONTROL_H
#define NESTLING_VMM_CONTROL_H

#include "vmm/vm.h"

/* Connect both devices to the VM. Before a vCPU is started; those of a forked VM have its parent's connections. */
void control_start(struct vm *vm);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* What a vCPU's exits lead to. This is called from the world switch, by vm_handle_exit (include/arch/virt.h). */
#ifndef NESTLING_VMM_RUN_H
#define NESTLING_VMM_RUN_H

#include "vmm/vm.h"

/* Let a VM that has been loaded run: its first vCPU is put in a CPU's queue, now (0) or at that time of arch_clock. */
void vm_start(struct vm *vm, uint64_t when);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* The run loop. Its other half is arch_vcpu_run, which calls vm_handle_exit: include/arch/virt.h. */
#ifndef NESTLING_VMM_RUN_H
#define NESTLING_VMM_RUN_H

#include "vmm/vm.h"

/* Run until the guest ends; vm->outcome says how. Nothing is done for a VM that has ended already. */
void vm_run(struct vm *vm);

#endif

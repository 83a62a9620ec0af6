/* SPDX-License-Identifier: BSD-2-Clause */
/* The end of a VM whose time_max is used up. */
#include "vmm/time_out.h"

#include "include/log.h"
#include "vmm/post_mortem.h"

void vm_time_out(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;
	const struct vm_exit *exit = vm_last_exit(vcpu);

	log_vm_err(vm, "guest has used its time_max of %lu.%03lu s and is stopped at pc %#lx", vm->options.time_max / 1000000,
		   vm->options.time_max / 1000 % 1000, exit->pc);
	post_mortem(vcpu, NULL);
	vm_end(vm, VM_TIMED_OUT, 0);
}

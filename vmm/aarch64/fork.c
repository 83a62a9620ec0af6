/* SPDX-License-Identifier: BSD-2-Clause */
/* A guest forks: its devices and its vCPUs, copied. */
#include "include/arch/virt.h"
#include "vmm/aarch64/aarch64.h"

enum err arch_vm_fork(struct vm *child, const struct vm *parent)
{
	enum err err = new_stage2(child);

	if (err != ERR_OK)
		return err;
	child->arch.console = parent->arch.console;
	device_add(&child->devices, &child->arch.console.device);
	interrupts_fork(child, parent);
	return ERR_OK;
}

void arch_vcpu_fork(struct vcpu *child, const struct vcpu *parent)
{
	child->arch = parent->arch;
}

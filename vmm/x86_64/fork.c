/* SPDX-License-Identifier: BSD-2-Clause */
/* A vCPU comes into a CPU and leaves it, and is copied when its VM forks; apart from what control blocks hold. */
#include "include/arch/virt.h"

#include <string.h>

#include "vmm/x86_64/emulate.h"
#include "vmm/x86_64/speculation.h"
#include "vmm/x86_64/virt_ops.h"

enum err arch_vm_fork(struct vm *child, const struct vm *parent)
{
	child->arch.console = parent->arch.console;
	device_add(&child->devices, &child->arch.console.device);
	return virt->vm_init(child);
}

void arch_vcpu_fork(struct vcpu *child, const struct vcpu *parent)
{
	struct vcpu_arch *arch = &child->arch;

	memcpy(arch->gpr, parent->arch.gpr, sizeof(arch->gpr));
	arch->msrs_logged = parent->arch.msrs_logged;
	arch->kept = parent->arch.kept;
	virt->vcpu_fork(child, parent);
}

void arch_vcpu_get(struct vcpu *vcpu)
{
	const struct kept_state *kept = &vcpu->arch.kept;

	speculation_forget();
	fp_load(&kept->fp);
	debug_load(kept->dr);
	virt->vcpu_get(vcpu);
}

void arch_vcpu_put(struct vcpu *vcpu)
{
	struct kept_state *kept = &vcpu->arch.kept;

	fp_save(&kept->fp);
	debug_save(kept->dr);
	virt->vcpu_put(vcpu);
}

void arch_flush_resident(struct vcpu *vcpu)
{
	virt->flush(vcpu);
}

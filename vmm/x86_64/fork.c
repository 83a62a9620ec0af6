/* SPDX-License-Identifier: BSD-2-Clause */
/* A guest forks: what its vCPU has in the CPU and its devices, copied; and put back when the copy's turn has come. */
#include "include/arch/virt.h"

#include <string.h>

#include "vmm/x86_64/emulate.h"
#include "vmm/x86_64/speculation.h"
#include "vmm/x86_64/virt_ops.h"

enum err arch_vm_fork(struct vm *child, const struct vm *parent)
{
	struct vcpu_arch *arch = &child->vcpu.arch;

	child->arch.console = parent->arch.console;
	device_add(&child->devices, &child->arch.console.device);
	memcpy(arch->gpr, parent->vcpu.arch.gpr, sizeof(arch->gpr));
	arch->msrs_logged = parent->vcpu.arch.msrs_logged;
	fp_save(&arch->kept.fp);
	debug_save(arch->kept.dr);
	return virt->vm_fork(child, parent);
}

void arch_vcpu_load(struct vcpu *vcpu)
{
	const struct kept_state *kept = &vcpu->arch.kept;

	speculation_forget();
	fp_load(&kept->fp);
	debug_load(kept->dr);
	virt->load(vcpu);
}

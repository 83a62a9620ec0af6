/* SPDX-License-Identifier: BSD-2-Clause */
/* A guest forks: what its vCPU has in the CPU and its devices, copied; and put back when the copy's turn has come. */
#include "include/arch/virt.h"

#include <string.h>

#include "vmm/x86_64/emulate.h"
#include "vmm/x86_64/virt_ops.h"

#define read_dr(n)                                                     \
	({                                                             \
		uint64_t dr_value_;                                    \
		__asm__ volatile("mov %%dr" #n ", %0" : "=r"(dr_value_)); \
		dr_value_;                                             \
	})
#define write_dr(n, value) __asm__ volatile("mov %0, %%dr" #n : : "r"((uint64_t)(value)))

enum err arch_vm_fork(struct vm *child, const struct vm *parent)
{
	struct vcpu_arch *arch = &child->vcpu.arch;

	child->arch.console = parent->arch.console;
	vm_add_device(child, &child->arch.console.device);
	memcpy(arch->gpr, parent->vcpu.arch.gpr, sizeof(arch->gpr));
	arch->stray_msrs = parent->vcpu.arch.stray_msrs;
	fp_save(&arch->kept.fp);
	arch->kept.dr[0] = read_dr(0);
	arch->kept.dr[1] = read_dr(1);
	arch->kept.dr[2] = read_dr(2);
	arch->kept.dr[3] = read_dr(3);
	return virt->vm_fork(child, parent);
}

void arch_vcpu_load(struct vcpu *vcpu)
{
	const struct kept_state *kept = &vcpu->arch.kept;

	fp_load(&kept->fp);
	write_dr(0, kept->dr[0]);
	write_dr(1, kept->dr[1]);
	write_dr(2, kept->dr[2]);
	write_dr(3, kept->dr[3]);
	virt->load(vcpu);
}

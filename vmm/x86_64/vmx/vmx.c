/* SPDX-License-Identifier: BSD-2-Clause */
/* Intel VMX: its place among virt_ops, switching it on, the VMCS of a guest. Intel SDM vol. 3 "Introduction to VMX". */
#include "vmm/x86_64/vmx/vmx.h"

#include "include/arch/x86_64/insn.h"
#include "include/arch/x86_64/msr.h"
#include "include/panic.h"
#include "mm/frame.h"
#include "vmm/x86_64/emulate.h"
#include "vmm/x86_64/speculation.h"

static enum err vmx_probe(const char **why)
{
	uint64_t control = rdmsr(IA32_FEATURE_CONTROL);

	/* SDM vol. 3 "Enabling and Entering VMX Operation"; unlocked, it is ours to set. */
	if (control & FEATURE_CONTROL_LOCK && !(control & FEATURE_CONTROL_VMX)) {
		*why = "VMX is locked off by firmware (IA32_FEATURE_CONTROL): enable it in the set-up menu";
		return ERR_UNSUPPORTED;
	}
	return vmx_read_caps(why);
}

static enum err vmx_enable(const char **why)
{
	uint64_t control = rdmsr(IA32_FEATURE_CONTROL);
	hpa_t *region = &arch_this_cpu()->arch.control;

	if (!(control & FEATURE_CONTROL_LOCK))
		wrmsr(IA32_FEATURE_CONTROL, control | FEATURE_CONTROL_VMX | FEATURE_CONTROL_LOCK);
	/* SDM vol. 3 app. A.7, A.8: the host's own registers have fixed bits too. */
	write_cr0((read_cr0() | rdmsr(IA32_VMX_CR0_FIXED0)) & rdmsr(IA32_VMX_CR0_FIXED1));
	write_cr4((read_cr4() | CR4_VMXE | rdmsr(IA32_VMX_CR4_FIXED0)) & rdmsr(IA32_VMX_CR4_FIXED1));

	if (vmx_alloc_region(region) != ERR_OK) {
		*why = "no memory for the VMXON region";
		return ERR_NO_MEMORY;
	}
	if (!vmx_on(*region)) {
		frame_free(*region, 0);
		*why = "the CPU refused VMXON";
		return ERR_UNSUPPORTED;
	}
	/* Software that used VMX before us may have left translations. */
	vmx_flush_all();
	return ERR_OK;
}

static void vmx_npt_config(struct npt_config *config)
{
	uint64_t caps = vmx_caps.ept_vpid;

	config->levels = 4;
	config->max_leaf = !(caps & EPT_CAP_2M) ? 0 : !(caps & EPT_CAP_1G) ? 1 : 2;
	config->hardware_ad = caps & EPT_CAP_AD;
	config->exec_only = caps & EPT_CAP_EXEC_ONLY;
	config->page_exec = itlb_multihit_here();
}

static void vmx_reset(struct vcpu *vcpu, const struct entry_state *entry)
{
	hpa_t current = *vmx_current();

	vmx_clear(vcpu);
	vmx_make_current(vcpu);
	vcpu->arch.vmx.cr8 = 0;
	vmx_write_controls(vcpu->vm, vmx_eptp(&vcpu->vm->as.npt));
	vmx_write_guest_state(&vcpu->arch.kept, entry);
	vmx_clear(vcpu);
	if (current.raw)
		vmx_load_vmcs(current);
}

const struct virt_ops vmx_ops = {
	.name = "vmx",
	.npt = &npt_ept,
	.hypercall_insn = HYPERCALL_VMCALL,
	.probe = vmx_probe,
	.enable = vmx_enable,
	.npt_config = vmx_npt_config,
	.flush = vmx_flush,
	.vm_init = vmx_vm_init,
	.vm_free = vmx_vm_free,
	.vm_memory = PAGE_SIZE, /* MSR bitmap */
	.vcpu_init = vmx_vcpu_init,
	.vcpu_free = vmx_vcpu_free,
	.vcpu_memory = PAGE_SIZE, /* VMCS */
	.vcpu_get = vmx_vcpu_get,
	.vcpu_put = vmx_vcpu_put,
	.vcpu_fork = vmx_vcpu_fork,
	.reset = vmx_reset,
	.run = vmx_run,
	.decode = vmx_decode,
	.handle_exit = vmx_handle_exit,
	.finish_io = vmx_finish_io,
	.finish_hypercall = vmx_finish_hypercall,
	.inject_denied = vmx_inject_denied,
	.describe = vmx_describe,
	.name_exit = vmx_name_exit,
	.get = vmx_get,
	.set = vmx_set,
	.get_gpr = vmx_get_gpr,
};

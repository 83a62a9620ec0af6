/* SPDX-License-Identifier: BSD-2-Clause */
/* Intel VMX: its place among virt_ops, switching it on, the VMCS of a guest. Intel SDM vol. 3 "Introduction to VMX". */
#include "vmm/x86_64/vmx/vmx.h"

#include "include/arch/x86_64/insn.h"
#include "include/arch/x86_64/msr.h"
#include "include/panic.h"
#include "mm/frame.h"
#include "vmm/x86_64/emulate.h"
#include "vmm/x86_64/speculation.h"

#define VPIDS BIT(16)

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

static enum err vmx_enable(struct virt_cpu *cpu, const char **why)
{
	uint64_t control = rdmsr(IA32_FEATURE_CONTROL);

	if (!(control & FEATURE_CONTROL_LOCK))
		wrmsr(IA32_FEATURE_CONTROL, control | FEATURE_CONTROL_VMX | FEATURE_CONTROL_LOCK);
	/* SDM vol. 3 app. A.7, A.8: the host's own registers have fixed bits too. */
	write_cr0((read_cr0() | rdmsr(IA32_VMX_CR0_FIXED0)) & rdmsr(IA32_VMX_CR0_FIXED1));
	write_cr4((read_cr4() | CR4_VMXE | rdmsr(IA32_VMX_CR4_FIXED0)) & rdmsr(IA32_VMX_CR4_FIXED1));

	if ((!vmx_msr_bitmap.raw && vmx_make_msr_bitmap() != ERR_OK) || vmx_alloc_region(&cpu->region) != ERR_OK) {
		*why = "no memory for the VMXON region";
		return ERR_NO_MEMORY;
	}
	if (!vmx_on(cpu->region)) {
		frame_free(cpu->region, 0);
		*why = "the CPU refused VMXON";
		return ERR_UNSUPPORTED;
	}
	/* Software that used VMX before us may have left translations: the first tag is of a new generation. */
	tags_init(&cpu->tags, VPIDS);
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

/* Page-directory pointers of a caller in PAE mode are in its VMCS, and to be the same. SDM vol. 3 "PDPTE Registers". */
static void read_pdptes(const struct entry_state *entry, uint64_t pdpte[PDPTES])
{
	for (unsigned i = 0; i < PDPTES; i++)
		pdpte[i] = entry->by ? vmread(GUEST_PDPTE0 + 2 * i) : 0;
}

static void vmx_reset(struct vcpu *vcpu, const struct entry_state *entry)
{
	struct vmx_vcpu *vmx = &vcpu->arch.vmx;
	uint64_t pdpte[PDPTES];
	hpa_t before;

	read_pdptes(entry, pdpte);
	before = vmx_borrow(vmx->vmcs);
	vmx_write_controls(vcpu->vm);
	vmx_write_guest_state(entry);
	for (unsigned i = 0; i < PDPTES; i++)
		vmwrite(GUEST_PDPTE0 + 2 * i, pdpte[i]);
	vmx_return(vmx->vmcs, before);
	vmx->cr8 = 0;
	/* What was cached under the VPID that it had is of its life before. */
	vcpu->arch.tag = (struct tag){ 0 };
}

const struct virt_ops vmx_ops = {
	.name = "vmx",
	.npt = &npt_ept,
	.hypercall_insn = HYPERCALL_VMCALL,
	.probe = vmx_probe,
	.enable = vmx_enable,
	.npt_config = vmx_npt_config,
	.real_mode = vmx_unrestricted_guest,
	.flush = vmx_flush,
	.vcpu_init = vmx_vcpu_init,
	.vcpu_free = vmx_vcpu_free,
	.load = vmx_load,
	.save = vmx_save,
	.fork = vmx_fork,
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
	.set_gpr = vmx_set_gpr,
	.code_bits = vmx_code_bits,
	.accepts = vmx_accepts,
	.inject_interrupt = vmx_inject_interrupt,
	.inject_nmi = vmx_inject_nmi,
	.set_windows = vmx_set_windows,
	.in_delivery = vmx_in_delivery,
	.step = vmx_step,
};

/* SPDX-License-Identifier: BSD-2-Clause */
/* Intel VMX: its place among virt_ops, switching it on, the VMCS of a guest. Intel SDM vol. 3 "Introduction to VMX". */
#include "vmm/x86_64/vmx/vmx.h"

#include "include/arch/x86_64/insn.h"
#include "include/arch/x86_64/msr.h"
#include "include/panic.h"
#include "mm/frame.h"
#include "vmm/x86_64/emulate.h"
#include "vmm/x86_64/speculation.h"

hpa_t vmx_current; /* raw 0: none */

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

/* INVEPT's descriptor. */
struct invept {
	uint64_t eptp, reserved;
};

static void invept(enum invept_type type, uint64_t eptp)
{
	struct invept descriptor = { eptp, 0 };
	bool failed;

	__asm__ volatile("invept %1, %2"
			 : "=@ccbe"(failed)
			 : "m"(descriptor), "r"((uint64_t)type)
			 : "memory");
	if (failed)
		panic("vmx: INVEPT type %u of EPTP %#lx failed", type, eptp);
}

/* VMXON, VMCLEAR and VMPTRLD differ in the mnemonic only. */
#define VMX_POINTER_INSN(name)                                                                     \
	static bool name(hpa_t region)                                                             \
	{                                                                                          \
		bool failed;                                                                       \
												   \
		__asm__ volatile(#name " %1" : "=@ccbe"(failed) : "m"(region.raw) : "memory");     \
		return !failed;                                                                    \
	}
VMX_POINTER_INSN(vmxon)
VMX_POINTER_INSN(vmclear)
VMX_POINTER_INSN(vmptrld)

/* A VMXON region or a VMCS begins with the revision. SDM vol. 3 "Format of the VMCS Region". */
static enum err alloc_region(hpa_t *region)
{
	enum err err = frame_alloc_zeroed(0, region);

	if (err == ERR_OK)
		*(uint32_t *)frame_ptr(*region) = vmx_caps.revision;
	return err;
}

static enum err vmx_enable(const char **why)
{
	uint64_t control = rdmsr(IA32_FEATURE_CONTROL);
	hpa_t region;

	if (!(control & FEATURE_CONTROL_LOCK))
		wrmsr(IA32_FEATURE_CONTROL, control | FEATURE_CONTROL_VMX | FEATURE_CONTROL_LOCK);
	/* SDM vol. 3 app. A.7, A.8: the host's own registers have fixed bits too. */
	write_cr0((read_cr0() | rdmsr(IA32_VMX_CR0_FIXED0)) & rdmsr(IA32_VMX_CR0_FIXED1));
	write_cr4((read_cr4() | CR4_VMXE | rdmsr(IA32_VMX_CR4_FIXED0)) & rdmsr(IA32_VMX_CR4_FIXED1));

	if (alloc_region(&region) != ERR_OK) {
		*why = "no memory for the VMXON region";
		return ERR_NO_MEMORY;
	}
	if (!vmxon(region)) {
		frame_free(region, 0);
		*why = "the CPU refused VMXON";
		return ERR_UNSUPPORTED;
	}
	/* Whoever ran VMX before us may have left translations. */
	if (vmx_caps.ept_vpid & EPT_CAP_INVEPT_ALL)
		invept(INVEPT_ALL_CONTEXT, 0);
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

uint64_t vmx_eptp(const struct npt *npt)
{
	return npt->root.raw | EPTP_WB | EPTP_LEVELS(npt->config.levels) | (npt->config.hardware_ad ? EPTP_ENABLE_AD : 0);
}

void vmx_flush(struct vm *vm)
{
	/* Reaches every VPID's, so INVVPID is not needed. SDM vol. 3 "Operations that Invalidate Cached Mappings". */
	if (vmx_caps.ept_vpid & EPT_CAP_INVEPT_SINGLE)
		invept(INVEPT_SINGLE_CONTEXT, vmx_eptp(&vm->as.npt));
	else
		invept(INVEPT_ALL_CONTEXT, 0);
}

void vmx_load_vmcs(hpa_t vmcs)
{
	if (!vmptrld(vmcs))
		panic("vmx: VMPTRLD of %#lx failed", vmcs.raw);
	vmx_current = vmcs;
}

void vmx_load(struct vcpu *vcpu)
{
	vmx_load_vmcs(vcpu->arch.vmx.vmcs);
}

/* A bit for each MSR: reads of the low and the high range, then writes. SDM vol. 3 "MSR-Bitmap Address". */
static void msr_bitmap_pass(uint8_t *map, uint32_t msr)
{
	uint32_t index = msr < 0x2000 ? msr : msr - 0xc0000000 + 0x2000;

	map[index / 8] &= (uint8_t)~(1u << index % 8);
	map[0x800 + index / 8] &= (uint8_t)~(1u << index % 8);
}

static void fill_msr_bitmap(hpa_t bitmap)
{
	uint8_t *map = frame_ptr(bitmap);

	for (size_t i = 0; i < PAGE_SIZE; i++)
		map[i] = 0xff;
	for (size_t i = 0; i < msr_passthrough_count; i++)
		msr_bitmap_pass(map, msr_passthrough[i]);
}

void vmx_clear(struct vcpu *vcpu)
{
	struct vmx_vcpu *vmx = &vcpu->arch.vmx;

	if (!vmclear(vmx->vmcs))
		panic("vmx: VMCLEAR of %#lx failed", vmx->vmcs.raw);
	if (vmx_current.raw == vmx->vmcs.raw)
		vmx_current = HPA(0);
	vmx->launched = 0;
}

static void vmx_vm_free(struct vm *vm)
{
	struct vmx_vcpu *vcpu = &vm->vcpu.arch.vmx;

	if (vcpu->vmcs.raw) {
		vmx_clear(&vm->vcpu); /* the CPU may hold parts of it until then */
		frame_free(vcpu->vmcs, 0);
	}
	if (vm->arch.vmx.msr_bitmap.raw)
		frame_free(vm->arch.vmx.msr_bitmap, 0);
	vm->arch.vmx = (struct vmx_vm){ 0 };
	*vcpu = (struct vmx_vcpu){ 0 };
}

enum err vmx_vm_init(struct vm *vm)
{
	struct vmx_vcpu *vcpu = &vm->vcpu.arch.vmx;
	enum err err;

	vm->arch.vmx = (struct vmx_vm){ 0 };
	*vcpu = (struct vmx_vcpu){ 0 };
	err = alloc_region(&vcpu->vmcs);
	if (err == ERR_OK)
		err = frame_alloc(0, &vm->arch.vmx.msr_bitmap);
	if (err != ERR_OK) {
		vmx_vm_free(vm);
		return err;
	}
	fill_msr_bitmap(vm->arch.vmx.msr_bitmap);
	return ERR_OK;
}

static void vmx_reset(struct vcpu *vcpu, const struct entry_state *entry)
{
	vmx_clear(vcpu);
	vmx_make_current(vcpu);
	vcpu->arch.vmx.cr8 = 0;
	vmx_write_controls(vcpu->vm, vmx_eptp(&vcpu->vm->as.npt));
	vmx_write_host_state();
	vmx_write_guest_state(entry);
	vmx_flush(vcpu->vm);
}

static const uint16_t fields[FIELD_COUNT] = {
	[FIELD_RIP] = GUEST_RIP,
	[FIELD_RSP] = GUEST_RSP,
	[FIELD_RFLAGS] = GUEST_RFLAGS,
	[FIELD_CR0] = GUEST_CR0,
	[FIELD_CR3] = GUEST_CR3,
	[FIELD_CR4] = GUEST_CR4,
	[FIELD_DR7] = GUEST_DR7,
	[FIELD_EFER] = GUEST_IA32_EFER,
	[FIELD_PAT] = GUEST_IA32_PAT,
	[FIELD_TSC_OFFSET] = TSC_OFFSET,
	[FIELD_CS] = GUEST_CS_SELECTOR,
	[FIELD_CS_BASE] = GUEST_CS_BASE,
	[FIELD_SS] = GUEST_SS_SELECTOR,
	[FIELD_GDTR_BASE] = GUEST_GDTR_BASE,
	[FIELD_GDTR_LIMIT] = GUEST_GDTR_LIMIT,
	[FIELD_IDTR_BASE] = GUEST_IDTR_BASE,
	[FIELD_IDTR_LIMIT] = GUEST_IDTR_LIMIT,
};

/* As the guest sees it: masked bits come from the shadow. */
static uint64_t read_shadowed(enum vmcs_field field, enum vmcs_field mask_field, enum vmcs_field shadow)
{
	uint64_t mask = vmread(mask_field);

	return (vmread(field) & ~mask) | (vmread(shadow) & mask);
}

static uint64_t vmx_get(struct vcpu *vcpu, enum guest_field field)
{
	vmx_make_current(vcpu);
	if (field == FIELD_CR0)
		return read_shadowed(GUEST_CR0, CR0_MASK, CR0_SHADOW);
	if (field == FIELD_CR4)
		return read_shadowed(GUEST_CR4, CR4_MASK, CR4_SHADOW);
	return vmread(fields[field]);
}

static void vmx_set(struct vcpu *vcpu, enum guest_field field, uint64_t value)
{
	vmx_make_current(vcpu);
	vmwrite(fields[field], value);
}

uint64_t vmx_get_gpr(struct vcpu *vcpu, enum gpr gpr)
{
	return gpr == RSP ? vmx_get(vcpu, FIELD_RSP) : vcpu->arch.gpr[gpr];
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
	.vm_memory = 2 * PAGE_SIZE, /* VMCS and MSR bitmap */
	.vm_fork = vmx_vm_fork,
	.load = vmx_load_kept,
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

/* SPDX-License-Identifier: BSD-2-Clause */
/* AMD SVM: its place among virt_ops, switching it on, the VMCB of a guest. AMD APM vol. 2 "Secure Virtual Machine". */
#include "vmm/x86_64/svm/svm.h"

#include "include/arch/x86_64/insn.h"
#include "include/arch/x86_64/msr.h"
#include "include/panic.h"
#include "mm/frame.h"
#include "vmm/x86_64/emulate.h"

/* Where VMSAVE put the host's share of the state; loaded again after each exit. */
static hpa_t host_vmcb_pa;
static uint32_t next_asid = 1; /* 0 is the host's */

/*
 * Guests run with what these hold, and cannot write them. RDPID, which has no intercept, reads TSC_AUX; where LBR
 * virtualization is off, no VMCB has a DEBUGCTL, whose BTF would change what single-stepping is.
 */
static void define_shared_msrs(void)
{
	wrmsr(IA32_DEBUGCTL, 0);
	if (cpuid(0x80000001, 0).edx & CPUID_81_EDX_RDTSCP || cpuid(7, 0).ecx & CPUID_7_ECX_RDPID)
		wrmsr(IA32_TSC_AUX, 0);
}

static enum err svm_enable(const char **why)
{
	hpa_t save_area;

	if (frame_alloc_zeroed(0, &save_area) != ERR_OK || frame_alloc_zeroed(0, &host_vmcb_pa) != ERR_OK) {
		*why = "no memory for SVM's host save area";
		return ERR_NO_MEMORY;
	}
	/* NXE decides about the no-execute bit of nested entries too. */
	wrmsr(IA32_EFER, rdmsr(IA32_EFER) | EFER_SVME | EFER_NXE);
	wrmsr(VM_HSAVE_PA, save_area.raw);
	define_shared_msrs();
	return ERR_OK;
}

static void svm_npt_config(struct npt_config *config)
{
	bool leaves_1g = cpuid(0x80000001, 0).edx & CPUID_81_EDX_PDPE1GB;

	/* The nested walk has the host's paging mode. AMD APM vol. 2 "Nested Paging". */
	config->levels = read_cr4() & CR4_LA57 ? 5 : 4;
	config->max_leaf = leaves_1g ? 2 : 1;
	config->hardware_ad = true; /* AMD APM vol. 2 "Nested Table Walk": as in any long-mode table */
}

static void svm_flush(struct vm *vm)
{
	struct vmcb *vmcb = vm->vcpu.arch.svm.vmcb;

	/* Before the vCPU's first run there is nothing to flush, and svm_reset requests a flush anyway. */
	if (vmcb)
		vmcb->tlb_control = svm_features.flush_by_asid ? TLB_CONTROL_FLUSH_ASID : TLB_CONTROL_FLUSH_ALL;
}

/* Two bits for each MSR, read and write; the manual's three ranges. AMD APM vol. 2 "MSR Intercepts". */
static void msrpm_pass(uint8_t *map, uint32_t msr)
{
	uint32_t index = msr < 0x2000 ? msr : msr < 0xc0010000 ? msr - 0xc0000000 + 0x2000 : msr - 0xc0010000 + 0x4000;

	map[index / 4] &= (uint8_t) ~(3u << (index % 4 * 2));
}

static void fill_ones(hpa_t block, uint64_t size)
{
	uint64_t *words = frame_ptr(block);

	for (uint64_t i = 0; i < size / sizeof(*words); i++)
		words[i] = ~UINT64_C(0);
}

static void svm_vm_free(struct vm *vm)
{
	struct svm_vcpu *vcpu = &vm->vcpu.arch.svm;

	if (vcpu->vmcb_pa.raw)
		frame_free(vcpu->vmcb_pa, 0);
	if (vm->arch.svm.msrpm.raw)
		frame_free(vm->arch.svm.msrpm, SVM_MSRPM_ORDER);
	if (vm->arch.svm.iopm.raw)
		frame_free(vm->arch.svm.iopm, SVM_IOPM_ORDER);
	vm->arch.svm = (struct svm_vm){ 0 };
	vm->vcpu.arch.svm = (struct svm_vcpu){ 0 };
}

static enum err svm_vm_init(struct vm *vm)
{
	struct svm_vcpu *vcpu = &vm->vcpu.arch.svm;
	struct svm_vm *arch = &vm->arch.svm;
	enum err err;

	*arch = (struct svm_vm){ .asid = next_asid };
	*vcpu = (struct svm_vcpu){ .host_vmcb_pa = host_vmcb_pa };
	next_asid = next_asid + 1 < svm_features.asids ? next_asid + 1 : 1;

	err = frame_alloc_zeroed(0, &vcpu->vmcb_pa);
	if (err == ERR_OK)
		err = frame_alloc(SVM_IOPM_ORDER, &arch->iopm);
	if (err == ERR_OK)
		err = frame_alloc(SVM_MSRPM_ORDER, &arch->msrpm);
	if (err != ERR_OK) {
		svm_vm_free(vm);
		return err;
	}
	vcpu->vmcb = frame_ptr(vcpu->vmcb_pa);
	fill_ones(arch->iopm, PAGE_SIZE << SVM_IOPM_ORDER);
	fill_ones(arch->msrpm, PAGE_SIZE << SVM_MSRPM_ORDER);
	for (size_t i = 0; i < msr_passthrough_count; i++)
		msrpm_pass(frame_ptr(arch->msrpm), msr_passthrough[i]);
	return ERR_OK;
}

/* What in a VMCB is of its VM alone. */
static void set_vm(const struct vm *vm, struct vmcb *vmcb)
{
	vmcb->iopm_base_pa = vm->arch.svm.iopm.raw;
	vmcb->msrpm_base_pa = vm->arch.svm.msrpm.raw;
	vmcb->asid = vm->arch.svm.asid;
	vmcb->nested_cr3 = vm->as.npt.root.raw;
}

static enum err svm_vm_fork(struct vm *child, const struct vm *parent)
{
	enum err err = svm_vm_init(child);
	struct vmcb *vmcb = child->vcpu.arch.svm.vmcb;

	if (err != ERR_OK)
		return err;
	*vmcb = *parent->vcpu.arch.svm.vmcb;
	set_vm(child, vmcb);
	svm_flush(child); /* translations of the VM that had the ASID before */
	svm_finish_hypercall(&child->vcpu, 0);
	return ERR_OK;
}

static void svm_load(struct vcpu *vcpu)
{
	(void)vcpu; /* the VMCB has all */
}

static void reset_control(struct vm *vm, struct vmcb *vmcb)
{
	vmcb->intercept_cr_write = BIT(4);
	/* A machine check is the host's; for the others see delivery_repeats. */
	vmcb->intercept_exceptions = (uint32_t)(BIT(VECTOR_MC) | BIT(VECTOR_DB) | BIT(VECTOR_AC));
	vmcb->intercept_misc1 = (uint32_t)(INTERCEPT_INTR | INTERCEPT_NMI | INTERCEPT_INIT | INTERCEPT_CR0_SEL_WRITE |
					   INTERCEPT_RDPMC | INTERCEPT_CPUID | INTERCEPT_RSM | INTERCEPT_INVD | INTERCEPT_HLT |
					   INTERCEPT_INVLPGA | INTERCEPT_IOIO | INTERCEPT_MSR | INTERCEPT_SHUTDOWN);
	vmcb->intercept_misc2 =
		(uint32_t)(INTERCEPT_VMRUN | INTERCEPT_VMMCALL | INTERCEPT_VMLOAD | INTERCEPT_VMSAVE | INTERCEPT_STGI |
			   INTERCEPT_CLGI | INTERCEPT_SKINIT | INTERCEPT_RDTSCP | INTERCEPT_MONITOR | INTERCEPT_MWAIT |
			   INTERCEPT_MWAIT_ARMED | INTERCEPT_XSETBV | INTERCEPT_RDPRU | INTERCEPT_ICEBP);
	if (cpuid(7, 0).ebx & CPUID_7_EBX_INVPCID)
		vmcb->intercept_misc3 = (uint32_t)INTERCEPT_INVPCID;
	set_vm(vm, vmcb);
	/* The guest's IF and CR8 are its own; whether the machine's interrupts are taken, the host's IF (0) decides. */
	vmcb->int_ctl = INT_CTL_V_INTR_MASKING;
	vmcb->nested_ctl = NESTED_CTL_NP_ENABLE;
}

static void reset_save(struct vmcb *vmcb, const struct entry_state *entry)
{
	struct vmcb_segment data = { ENTRY_DS, SEG_DATA, UINT32_MAX, 0 };

	vmcb->cs = (struct vmcb_segment){ ENTRY_CS, SEG_CODE64, UINT32_MAX, 0 };
	vmcb->ds = data;
	vmcb->es = data;
	vmcb->ss = data;
	vmcb->gdtr = (struct vmcb_segment){ .limit = entry->gdt_limit, .base = entry->gdt_base };
	vmcb->tr = (struct vmcb_segment){ .attrib = SEG_TSS, .limit = UINT16_MAX };
	vmcb->efer = EFER_LME | EFER_LMA | EFER_NXE | EFER_SVME;
	vmcb->cr0 = ENTRY_CR0;
	vmcb->cr3 = entry->cr3;
	vmcb->cr4 = ENTRY_CR4;
	vmcb->dr6 = DR6_RESET;
	vmcb->dr7 = DR7_RESET;
	vmcb->rflags = RFLAGS_ONE;
	vmcb->rip = entry->rip;
	vmcb->g_pat = PAT_RESET;
}

static void svm_reset(struct vcpu *vcpu, const struct entry_state *entry)
{
	struct vmcb *vmcb = vcpu->arch.svm.vmcb;
	const char *bad;

	*vmcb = (struct vmcb){ 0 };
	reset_control(vcpu->vm, vmcb);
	reset_save(vmcb, entry);
	bad = svm_bad_state(vcpu);
	if (bad)
		panic("svm: VMRUN would refuse the guest: %s", bad);
	svm_flush(vcpu->vm);
	/* By now the host's descriptor tables are the ones it keeps. */
	__asm__ volatile("vmsave %%rax" : : "a"(host_vmcb_pa.raw) : "memory");
}

const struct virt_ops svm_ops = {
	.name = "svm",
	.npt = &npt_amd,
	.hypercall_insn = HYPERCALL_VMMCALL,
	.probe = svm_probe,
	.enable = svm_enable,
	.npt_config = svm_npt_config,
	.flush = svm_flush,
	.vm_init = svm_vm_init,
	.vm_free = svm_vm_free,
	.vm_memory = PAGE_SIZE + (PAGE_SIZE << SVM_IOPM_ORDER) + (PAGE_SIZE << SVM_MSRPM_ORDER),
	.vm_fork = svm_vm_fork,
	.load = svm_load,
	.reset = svm_reset,
	.run = svm_run,
	.decode = svm_decode,
	.handle_exit = svm_handle_exit,
	.finish_io = svm_finish_io,
	.finish_hypercall = svm_finish_hypercall,
	.inject_denied = svm_inject_denied,
	.describe = svm_describe,
	.name_exit = svm_name_exit,
	.get = svm_get,
	.set = svm_set,
	.get_gpr = svm_get_gpr,
};

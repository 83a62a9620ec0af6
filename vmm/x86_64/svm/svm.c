/* SPDX-License-Identifier: BSD-2-Clause */
/* AMD SVM: its place among virt_ops, switching it on, the VMCB of a guest. AMD APM vol. 2 "Secure Virtual Machine". */
#include "vmm/x86_64/svm/svm.h"

#include "include/arch/x86_64/insn.h"
#include "include/arch/x86_64/msr.h"
#include "include/panic.h"
#include "mm/frame.h"
#include "vmm/cpu.h"
#include "vmm/x86_64/emulate.h"

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
	hpa_t save_area, *host_vmcb = &arch_this_cpu()->arch.control;

	if (frame_alloc_zeroed(0, &save_area) != ERR_OK || frame_alloc_zeroed(0, host_vmcb) != ERR_OK) {
		*why = "no memory for SVM's host save area";
		return ERR_NO_MEMORY;
	}
	/* NXE decides about the no-execute bit of nested entries too. */
	wrmsr(IA32_EFER, rdmsr(IA32_EFER) | EFER_SVME | EFER_NXE);
	wrmsr(VM_HSAVE_PA, save_area.raw);
	define_shared_msrs();
	/* The host's descriptor tables are by now the ones that it keeps. */
	__asm__ volatile("vmsave %%rax" : : "a"(host_vmcb->raw) : "memory");
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

static void svm_flush(struct vcpu *vcpu)
{
	vcpu->arch.svm.vmcb->tlb_control = svm_features.flush_by_asid ? TLB_CONTROL_FLUSH_ASID : TLB_CONTROL_FLUSH_ALL;
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
	if (vm->arch.svm.msrpm.raw)
		frame_free(vm->arch.svm.msrpm, SVM_MSRPM_ORDER);
	if (vm->arch.svm.iopm.raw)
		frame_free(vm->arch.svm.iopm, SVM_IOPM_ORDER);
	vm->arch.svm = (struct svm_vm){ 0 };
}

static enum err svm_vm_init(struct vm *vm)
{
	struct svm_vm *arch = &vm->arch.svm;
	enum err err;

	*arch = (struct svm_vm){ 0 };
	err = frame_alloc(SVM_IOPM_ORDER, &arch->iopm);
	if (err == ERR_OK)
		err = frame_alloc(SVM_MSRPM_ORDER, &arch->msrpm);
	if (err != ERR_OK) {
		svm_vm_free(vm);
		return err;
	}
	fill_ones(arch->iopm, PAGE_SIZE << SVM_IOPM_ORDER);
	fill_ones(arch->msrpm, PAGE_SIZE << SVM_MSRPM_ORDER);
	for (size_t i = 0; i < msr_passthrough_count; i++)
		msrpm_pass(frame_ptr(arch->msrpm), msr_passthrough[i]);
	return ERR_OK;
}

static void svm_vcpu_free(struct vcpu *vcpu)
{
	if (vcpu->arch.svm.vmcb_pa.raw)
		frame_free(vcpu->arch.svm.vmcb_pa, 0);
	vcpu->arch.svm = (struct svm_vcpu){ 0 };
}

static enum err svm_vcpu_init(struct vcpu *vcpu)
{
	struct svm_vcpu *svm = &vcpu->arch.svm;
	enum err err;

	*svm = (struct svm_vcpu){ .asid = next_asid };
	next_asid = next_asid + 1 < svm_features.asids ? next_asid + 1 : 1;
	err = frame_alloc_zeroed(0, &svm->vmcb_pa);
	if (err == ERR_OK)
		svm->vmcb = frame_ptr(svm->vmcb_pa);
	return err;
}

/* What in a VMCB is of its vCPU alone. */
static void set_vcpu(const struct vcpu *vcpu, struct vmcb *vmcb)
{
	const struct vm *vm = vcpu->vm;

	vmcb->iopm_base_pa = vm->arch.svm.iopm.raw;
	vmcb->msrpm_base_pa = vm->arch.svm.msrpm.raw;
	vmcb->asid = vcpu->arch.svm.asid;
	vmcb->nested_cr3 = vm->as.npt.root.raw;
}

static void svm_vcpu_fork(struct vcpu *child, const struct vcpu *parent)
{
	struct vmcb *vmcb = child->arch.svm.vmcb;

	*vmcb = *parent->arch.svm.vmcb;
	set_vcpu(child, vmcb);
}

/* The VMCB has all. Translations of the vCPU that had the ASID before are flushed. */
static void svm_vcpu_get(struct vcpu *vcpu)
{
	vcpu->arch.svm.host_vmcb_pa = arch_this_cpu()->arch.control;
	svm_flush(vcpu);
}

static void svm_vcpu_put(struct vcpu *vcpu)
{
	(void)vcpu;
}

static void reset_control(const struct vcpu *vcpu, struct vmcb *vmcb)
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
	set_vcpu(vcpu, vmcb);
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
	reset_control(vcpu, vmcb);
	reset_save(vmcb, entry);
	bad = svm_bad_state(vcpu);
	if (bad)
		panic("svm: VMRUN would refuse the guest: %s", bad);
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
	.vm_memory = (PAGE_SIZE << SVM_IOPM_ORDER) + (PAGE_SIZE << SVM_MSRPM_ORDER),
	.vcpu_init = svm_vcpu_init,
	.vcpu_free = svm_vcpu_free,
	.vcpu_memory = PAGE_SIZE,
	.vcpu_get = svm_vcpu_get,
	.vcpu_put = svm_vcpu_put,
	.vcpu_fork = svm_vcpu_fork,
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

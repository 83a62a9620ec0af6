/* SPDX-License-Identifier: BSD-2-Clause */
/* AMD SVM: its place among virt_ops, switching it on, the VMCB of a guest. AMD APM vol. 2 "Secure Virtual Machine". */
#include "vmm/x86_64/svm/svm.h"

#include <string.h>

#include "include/arch/x86_64/insn.h"
#include "include/arch/x86_64/msr.h"
#include "include/panic.h"
#include "mm/frame.h"
#include "vmm/x86_64/emulate.h"

/* What all guests are permitted: constant, and the same for all VMs. */
static hpa_t io_map, msr_map;

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

/* Two bits for each MSR, read and write; the manual's three ranges. AMD APM vol. 2 "MSR Intercepts". */
static void msr_map_pass(uint8_t *map, uint32_t msr)
{
	uint32_t index = msr < 0x2000 ? msr : msr < 0xc0010000 ? msr - 0xc0000000 + 0x2000 : msr - 0xc0010000 + 0x4000;

	map[index / 4] &= (uint8_t) ~(3u << (index % 4 * 2));
}

/* Once. */
static enum err make_shared(void)
{
	enum err err = frame_alloc(SVM_IOPM_ORDER, &io_map);

	if (err == ERR_OK)
		err = frame_alloc(SVM_MSRPM_ORDER, &msr_map);
	if (err != ERR_OK)
		return err;
	memset(frame_ptr(io_map), 0xff, PAGE_SIZE << SVM_IOPM_ORDER);
	memset(frame_ptr(msr_map), 0xff, PAGE_SIZE << SVM_MSRPM_ORDER);
	for (size_t i = 0; i < msr_passthrough_count; i++)
		msr_map_pass(frame_ptr(msr_map), msr_passthrough[i]);
	svm_make_idts();
	return ERR_OK;
}

static enum err svm_enable(struct virt_cpu *cpu, const char **why)
{
	enum err err = io_map.raw ? ERR_OK : make_shared();

	if (err == ERR_OK)
		err = frame_alloc_zeroed(0, &cpu->region);
	if (err == ERR_OK)
		err = frame_alloc_zeroed(0, &cpu->host_vmcb);
	if (err != ERR_OK) {
		*why = "no memory for what SVM needs of each CPU";
		return err;
	}
	/* NXE decides about the no-execute bit of nested entries too. */
	wrmsr(IA32_EFER, rdmsr(IA32_EFER) | EFER_SVME | EFER_NXE);
	wrmsr(VM_HSAVE_PA, cpu->region.raw);
	define_shared_msrs();
	tags_init(&cpu->tags, svm_features.asids);
	/* By now this CPU's descriptor tables are the ones it keeps. */
	__asm__ volatile("vmsave %%rax" : : "a"(cpu->host_vmcb.raw) : "memory");
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

static bool svm_real_mode(void)
{
	return true;
}

/* The flush of all that a new generation of ASIDs needs (svm_load) is not to be replaced by less. */
static void svm_flush(struct vcpu *vcpu)
{
	struct vmcb *vmcb = vcpu->arch.svm.vmcb;

	if (vmcb->tlb_control != TLB_CONTROL_FLUSH_ALL)
		vmcb->tlb_control = svm_features.flush_by_asid ? TLB_CONTROL_FLUSH_ASID : TLB_CONTROL_FLUSH_ALL;
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

	*svm = (struct svm_vcpu){ 0 };
	err = frame_alloc_zeroed(0, &svm->vmcb_pa);
	if (err == ERR_OK)
		svm->vmcb = frame_ptr(svm->vmcb_pa);
	return err;
}

/* The VMCB has all, and what a CPU caches of it (clean bits) is never used. */
static void svm_load(struct vcpu *vcpu)
{
	struct virt_cpu *cpu = &vcpu->cpu->arch.virt;
	struct svm_vcpu *svm = &vcpu->arch.svm;

	svm->host_vmcb_pa = cpu->host_vmcb;
	if (tags_take(&cpu->tags, &vcpu->arch.tag) == TAG_NEW_GENERATION)
		cpu->flush_all = true;
	svm->vmcb->asid = vcpu->arch.tag.number;
	if (cpu->flush_all)
		svm->vmcb->tlb_control = TLB_CONTROL_FLUSH_ALL;
}

/* An exit clears the request for a flush: without one, the guest has not been entered, and the next vCPU's entry has to flush. */
static void svm_save(struct vcpu *vcpu)
{
	if (vcpu->arch.svm.vmcb->tlb_control == TLB_CONTROL_NONE)
		vcpu->cpu->arch.virt.flush_all = false;
}

/* What in a VMCB is not the guest's. */
static void set_host_part(const struct vm *vm, struct vmcb *vmcb)
{
	vmcb->iopm_base_pa = io_map.raw;
	vmcb->msrpm_base_pa = msr_map.raw;
	vmcb->nested_cr3 = vm->as.npt.root.raw;
	vmcb->tlb_control = TLB_CONTROL_NONE; /* svm_load gives it an ASID that nothing is cached for */
}

static void svm_fork(struct vcpu *child, const struct vcpu *parent)
{
	struct vmcb *vmcb = child->arch.svm.vmcb;

	*vmcb = *parent->arch.svm.vmcb;
	set_host_part(child->vm, vmcb);
	child->arch.svm.nmi_held = parent->arch.svm.nmi_held;
	child->arch.svm.nmi_ends_at = parent->arch.svm.nmi_ends_at;
	child->arch.svm.shadow_at = parent->arch.svm.shadow_at;
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
	set_host_part(vm, vmcb);
	/* The guest's IF and CR8 are its own; whether the machine's interrupts are taken, the host's IF decides: entry.S. */
	vmcb->int_ctl = INT_CTL_V_INTR_MASKING;
	vmcb->nested_ctl = NESTED_CTL_NP_ENABLE;
}

/* Flat segments, or those of real mode. */
static void reset_segments(struct vmcb *vmcb, const struct entry_state *entry)
{
	bool real = entry->mode == ENTRY_REAL;
	struct vmcb_segment data = { ENTRY_DS, SEG_DATA, UINT32_MAX, 0 };

	if (real)
		data = (struct vmcb_segment){ 0, SEG_DATA16, UINT16_MAX, 0 };
	vmcb->cs = data;
	vmcb->ds = data;
	vmcb->es = data;
	vmcb->ss = data;
	vmcb->cs.selector = real ? entry->cs : ENTRY_CS;
	vmcb->cs.base = real ? (uint64_t)entry->cs << 4 : 0;
	vmcb->cs.attrib = real ? SEG_CODE16 : entry->mode == ENTRY_64 ? SEG_CODE64 : SEG_CODE32;
	if (real) {
		vmcb->fs = data;
		vmcb->gs = data;
		vmcb->ldtr = (struct vmcb_segment){ .attrib = SEG_LDT, .limit = UINT16_MAX };
	}
	vmcb->gdtr = (struct vmcb_segment){ .limit = entry->gdt_limit, .base = entry->gdt_base };
	vmcb->idtr = (struct vmcb_segment){ .limit = entry->idt_limit, .base = entry->idt_base };
	vmcb->tr = (struct vmcb_segment){ .attrib = SEG_TSS, .limit = UINT16_MAX };
}

static void reset_save(struct vmcb *vmcb, const struct entry_state *entry)
{
	reset_segments(vmcb, entry);
	vmcb->efer = entry->efer | EFER_SVME;
	vmcb->cr0 = entry->cr0;
	vmcb->cr3 = entry->cr3;
	vmcb->cr4 = entry->cr4;
	vmcb->dr6 = DR6_RESET;
	vmcb->dr7 = DR7_RESET;
	vmcb->rflags = RFLAGS_ONE;
	vmcb->rip = entry->rip;
	vmcb->g_pat = entry->pat;
}

static void svm_reset(struct vcpu *vcpu, const struct entry_state *entry)
{
	struct vmcb *vmcb = vcpu->arch.svm.vmcb;
	const char *bad;

	*vmcb = (struct vmcb){ 0 };
	vcpu->arch.svm.nmi_held = false;
	vcpu->arch.svm.nmi_ends_at = vcpu->arch.svm.shadow_at = SVM_NO_RIP;
	reset_control(vcpu->vm, vmcb);
	reset_save(vmcb, entry);
	/* What was cached under the ASID that it had is of its life before. */
	vcpu->arch.tag = (struct tag){ 0 };
	vmcb->asid = 1;
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
	.real_mode = svm_real_mode,
	.flush = svm_flush,
	.vcpu_init = svm_vcpu_init,
	.vcpu_free = svm_vcpu_free,
	.load = svm_load,
	.save = svm_save,
	.fork = svm_fork,
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
	.set_gpr = svm_set_gpr,
	.code_bits = svm_code_bits,
	.accepts = svm_accepts,
	.inject_interrupt = svm_inject_interrupt,
	.inject_nmi = svm_inject_nmi,
	.set_windows = svm_set_windows,
	.in_delivery = svm_in_delivery,
	.step = svm_step,
};

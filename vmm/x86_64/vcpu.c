/* SPDX-License-Identifier: BSD-2-Clause */
/* The life of a vCPU: its entry states, and its way into a CPU and out of it. */
#include "include/arch/virt.h"

#include <string.h>

#include "include/arch/x86_64/msr.h"
#include "vmm/cpu.h"
#include "vmm/x86_64/apic.h"
#include "vmm/x86_64/emulate.h"
#include "vmm/x86_64/speculation.h"
#include "vmm/x86_64/virt_ops.h"

/* Intel SDM vol. 1 "FXSAVE Area": all zero but for these two, which FNINIT and a reset give. */
static const struct fp_state fp_reset = { .fcw = 0x37f, .mxcsr = 0x1f80 };

/* What a CPU has after INIT. SDM vol. 3 "Processor State After Reset": the caches are off. */
#define INIT_CR0 (CR0_CD | CR0_NW | CR0_ET)

enum err arch_vcpu_init(struct vcpu *vcpu)
{
	apic_reset(vcpu);
	return virt->vcpu_init(vcpu);
}

void arch_vcpu_free(struct vcpu *vcpu)
{
	virt->vcpu_free(vcpu);
}

uint64_t arch_vcpu_memory(const struct vcpu *vcpu)
{
	(void)vcpu;
	return PAGE_SIZE; /* the control block */
}

void vcpu_reset(struct vcpu *vcpu, const struct entry_state *entry)
{
	struct vcpu_arch *arch = &vcpu->arch;

	memset(arch->gpr, 0, sizeof(arch->gpr));
	memset(&arch->kept, 0, sizeof(arch->kept));
	arch->kept.fp = fp_reset;
	arch->kept.dr6 = DR6_RESET;
	arch->msrs_logged = 0;
	arch->clock_page = 0;
	arch->apic.windows = 0;
	virt->reset(vcpu, entry);
}

/* A start-up IPI has `entry` = vector << 12. SDM vol. 3 "MP Initialization Protocol Algorithm"; EDX: "Processor State After Reset".
 */
void vcpu_reset_real(struct vcpu *vcpu, uint64_t entry)
{
	const struct entry_state state = {
		.mode = ENTRY_REAL,
		.cs = (uint16_t)(entry >> 4),
		.cr0 = INIT_CR0,
		.pat = PAT_RESET,
		.gdt_limit = UINT16_MAX,
		.idt_limit = UINT16_MAX,
	};

	vcpu_reset(vcpu, &state);
	vcpu->arch.gpr[RDX] = cpuid(1, 0).eax;
}

void arch_vcpu_start(struct vcpu *vcpu, struct vcpu *by, uint64_t entry, uint64_t argument)
{
	struct entry_state state = { .rip = entry };

	if (!by || !(virt->get(by, FIELD_CR0) & CR0_PE)) {
		vcpu_reset_real(vcpu, entry);
		return;
	}
	state.cr0 = virt->get(by, FIELD_CR0);
	state.cr3 = virt->get(by, FIELD_CR3);
	state.cr4 = virt->get(by, FIELD_CR4);
	state.efer = virt->get(by, FIELD_EFER);
	state.pat = virt->get(by, FIELD_PAT);
	state.gdt_base = virt->get(by, FIELD_GDTR_BASE);
	state.gdt_limit = (uint16_t)virt->get(by, FIELD_GDTR_LIMIT);
	state.idt_base = virt->get(by, FIELD_IDTR_BASE);
	state.idt_limit = (uint16_t)virt->get(by, FIELD_IDTR_LIMIT);
	state.mode = state.efer & EFER_LMA ? ENTRY_64 : ENTRY_32;
	state.by = by;
	vcpu_reset(vcpu, &state);
	vcpu->arch.gpr[RDI] = argument;
	vcpu->arch.gpr[RSI] = argument;
}

void arch_vcpu_fork(struct vcpu *child, const struct vcpu *parent)
{
	memcpy(child->arch.gpr, parent->arch.gpr, sizeof(child->arch.gpr));
	child->arch.msrs_logged = parent->arch.msrs_logged;
	child->arch.apic = parent->arch.apic;
	child->arch.kept = parent->arch.kept;
	child->arch.clock_page = parent->arch.clock_page;
	child->arch.wall_clock = parent->arch.wall_clock;
	apic_look(child); /* what its parent was still to look at */
	virt->fork(child, parent);
}

void arch_vcpu_get(struct vcpu *vcpu)
{
	struct virt_cpu *cpu = &vcpu->cpu->arch.virt;
	const struct kept_state *kept = &vcpu->arch.kept;

	if (cpu->last_vm != vcpu->vm->arch.id) {
		cpu->last_vm = vcpu->vm->arch.id;
		speculation_forget();
	}
	fp_load(&kept->fp);
	debug_load(kept->dr);
	virt->load(vcpu);
	/* Its time may have come meanwhile. */
	if (vcpu->arch.apic.timer_deadline != NEVER)
		apic_look(vcpu);
}

void arch_vcpu_put(struct vcpu *vcpu)
{
	struct kept_state *kept = &vcpu->arch.kept;

	fp_save(&kept->fp);
	debug_save(kept->dr);
	virt->save(vcpu);
}

/* The sender's side is generic: vmm/shootdown.h. */
void arch_flush_resident(struct vcpu *vcpu)
{
	virt->flush(vcpu);
}

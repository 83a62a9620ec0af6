/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A vCPU's state, moved between memory and the hart; general registers and the pc are the world switch's. henvcfg, hstateen0 and
 * the like are the same for all guests and stay as arch_virt_enable made them.
 *
 * FP and vector registers are saved when the guest has changed them (sstatus says so: "Extension Context Status in mstatus
 * Register"), and loaded when those of another vCPU have been in the hart since. So a vCPU that uses neither takes no other's
 * registers to memory, but its own are always there when it runs: it never sees another's.
 */
#include "include/arch/virt.h"

#include <string.h>

#include "include/arch/riscv64/insn.h"
#include "mm/frame.h"
#include "vmm/cpu.h"
#include "vmm/riscv64/riscv.h"

enum { VECTOR_REGISTERS = 32 };

/* "vill" alone: no configuration, as after a reset. Unprivileged, "Vector type (vtype) register". */
#define VTYPE_ILLEGAL BIT(63)

/* --- Memory ---------------------------------------------------------------------------------------------------------- */

static uint64_t vectors_size(void)
{
	return (uint64_t)riscv_features.vector_bytes * VECTOR_REGISTERS;
}

enum err arch_vcpu_init(struct vcpu *vcpu)
{
	struct kept_state *kept = &vcpu->arch.kept;

	if (!riscv_features.vectors)
		return ERR_OK;
	while (PAGE_SIZE << kept->vectors_order < vectors_size())
		kept->vectors_order++;
	return frame_alloc(kept->vectors_order, &kept->vectors);
}

uint64_t arch_vcpu_memory(const struct vcpu *vcpu)
{
	const struct kept_state *kept = &vcpu->arch.kept;

	return kept->vectors.raw ? PAGE_SIZE << kept->vectors_order : 0;
}

void arch_vcpu_free(struct vcpu *vcpu)
{
	struct kept_state *kept = &vcpu->arch.kept;

	if (kept->vectors.raw)
		frame_free(kept->vectors, kept->vectors_order);
}

void arch_vcpu_fork(struct vcpu *child, const struct vcpu *parent)
{
	hpa_t vectors = child->arch.kept.vectors;

	child->arch = parent->arch;
	child->arch.vmid = (struct vmid){ 0 };
	child->arch.units_cpu = NULL;
	child->arch.kept.vectors = vectors;
	if (vectors.raw)
		memcpy(frame_ptr(vectors), frame_ptr(parent->arch.kept.vectors), vectors_size());
}

/*
 * All that a guest can read is 0. sret goes to V=1, there to VS-mode by sstatus.SPP. WFI traps: nobody else would end a wait for
 * nothing. FP and vector units are on in sstatus, which leaves it to the guest's vsstatus whether it may use them; that starts with
 * both off.
 */
void vcpu_clear(struct vcpu *vcpu)
{
	struct vcpu_arch *arch = &vcpu->arch;
	hpa_t vectors = arch->kept.vectors;

	memset(arch->gpr, 0, sizeof(arch->gpr));
	arch->timer = NEVER;
	arch->units_cpu = NULL;
	arch->ipi = 0;
	arch->kept = (struct kept_state){
		.vsstatus = SSTATUS_UXL_64,
		.sstatus = SSTATUS_FS_CLEAN | SSTATUS_VS_CLEAN | SSTATUS_SPP | SSTATUS_SPIE,
		.hstatus = HSTATUS_VSXL_64 | HSTATUS_VTW | HSTATUS_SPVP | HSTATUS_SPV,
		/* It gates VU-mode as well, has no copy of the guest's, and Linux leaves it as firmware had it: OpenSBI has all
		   three on. */
		.scounteren = COUNTEREN_BASE,
		.vector.vtype = VTYPE_ILLEGAL,
		.vectors = vectors,
		.vectors_order = arch->kept.vectors_order,
	};
	if (vectors.raw)
		memset(frame_ptr(vectors), 0, vectors_size());
}

/* --- Out of the hart -------------------------------------------------------------------------------------------------- */

static void save_fp(struct fp_state *fp)
{
	if (riscv_features.fp_bytes == 8)
		fp_save(fp);
	else if (riscv_features.fp_bytes == 4)
		fp_save_single(fp);
}

static void save_units(struct kept_state *kept)
{
	if ((kept->sstatus & SSTATUS_FS) == SSTATUS_FS)
		save_fp(&kept->fp);
	if ((kept->sstatus & SSTATUS_VS) == SSTATUS_VS && kept->vectors.raw)
		vector_save(frame_ptr(kept->vectors), &kept->vector);
	kept->sstatus = (kept->sstatus & ~(SSTATUS_FS | SSTATUS_VS)) | SSTATUS_FS_CLEAN | SSTATUS_VS_CLEAN;
}

static void save_optional(struct kept_state *kept)
{
	const struct riscv_features *has = &riscv_features;

	if (has->senvcfg)
		kept->senvcfg = csr_read(CSR_SENVCFG);
	if (has->vsiselect)
		kept->vsiselect = csr_read(CSR_VSISELECT);
	if (has->scontext)
		kept->scontext = csr_read(CSR_SCONTEXT);
	if (has->jvt)
		kept->jvt = csr_read(CSR_JVT);
}

/* The guest's own tables are taken away before the G-stage's: "Hypervisor Guest Address Translation and Protection (hgatp)
 * Register". */
void arch_vcpu_put(struct vcpu *vcpu)
{
	struct kept_state *kept = &vcpu->arch.kept;

	kept->sstatus = csr_read(CSR_SSTATUS);
	kept->hstatus = csr_read(CSR_HSTATUS);
	kept->vsstatus = csr_read(CSR_VSSTATUS);
	kept->vsie = csr_read(CSR_VSIE);
	kept->vstvec = csr_read(CSR_VSTVEC);
	kept->vsscratch = csr_read(CSR_VSSCRATCH);
	kept->vsepc = csr_read(CSR_VSEPC);
	kept->vscause = csr_read(CSR_VSCAUSE);
	kept->vstval = csr_read(CSR_VSTVAL);
	kept->scounteren = csr_read(CSR_SCOUNTEREN);
	kept->hvip = csr_read(CSR_HVIP);
	if (riscv_features.sstc)
		vcpu->arch.timer = csr_read(CSR_VSTIMECMP);
	save_optional(kept);
	save_units(kept);
	kept->vsatp = csr_read(CSR_VSATP);
	csr_write(CSR_VSATP, 0);
	csr_write(CSR_HGATP, 0);
}

/* --- Into the hart ---------------------------------------------------------------------------------------------------- */

static void load_fp(const struct fp_state *fp)
{
	if (riscv_features.fp_bytes == 8)
		fp_load(fp);
	else if (riscv_features.fp_bytes == 4)
		fp_load_single(fp);
}

/* A vCPU that begins, or another one where a vCPU was that is gone, has no units_cpu: then a hart's `units` is not believed. */
static void load_units(struct cpu *cpu, struct vcpu *vcpu)
{
	const struct kept_state *kept = &vcpu->arch.kept;

	if (cpu->arch.units == vcpu && vcpu->arch.units_cpu == cpu)
		return;
	cpu->arch.units = vcpu;
	vcpu->arch.units_cpu = cpu;
	load_fp(&kept->fp);
	if (kept->vectors.raw)
		vector_load(frame_ptr(kept->vectors), &kept->vector);
}

static void load_optional(const struct kept_state *kept)
{
	const struct riscv_features *has = &riscv_features;

	if (has->senvcfg)
		csr_write(CSR_SENVCFG, kept->senvcfg);
	if (has->vsiselect)
		csr_write(CSR_VSISELECT, kept->vsiselect);
	if (has->scontext)
		csr_write(CSR_SCONTEXT, kept->scontext);
	if (has->jvt)
		csr_write(CSR_JVT, kept->jvt);
}

/*
 * FENCE.I: what the guest has written and fenced on another hart, or the hypervisor has written, is fetched here; and what the vCPU
 * before has fetched is not: its frames may be somebody else's by now, or zero. See docs/architecture.md, "What caches hide".
 */
static void enter_gstage(struct cpu *cpu, struct vcpu *vcpu)
{
	bool flush = vmid_take(&cpu->arch.vmids, CPU_MAX, &vcpu->arch.vmid);
	uint64_t vmid = vcpu->arch.vmid.number;

	csr_write(CSR_HGATP, vcpu->vm->arch.hgatp | vmid << HGATP_VMID_SHIFT);
	if (flush) {
		hfence_gvma_vmid(vmid);
		hfence_vvma_all();
	}
	fence_i();
}

/* sstatus and hstatus come last: loading the units makes sstatus call them changed, and nothing that may trap comes between. */
void arch_vcpu_get(struct vcpu *vcpu)
{
	const struct kept_state *kept = &vcpu->arch.kept;
	struct cpu *cpu = arch_this_cpu();

	enter_gstage(cpu, vcpu);
	load_units(cpu, vcpu);
	load_optional(kept);
	csr_write(CSR_HTIMEDELTA, vcpu->vm->arch.htimedelta);
	csr_write(CSR_HVIP, kept->hvip);
	csr_write(CSR_SCOUNTEREN, kept->scounteren);
	csr_write(CSR_VSSTATUS, kept->vsstatus);
	csr_write(CSR_VSIE, kept->vsie);
	csr_write(CSR_VSTVEC, kept->vstvec);
	csr_write(CSR_VSSCRATCH, kept->vsscratch);
	csr_write(CSR_VSEPC, kept->vsepc);
	csr_write(CSR_VSCAUSE, kept->vscause);
	csr_write(CSR_VSTVAL, kept->vstval);
	csr_write(CSR_VSATP, kept->vsatp);
	timer_load(vcpu);
	arch_vcpu_deliver(vcpu);
	csr_write(CSR_SSTATUS, kept->sstatus);
	csr_write(CSR_HSTATUS, kept->hstatus);
}

/* Frames that are not the VM's any more are not fetched from either: these fences go with every shoot-down. */
void arch_flush_resident(struct vcpu *vcpu)
{
	hfence_gvma_vmid(vcpu->arch.vmid.number);
	fence_i();
}

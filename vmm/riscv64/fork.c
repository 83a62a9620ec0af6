/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest forks: its registers, which stay in the hart, and its devices, copied; and put back when the copy's turn has
 * come. henvcfg, hstateen0 and the like are the same for all guests and stay as arch_vcpu_reset made them.
 */
#include "include/arch/virt.h"

#include <string.h>

#include "mm/frame.h"
#include "vmm/riscv64/riscv.h"

/* sstatus and hstatus say where sret goes. */
#define FOR_KEPT_CSRS(each)                                                                                                       \
	each(CSR_VSSTATUS) each(CSR_VSIE) each(CSR_VSTVEC) each(CSR_VSSCRATCH) each(CSR_VSEPC) each(CSR_VSCAUSE) each(CSR_VSTVAL) \
		each(CSR_VSATP) each(CSR_SCOUNTEREN) each(CSR_HTIMEDELTA) each(CSR_SSTATUS) each(CSR_HSTATUS)

#define COUNT(name) +1
#define READ(name)  *values++ = csr_read(name);
#define WRITE(name) csr_write(name, *values++);
_Static_assert(0 FOR_KEPT_CSRS(COUNT) == ARRAY_LEN(((struct kept_state *)0)->registers), "struct kept_state");

enum { VECTOR_REGISTERS = 32 };

static void read_csrs(uint64_t *values)
{
	FOR_KEPT_CSRS(READ)
}

static void write_csrs(const uint64_t *values)
{
	FOR_KEPT_CSRS(WRITE)
}

/* What a trap would tell is known beforehand: here one would change where sret goes. */
static void read_optional(struct kept_state *kept)
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

void write_optional(const struct kept_state *kept)
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

static void save_fp(struct fp_state *fp)
{
	if (riscv_features.fp_bytes == 8)
		fp_save(fp);
	else if (riscv_features.fp_bytes == 4)
		fp_save_single(fp);
}

static void load_fp(const struct fp_state *fp)
{
	if (riscv_features.fp_bytes == 8)
		fp_load(fp);
	else if (riscv_features.fp_bytes == 4)
		fp_load_single(fp);
}

enum err arch_vm_fork(struct vm *child, const struct vm *parent)
{
	child->arch.console = parent->arch.console;
	device_add(&child->devices, &child->arch.console.device);
	new_gstage(child);
	return ERR_OK;
}

enum err arch_vcpu_init(struct vcpu *vcpu)
{
	struct kept_state *kept = &vcpu->arch.kept;

	if (!riscv_features.vectors)
		return ERR_OK;
	while (PAGE_SIZE << kept->vectors_order < vector_bytes() * VECTOR_REGISTERS)
		kept->vectors_order++;
	return frame_alloc_zeroed(kept->vectors_order, &kept->vectors);
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
	child->arch.kept.vectors = vectors;
	if (vectors.raw)
		memcpy(frame_ptr(vectors), frame_ptr(parent->arch.kept.vectors), vector_bytes() * VECTOR_REGISTERS);
}

void arch_vcpu_put(struct vcpu *vcpu)
{
	struct kept_state *kept = &vcpu->arch.kept;

	vcpu->arch.timer = timer_deadline(vcpu);
	read_csrs(kept->registers);
	kept->hvip = csr_read(CSR_HVIP);
	read_optional(kept);
	save_fp(&kept->fp);
	if (kept->vectors.raw)
		vector_save(frame_ptr(kept->vectors), &kept->vector);
	csr_write(CSR_HGATP, 0);
}

void arch_vcpu_get(struct vcpu *vcpu)
{
	const struct kept_state *kept = &vcpu->arch.kept;

	csr_set(CSR_SSTATUS, SSTATUS_FS_INITIAL | SSTATUS_VS_INITIAL);
	load_fp(&kept->fp);
	if (kept->vectors.raw)
		vector_load(frame_ptr(kept->vectors), &kept->vector);
	write_optional(kept);
	write_csrs(kept->registers);
	timer_set(vcpu, vcpu->arch.timer); /* by the new htimedelta; it takes back what the old timer had raised */
	csr_write(CSR_HVIP, kept->hvip);
	enter_gstage(vcpu->vm);
}

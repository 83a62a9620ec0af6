/* SPDX-License-Identifier: BSD-2-Clause */
/* What the hart's H extension offers: registers are written, and what they keep is read back. */
#include "drivers/riscv64/hart.h"
#include "include/arch/riscv64/guarded.h"
#include "include/arch/riscv64/insn.h"
#include "vmm/riscv64/riscv.h"

struct riscv_features riscv_features;

/*
 * With V=0 hgatp translates nothing, so any value may be tried. "Hypervisor Guest Address Translation and Protection
 * (hgatp) Register": an unsupported mode is not kept.
 */
static bool has_hgatp_mode(enum atp_mode mode)
{
	uint64_t wanted = (uint64_t)mode << ATP_MODE_SHIFT;

	return csr_write_read(CSR_HGATP, wanted) >> ATP_MODE_SHIFT == (uint64_t)mode;
}

static uint8_t find_vmid_bits(enum atp_mode mode)
{
	uint64_t kept = csr_write_read(CSR_HGATP, (uint64_t)mode << ATP_MODE_SHIFT | HGATP_VMID) & HGATP_VMID;
	uint8_t bits = 0;

	while (kept >> HGATP_VMID_SHIFT >> bits)
		bits++;
	return bits;
}

/*
 * menvcfg decides whether we may use it, and to try is the only way to know: "Cache-Block Management" of the CMO
 * extensions, "Extension State Control".
 */
static uint32_t find_cache_block(void)
{
	uint32_t bytes = hart_has_extension("zicbom") ? hart_cache_block() : 0;
	uint64_t sstatus = interrupts_off(), at = (uintptr_t)&riscv_features;
	/* cbo.flush (at) */
	bool works = bytes != 0 && GUARDED(".insn i 0x0f, 2, x0, %[at], 2", [at] "+r"(at));

	csr_write(CSR_SSTATUS, sstatus);
	return works && (bytes & (bytes - 1)) == 0 ? bytes : 0;
}

/*
 * henvcfg has a bit only where firmware has set the same one in menvcfg, and for Svpbmt and Svadu that one is what
 * decides about the G-stage, too. "Machine Environment Configuration (menvcfg) Register": PBMTE and ADUE.
 */
static void find_environment(struct riscv_features *features)
{
	static const uint64_t wanted =
		HENVCFG_STCE | HENVCFG_PBMTE | HENVCFG_ADUE | HENVCFG_CBZE | HENVCFG_CBCFE | HENVCFG_CBIE_FLUSH;

	/* Privileged 1.11 has no such register. */
	if (!csr_try_write(CSR_HENVCFG, wanted))
		return;
	features->senvcfg = true; /* of the same version */
	features->henvcfg = csr_read(CSR_HENVCFG) & wanted;
	/* QEMU 7.2 keeps this bit without having the extension. */
	if (!hart_has_extension("svpbmt"))
		features->henvcfg &= ~HENVCFG_PBMTE;
	features->pbmt = features->henvcfg & HENVCFG_PBMTE;
	/*
	 * A guest that chooses memory types can read past the caches, and find there what was in its memory before we
	 * cleared it: it may only where we can have the caches written back (arch_guest_sync).
	 */
	features->cache_block = find_cache_block();
	if (features->cache_block == 0)
		features->henvcfg &= ~HENVCFG_PBMTE;
	features->hardware_ad = features->henvcfg & HENVCFG_ADUE;
	features->sstc = (features->henvcfg & HENVCFG_STCE) && csr_try_write(CSR_VSTIMECMP, UINT64_MAX);
	if (!features->sstc)
		features->henvcfg &= ~HENVCFG_STCE;
	csr_write(CSR_HENVCFG, 0);
}

/*
 * sstatus may keep the bits that switch units on which are not there (QEMU 7.2 does), and the device tree may tell of
 * others than the hart has: an instruction of each is tried.
 */
static void find_units(struct riscv_features *features)
{
	uint64_t sstatus = interrupts_off(), value = 0;

	csr_set(CSR_SSTATUS, SSTATUS_FS_INITIAL | SSTATUS_VS_INITIAL);
	if (GUARDED(".insn r 0x53, 0, 0x71, %[value], x0, x0", [value] "+&r"(value))) /* fmv.x.d value, f0 */
		features->fp_bytes = 8;
	else if (GUARDED(".insn r 0x53, 0, 0x70, %[value], x0, x0", [value] "+&r"(value))) /* fmv.x.w value, f0 */
		features->fp_bytes = 4;
	features->vectors = csr_try_read(CSR_VLENB, &value);
	features->vector_bytes = features->vectors ? (uint32_t)value : 0;
	csr_write(CSR_SSTATUS, sstatus);
}

static void find_registers(struct riscv_features *features)
{
	uint64_t value;

	features->vsiselect = csr_try_read(CSR_VSISELECT, &value);
	features->scontext = csr_try_read(CSR_SCONTEXT, &value);
	features->jvt = csr_try_read(CSR_JVT, &value);
}

static void find(struct riscv_features *features)
{
	uint64_t instret;

	*features = (struct riscv_features){
		.sv39x4 = has_hgatp_mode(ATP_SV39),
		.sv48x4 = has_hgatp_mode(ATP_SV48),
		.sv57x4 = has_hgatp_mode(ATP_SV57),
	};
	if (features->sv39x4)
		features->vmid_bits = find_vmid_bits(ATP_SV39);
	else if (features->sv48x4)
		features->vmid_bits = find_vmid_bits(ATP_SV48);
	else if (features->sv57x4)
		features->vmid_bits = find_vmid_bits(ATP_SV57);
	csr_write(CSR_HGATP, 0);
	features->instret = csr_try_read(CSR_INSTRET, &instret);
	find_environment(features);
	find_units(features);
	find_registers(features);
}

bool riscv_find_features(void)
{
	struct riscv_features *features = &riscv_features;

	find(features);
	return features->sv39x4 || features->sv48x4 || features->sv57x4;
}

/* Does a hart have all that is in use on the first one? */
static bool has_all(const struct riscv_features *mine, const struct riscv_features *first)
{
	return mine->sv39x4 >= first->sv39x4 && mine->sv48x4 >= first->sv48x4 && mine->sv57x4 >= first->sv57x4 &&
	       mine->vmid_bits >= first->vmid_bits && (mine->henvcfg & first->henvcfg) == first->henvcfg &&
	       mine->cache_block == first->cache_block && mine->instret >= first->instret && mine->fp_bytes == first->fp_bytes;
}

/* Of these, more is as bad as less: a guest would see there what nobody saves. */
static bool has_same_registers(const struct riscv_features *mine, const struct riscv_features *first)
{
	return mine->senvcfg == first->senvcfg && mine->sstc == first->sstc && mine->vectors == first->vectors &&
	       mine->vector_bytes == first->vector_bytes && mine->vsiselect == first->vsiselect &&
	       mine->scontext == first->scontext && mine->jvt == first->jvt;
}

bool riscv_same_features(void)
{
	struct riscv_features mine;
	uint64_t hstatus;

	if (!csr_try_read(CSR_HSTATUS, &hstatus))
		return false;
	find(&mine);
	return has_all(&mine, &riscv_features) && has_same_registers(&mine, &riscv_features);
}

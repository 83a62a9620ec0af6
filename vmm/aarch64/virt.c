/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * include/arch/virt.h for AArch64: what the CPU must offer, stage 2 and its TLB, the VM.
 * Source: Arm ARM (DDI 0487), "VTCR_EL2", "VTTBR_EL2", "TLB maintenance instructions", "Concatenated translation tables".
 */
#include "include/arch/virt.h"

#include <string.h>

#include "include/arch/cpu.h"
#include "mm/frame.h"
#include "vmm/aarch64/aarch64.h"
#include "vmm/aarch64/features.h"
#include "vmm/aarch64/offsets.h"
#include "vmm/aarch64/tlb_range.h"
#include "vmm/shootdown.h"

#define EM_AARCH64 183

_Static_assert(offsetof(struct vcpu, arch.x[30]) == VCPU_X(30), "offsets.h");
_Static_assert(offsetof(struct vcpu, arch.pc) == VCPU_PC, "offsets.h");
_Static_assert(offsetof(struct vcpu, arch.pstate) == VCPU_PC + 8, "offsets.h");
_Static_assert(offsetof(struct vcpu, arch.cpu) == VCPU_CPU, "offsets.h");
_Static_assert(offsetof(struct vcpu, arch.ids) == VCPU_IDS, "offsets.h");
_Static_assert(offsetof(struct vcpu, exits.total) == VCPU_EXITS_TOTAL, "offsets.h");
_Static_assert(offsetof(struct vcpu, exits.other) == VCPU_EXITS_OTHER, "offsets.h");
_Static_assert(offsetof(struct vcpu, fast) == VCPU_FAST, "offsets.h");
_Static_assert(offsetof(struct vcpu, ring) == VCPU_RING, "offsets.h");
_Static_assert(offsetof(struct vm_exit, reason) == EXIT_REASON && offsetof(struct vm_exit, pc) == EXIT_REASON + 8, "offsets.h");
_Static_assert(sizeof(struct vm_exit) == 1 << EXIT_SHIFT && VM_EXIT_RING == 1 << EXIT_RING_BITS, "offsets.h");
_Static_assert(VM_EXIT_ARCH == EXIT_KIND_ARCH && offsetof(struct vm_exit, kind) == 0, "offsets.h");
_Static_assert(ESR_EC_SHIFT == ESR_EC_AT && EC_SYSREG == EC_OF_SYSREG, "offsets.h");
_Static_assert(offsetof(struct vcpu, arch.cpu_arch) == VCPU_CPU + 8, "offsets.h");

/* TGran4: 0xf, none. TGran4_2: 0, as TGran4 says; 1, none. */
/* Without these a guest would have the machine. */
#define HCR_ESSENTIAL (HCR_VM | HCR_FMO | HCR_IMO | HCR_AMO | HCR_TWI | HCR_TID3 | HCR_TSC | HCR_TACR | HCR_RW)

static bool has_4k_granule(void)
{
	uint64_t mmfr0 = read_sysreg(id_aa64mmfr0_el1);
	unsigned stage2 = id_field(mmfr0, ID_AA64MMFR0_TGRAN4_2_SHIFT);

	return id_field(mmfr0, ID_AA64MMFR0_TGRAN4_SHIFT) != 0xf && stage2 != 1;
}

enum err arch_virt_probe(bool vhe, const char **why)
{
	if (!has_4k_granule()) {
		*why = "the CPU has no translation tables with 4 KiB pages";
		return ERR_UNSUPPORTED;
	}
	if (!e2h_choose(vhe)) {
		*why = "vhe = on: the CPU's HCR_EL2 has no E2H to be set (no FEAT_VHE)";
		return ERR_UNSUPPORTED;
	}
	speculation_find();
	return ERR_OK;
}

const char *arch_isa_name(void)
{
	return "aarch64";
}

uint64_t arch_clock(void)
{
	isb();
	return read_sysreg(cntpct_el0);
}

uint64_t arch_cost_clock(void)
{
	return arch_clock();
}

const char *arch_cost_clock_name(void)
{
	return "cntpct";
}

const char *arch_virt_name(void)
{
	return "el2";
}

/* Written by the first one before any other is started, constant then: whoever lends EL2 may trap each read of the register. */
static bool has_tlb_ranges;

/* Guests move between CPUs, and find the same on each. */
static bool is_like_the_first(void)
{
	static uint64_t first[CPU_FEATURES]; /* written by the first CPU, before any other one is started */
	uint64_t features[CPU_FEATURES];

	cpu_read_features(features);
	if (arch_this_cpu()->id == 0)
		memcpy(first, features, sizeof(first));
	return memcmp(first, features, sizeof(first)) == 0;
}

enum err arch_virt_enable(const char **why)
{
	static uint64_t midr; /* as above */
	uint64_t wanted = guest_hcr();

	if ((try_hcr(wanted) ^ wanted) & (HCR_ESSENTIAL | HCR_E2H)) {
		*why = "HCR_EL2 does not keep what it takes to hold a guest";
		return ERR_UNSUPPORTED;
	}
	if (!is_like_the_first()) {
		*why = "it is of another kind than the first CPU, and guests could tell";
		return ERR_UNSUPPORTED;
	}
	if (arch_this_cpu()->id == 0) {
		midr = read_sysreg(midr_el1);
		has_tlb_ranges = cpu_has_tlb_ranges();
		registers_init();
		resident_init();
	}
	el2_reset(midr);
	/* What guests are told of the GIC depends on what has been found of it there. */
	if (arch_this_cpu()->id == 0)
		id_tables_init();
	/* Whatever firmware ran at EL1, or was run under it before. */
	tlbi(alle1);
	dsb(nsh);
	isb();
	return ERR_OK;
}

/* The narrowest input address range that holds what lies below `end`; none is wider than the CPU's own addresses. */
static enum err ipa_range(uint64_t end, unsigned *range)
{
	for (*range = 0; *range <= cpu_pa_range(); ++*range)
		if (end <= BIT(pa_range_bits(*range)))
			return ERR_OK;
	return ERR_RANGE;
}

enum err arch_npt_config(uint64_t gpa_end, const struct npt_ops **ops, struct npt_config *config)
{
	uint64_t mmfr1 = read_sysreg(id_aa64mmfr1_el1);
	unsigned range;

	if (ipa_range(gpa_end, &range) != ERR_OK)
		return ERR_RANGE;
	*ops = cpu_has_fwb() ? &npt_stage2_fwb : &npt_stage2;
	*config = (struct npt_config){
		/* Up to 16 tables of the second level stand side by side as the root: that is 4 bits more. */
		.levels = pa_range_bits(range) <= 43 ? 3 : 4,
		.gpa_bits = (uint8_t)pa_range_bits(range),
		.hpa_bits = (uint8_t)pa_range_bits(cpu_pa_range()),
		.max_leaf = 2,
		.hardware_ad = id_field(mmfr1, ID_AA64MMFR1_HAFDBS_SHIFT) >= HAFDBS_ACCESS_AND_DIRTY,
		.page_memtypes = true,
	};
	return ERR_OK;
}

/* SL0 counts levels the other way: 0 begins at the manual's level 2, 1 at its level 1, 2 at its level 0. */
static uint64_t make_vtcr(const struct npt_config *config)
{
	uint64_t vtcr = VTCR_RES1 | TCR_T0SZ(config->gpa_bits) | (uint64_t)(config->levels - 2) << VTCR_SL0_SHIFT | TCR_IRGN0_WBWA |
			TCR_ORGN0_WBWA | TCR_SH0_INNER | TCR_TG0_4K | (uint64_t)cpu_pa_range() << TCR_PS_SHIFT;

	if (config->hardware_ad)
		vtcr |= VTCR_HA | VTCR_HD;
	return vtcr;
}

/* "TLBI IPAS2E1IS": Xt[35:0] is IPA[47:12]. What is cached of both stages together is found only by VMID. */
static void invalidate_page(gpa_t gpa)
{
	tlbi_operand(ipas2e1is, gpa.raw >> PAGE_SHIFT);
}

static struct vm *vm_of(struct addr_space *as)
{
	return CONTAINER_OF(as, struct vm, as);
}

/* After stage 2's: what is cached of both stages together. */
static void invalidate_combined(void)
{
	dsb(ish);
	tlbi(vmalle1is);
	dsb(ish);
}

/* EL2 may be lent where E2H cannot be cleared: KVM lends it so. */
static bool by_ranges(void)
{
	return host_e2h && has_tlb_ranges;
}

/* All that CPUs may hold of the VM, by the VMID that VTTBR_EL2 names. These return the number of instructions. */
static unsigned invalidate_all(uint64_t end)
{
	unsigned count = 1;

	if (!by_ranges() || end > BIT(TLB_RANGE_GPA_BITS)) {
		tlbi(vmalls12e1is);
		dsb(ish);
		return count;
	}
	for (uint64_t at = 0; at < end; at += TLB_RANGE_MAX(TLB_RANGE_SPACE), count++)
		tlbi_ripas2e1is(tlb_range_operand(at, end - at, TLB_RANGE_SPACE));
	invalidate_combined();
	return count;
}

static unsigned invalidate_pages(gpa_t gpa, uint64_t size)
{
	unsigned count = 2;

	if (by_ranges())
		tlbi_ripas2e1is(tlb_range_operand(gpa.raw, size, TLB_RANGE_PAGES));
	else
		for (count = 1; count <= size / PAGE_SIZE; count++)
			invalidate_page(GPA(gpa.raw + (count - 1) * PAGE_SIZE));
	invalidate_combined();
	return count;
}
_Static_assert(NPT_FLUSH_RANGE_MAX <= TLB_RANGE_MAX(TLB_RANGE_PAGES), "one instruction covers them");

/*
 * Whether the VM is in a CPU or not, this one or another. What is cached of one that is being freed may stay: it has no vCPU that
 * could use it, and no other VM gets its VMID before all is flushed (vmid.c). Where EL2 is emulated a flush of everything takes
 * long. Frames that a guest could execute are about to get another owner: the instruction caches are invalidated as well, and so a
 * fresh frame never has stale instructions.
 */
unsigned arch_npt_flush(struct addr_space *as, gpa_t gpa, uint64_t size)
{
	uint64_t running = read_sysreg(vttbr_el2), vmid;
	unsigned count = 0;

	dsb(ish); /* see vmid_get */
	vmid = vmid_get(&vm_of(as)->arch.vmid);
	if (vmid != 0 && !vm_of(as)->retired) {
		write_sysreg(vttbr_el2, as->npt.root.raw | vmid << VTTBR_VMID_SHIFT);
		isb();
		/* A large leaf is no range: its 512 pages take longer than everything. */
		count = size > NPT_FLUSH_RANGE_MAX ? invalidate_all(as->npt.end) : invalidate_pages(gpa, size);
		write_sysreg(vttbr_el2, running);
		isb();
	}
	if (!cpu_fetches_afresh())
		icache_invalidate_all();
	shootdown_count(vm_of(as));
	return count;
}

void arch_npt_flush_local(struct vcpu *vcpu, gpa_t gpa)
{
	(void)vcpu; /* the one whose VMID VTTBR_EL2 names */
	dsb(nshst);
	if (by_ranges())
		tlbi_ripas2e1(tlb_range_operand(gpa.raw, PAGE_SIZE, TLB_RANGE_PAGES));
	else
		tlbi_operand(ipas2e1, gpa.raw >> PAGE_SHIFT);
	dsb(nsh);
	tlbi(vmalle1);
	dsb(nsh);
	isb();
}

void arch_vm_ram_layout(struct vm *vm, uint64_t ram)
{
	vm->ram[0] = (struct ram_range_gpa){ GPA(GUEST_RAM_BASE), ram };
	vm->ram_ranges = 1;
}

enum err new_stage2(struct vm *vm)
{
	vm->arch.vtcr = make_vtcr(&vm->as.npt.config);
	if (cpu_has_vmid16())
		vm->arch.vtcr |= VTCR_VS_16;
	return ipa_range(BIT(vm->as.npt.config.gpa_bits), &vm->arch.pa_range);
}

enum err arch_vm_init(struct vm *vm)
{
	enum err err = new_stage2(vm);

	if (err != ERR_OK)
		return err;
	vpl011_init(&vm->arch.console, GUEST_UART_BASE, GUEST_UART_LINE);
	device_add(&vm->devices, &vm->arch.console.device);
	return interrupts_init(vm);
}

uint64_t arch_vm_memory(const struct vm *vm)
{
	(void)vm;
	return 0;
}

void arch_vm_free(struct vm *vm)
{
	(void)vm;
}

enum err arch_vcpu_init(struct vcpu *vcpu)
{
	(void)vcpu;
	return ERR_OK;
}

uint64_t arch_vcpu_memory(const struct vcpu *vcpu)
{
	(void)vcpu;
	return 0;
}

void arch_vcpu_free(struct vcpu *vcpu)
{
	(void)vcpu;
}

void arch_flush_resident(struct vcpu *vcpu)
{
	(void)vcpu; /* flushes are broadcast */
}

uint16_t arch_elf_machine(void)
{
	return EM_AARCH64;
}

/* ELF for the Arm 64-bit Architecture (AArch64), "Dynamic relocations". */
enum elf_relocation arch_elf_relocation(uint32_t type)
{
	enum { R_AARCH64_RELATIVE = 1027, R_AARCH64_ABS64 = 257, R_AARCH64_GLOB_DAT = 1025, R_AARCH64_JUMP_SLOT = 1026 };

	switch (type) {
	case 0:
		return ELF_RELOCATION_NONE;
	case R_AARCH64_RELATIVE:
		return ELF_RELOCATION_RELATIVE;
	case R_AARCH64_ABS64:
	case R_AARCH64_GLOB_DAT:
	case R_AARCH64_JUMP_SLOT:
		return ELF_RELOCATION_SYMBOL;
	default:
		return ELF_RELOCATION_OTHER;
	}
}

gpa_t arch_guest_load_floor(const struct vm *vm)
{
	(void)vm;
	return GPA(GUEST_LOAD_FLOOR);
}

/* Linux Documentation/arch/arm64/booting.rst, "Call the kernel image". The magic is "ARM\x64". */
const struct linux_rules *arch_linux_rules(void)
{
	static const struct linux_rules rules = { .magic = 0x644d5241, .align = 4, .old_text_offset = KIB(512) };

	return &rules;
}

/* Bits 1 and 2: the size of its pages. TGran16: 0, none; TGran64: 0xf, none. A kernel would only stop without a word. */
const char *arch_linux_refuses(uint64_t flags)
{
	uint64_t mmfr0 = read_sysreg(id_aa64mmfr0_el1);

	switch (flags >> 1 & 3) {
	case 2:
		return id_field(mmfr0, ID_AA64MMFR0_TGRAN16_SHIFT) == 0 ? "its pages are of 16 KiB, which this CPU does not have" :
									  NULL;
	case 3:
		return id_field(mmfr0, ID_AA64MMFR0_TGRAN64_SHIFT) == 0xf ?
			       "its pages are of 64 KiB, which this CPU does not have" :
			       NULL;
	default:
		return NULL;
	}
}

const struct kernel_loader *arch_kernel_loader(const void *file, size_t size)
{
	(void)file;
	(void)size;
	return NULL;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Owning a RISC-V machine in HS-mode: interrupts off, our own map, our own stack. */
#include "include/arch/machine.h"

#include <string.h>

#include "drivers/riscv64/hart.h"
#include "include/arch/riscv64/csr.h"
#include "include/arch/riscv64/guarded.h"
#include "include/arch/riscv64/insn.h"
#include "include/arch/riscv64/sbi.h"
#include "include/arch/riscv64/zero_block.h"
#include "include/panic.h"
#include "npt/riscv.h"

/* What a page number in an entry can hold. RISC-V Privileged, "Sv39", "Sv48", "Sv57". */
#define HPA_BITS 56

/* The mode that arch_host_map_activate turns on, once arch_host_map_config has found it. */
static enum atp_mode host_mode;

/*
 * No register tells a hart its own mode. M-mode's registers can be read in M-mode only: elsewhere that is an illegal instruction,
 * which comes to us as those of GUARDED do, for no firmware emulates this register. In M-mode nothing traps, so it does not matter
 * that traps would not come to stvec there. RISC-V Privileged, "CSR Address Mapping Conventions", "Hart ID (mhartid) Register".
 */
enum err arch_mode_check(const char **why)
{
	uint64_t hart;

	if (!csr_try_read(CSR_MHARTID, &hart))
		return ERR_OK;
	*why = "the firmware starts us in M-mode: it must start us in S-mode, with an SBI below (U-Boot: its S-mode build, "
	       "with OpenSBI)";
	return ERR_UNSUPPORTED;
}

/* Other harts are where the firmware has left them: stopped (SBI HSM), if it started them at all. */
void arch_quiesce(void)
{
	csr_clear(CSR_SSTATUS, SSTATUS_SIE | SSTATUS_SUM | SSTATUS_MXR);
	csr_write(CSR_SIE, 0);
}

static unsigned mode_levels(enum atp_mode mode)
{
	return (unsigned)mode - ATP_SV39 + 3;
}

/* "Supervisor Address Translation and Protection (satp) Register": a write with a mode that is not there changes nothing. */
static bool has_mode(enum atp_mode mode)
{
	static uint64_t root[512] __attribute__((aligned(4096)));
	uint64_t satp, kept;

	npt_riscv_identity_root(root, mode_levels(mode));
	satp = (uint64_t)mode << ATP_MODE_SHIFT | (uintptr_t)root >> PAGE_SHIFT;
	/* Bare before and after, so nothing cached from this root outlives the second fence. */
	__asm__ volatile("sfence.vma\n\t"
			 "csrw " CSR_STRING(CSR_SATP) ", %1\n\t"
						      "csrr %0, " CSR_STRING(CSR_SATP) "\n\t"
										       "csrw " CSR_STRING(CSR_SATP) ", zero\n\t"
														    "sfence.vma"
			 : "=&r"(kept)
			 : "r"(satp)
			 : "memory");
	return kept == satp;
}

/* Firmware that pages has chosen already; else the widest mode there is, since memory may lie anywhere. */
static enum atp_mode find_mode(void)
{
	enum atp_mode mode = (enum atp_mode)(csr_read(CSR_SATP) >> ATP_MODE_SHIFT);

	if (mode != ATP_BARE)
		return mode;
	for (mode = ATP_SV57; mode > ATP_SV39 && !has_mode(mode); mode--)
		;
	return mode;
}

const struct npt_ops *arch_host_map_config(struct npt_config *config)
{
	if (host_mode == ATP_BARE)
		host_mode = find_mode();
	*config = (struct npt_config){
		.levels = (uint8_t)mode_levels(host_mode),
		/* The upper half is that of addresses with the sign bit set. */
		.gpa_bits = (uint8_t)(PAGE_SHIFT + NPT_INDEX_BITS * mode_levels(host_mode) - 1),
		.hpa_bits = HPA_BITS,
		.max_leaf = 2,
		.exec_only = true,
	};
	return &npt_riscv_host;
}

void arch_host_map_activate(hpa_t root)
{
	uint64_t satp = (uint64_t)host_mode << ATP_MODE_SHIFT | root.raw >> PAGE_SHIFT;

	sfence_vma_all(); /* the tables are written before they are walked */
	csr_write(CSR_SATP, satp);
	sfence_vma_all();
	if (csr_read(CSR_SATP) != satp)
		panic("boot: satp does not keep %#lx", satp);
}

/* The bytes that one instruction of Zicboz clears. */
enum { ZERO_BLOCK_NONE = 0, ZERO_BLOCK_UNKNOWN = 1 };
static uint64_t zero_block = ZERO_BLOCK_UNKNOWN;

/*
 * menvcfg decides whether we may use it, and to try is the only way to know: "Cache-Block Zero" of the CMO extensions, "Extension
 * State Control". What it clears is seen on the first of the pages, whatever the tree says of that.
 */
static __attribute__((noinline)) void try_zero_block(void *pages, uint64_t size)
{
	uint64_t sstatus = interrupts_off(), at = (uintptr_t)pages;
	bool works;

	memset(pages, 0xff, PAGE_SIZE);
	/* cbo.zero (at) */
	works = hart_has_extension("zicboz") && GUARDED(".insn i 0x0f, 2, x0, %[at], 4", [at] "+r"(at));
	csr_write(CSR_SSTATUS, sstatus);
	zero_block = works ? zero_block_of(pages) : ZERO_BLOCK_NONE;
	arch_zero_pages(pages, size);
}

/* 8 cache blocks a round where we may, and else 64 words. */
void arch_zero_pages(void *pages, uint64_t size)
{
	uint64_t *word = pages, *end = word + size / sizeof(*word), block = zero_block;

	if (block == ZERO_BLOCK_NONE) {
		for (; word < end; word += 64) {
#pragma GCC unroll 64
			for (unsigned i = 0; i < 64; i++)
				word[i] = 0;
		}
	} else if (block == ZERO_BLOCK_UNKNOWN) {
		try_zero_block(pages, size);
	} else {
		while (word < end) {
#pragma GCC unroll 8
			for (unsigned i = 0; i < 8; i++, word += block / sizeof(*word))
				cbo_zero(word);
		}
	}
}

void arch_copy_page(void *to, const void *from)
{
	memcpy(to, from, PAGE_SIZE);
}

void arch_switch_stack(void *stack_top, void (*entry)(void))
{
	/* The null return address and frame pointer end a stack trace. The pointer stays in the stack's block: arch_this_cpu. */
	__asm__ volatile("addi sp, %0, -16\n\t"
			 "li ra, 0\n\t"
			 "li s0, 0\n\t"
			 "jr %1"
			 :
			 : "r"(stack_top), "r"(entry)
			 : "memory");
	__builtin_unreachable();
}

/* By the firmware below UEFI, where UEFI's own call came back. SBI specification, "System Reset", "Legacy Extensions". */
void arch_power_off(void)
{
	sbi_call(SBI_SRST, SBI_SRST_SYSTEM_RESET, SBI_SRST_SHUTDOWN, SBI_SRST_NO_REASON, 0);
	sbi_call(SBI_LEGACY_SHUTDOWN, 0, 0, 0, 0);
}

void arch_halt(void)
{
	csr_write(CSR_SIE, 0);
	for (;;)
		wfi();
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Changes modes of the CPU with one MOV to CR0 that changes other bits as well, and tries what is illegal: Intel SDM vol. 2
 * "MOV - Move to/from Control Registers".
 */
#include "tests/guests/x86_64/cpu.h"
#include "tests/guests/x86_64/legacy.h"
#include "tests/guests/x86_64/trap.h"

#define CR0_PE    (1ul << 0)
#define CR0_TS    (1ul << 3)
#define CR0_WP    (1ul << 16)
#define CR0_AM    (1ul << 18)
#define CR0_NW    (1ul << 29)
#define CR0_CD    (1ul << 30)
#define CR0_PG    (1ul << 31)
#define CR4_DE    (1ul << 3)
#define CR4_PSE   (1ul << 4)
#define CR4_PAE   (1ul << 5)
#define CR4_PGE   (1ul << 7)
#define CR4_LA57  (1ul << 12)
#define CR4_PCIDE (1ul << 17)

/* After each step of the 32-bit code: CR0, the low half of EFER, how many #GP there were. */
enum { STEPS = 16 };
extern volatile struct {
	uint32_t cr0, efer, faults;
} mode_step[STEPS];
extern uint32_t mode_alias[3], mode_magic, mode_intel;
extern const char mode_steps[];

/*
 * QEMU sets an accessed bit in these, where no CPU has one: bits 8:5 must be zero (AMD APM vol. 2, 5.2.3 "PAE Paging"). KVM,
 * where it is below us in QEMU, finds them invalid then, when it has to emulate an instruction or to skip one without the CPU's
 * help, and the guest gets a page fault that it did not cause. So these bits are cleared right before such instructions.
 */
static uint64_t pae_pdpt[4] __attribute__((aligned(32), used));
static uint64_t bad_pdpt[4] __attribute__((aligned(32), used));
static uint64_t pae_pd[512] __attribute__((aligned(4096), used));

__asm__(
	/* Without a page's end in between, where the CPU would walk the tables again. */
	"	.macro	ON_PAE	instruction:vararg\n"
	"	.balign	64\n"
	"	.irp	entry, 0, 8, 16, 24\n	andl	$~0x20, pae_pdpt + \\entry\n	.endr\n"
	"	\\instruction\n"
	"	.endm\n"
	/* CR0 with the bits `clear` cleared and `set` set; if that faults, as before. Then a note in mode_step. */
	"	.macro	CHANGE	clear, set\n"
	"	movl	$9f, mode_resume\n"
	"	ON_PAE	movl %cr0, %eax\n	andl	$~(\\clear), %eax\n	orl	$(\\set), %eax\n"
	"	ON_PAE	movl %eax, %cr0\n"
	"9:	call	mode_note\n"
	"	.endm\n"
	"	.macro	SET_LME	value\n"
	"	movl	$0xc0000080, %ecx\n	rdmsr\n	andl	$~0x100, %eax\n	orl	$(\\value << 8), %eax\n	wrmsr\n"
	"	.endm\n"
	"	.macro	CR3	table\n"
	"	movl	\\table, %eax\n	movl	%eax, %cr3\n"
	"	.endm\n"
	"	.set	PE, 1\n	.set	NW, 1 << 29\n	.set	CD, 1 << 30\n	.set	PG, 1 << 31\n"

	"	.section .text.modes, \"ax\", %progbits\n"
	"	.code32\n"
	"mode_note:\n"
	"	ON_PAE	movl %cr0, %eax\n	movl	%eax, mode_step(%esi)\n"
	"	movl	$0xc0000080, %ecx\n	ON_PAE	rdmsr\n	movl	%eax, mode_step + 4(%esi)\n"
	"	movl	mode_faults, %eax\n	movl	%eax, mode_step + 8(%esi)\n"
	"	addl	$12, %esi\n"
	"	ret\n"
	"mode_gp:\n"
	"	addl	$4, %esp\n" /* the error code */
	"	incl	mode_faults\n"
	"	pushl	%eax\n	movl	mode_resume, %eax\n	movl	%eax, 4(%esp)\n	popl	%eax\n"
	"	iretl\n"
	"mode_steps:\n"
	"	xorl	%esi, %esi\n"
	"	sidtl	mode_old_idtr\n"
	"	lidtl	mode_idtr\n"
	"	movl	$0x620, %eax\n	movl	%eax, %cr4\n"
	"	CR3	$pae_pdpt\n"
	"	CHANGE	0, (PG | CD)\n"      /* 0: to PAE paging, uncached */
	"	CHANGE	(PG | CD), 0\n"      /* 1: back */
	"	CHANGE	0, (PG | CD | NW)\n" /* 2 */
	"	CHANGE	(CD | NW), 0\n"      /* 3: still PAE paging */
	/* The page-directory pointers are loaded anew by MOV to CR0, CR4 and CR3. */
	"	movl	$pae_pd + 1, pae_pdpt + 8\n"
	"	CHANGE	0, CD\n" /* 4 */
	"	movl	$mode_magic + 0x40000000, %edx\n	movl	(%edx), %eax\n	movl	%eax, mode_alias\n"
	"	movl	$pae_pd + 1, pae_pdpt + 16\n"
	"	ON_PAE	movl %cr4, %eax\n	orl	$0x80, %eax\n	ON_PAE	movl %eax, %cr4\n"
	"	movl	$mode_magic, %edx\n	orl	$0x80000000, %edx\n	movl	(%edx), %eax\n	movl	%eax, mode_alias + "
	"4\n"
	"	movl	$pae_pd + 1, pae_pdpt + 24\n"
	"	CR3	$pae_pdpt\n"
	"	movl	$mode_magic, %edx\n	orl	$0xc0000000, %edx\n	movl	(%edx), %eax\n	movl	%eax, mode_alias + "
	"8\n"
	"	CHANGE	(PG | CD), 0\n"  /* 5 */
	"	CHANGE	CD, (PG | NW)\n" /* 6: #GP */
	"	CHANGE	PE, (PG | CD)\n" /* 7: #GP */
	/* Long mode. */
	"	SET_LME	1\n"
	"	CR3	legacy_cr3\n"
	"	CHANGE	0, (PG | CD)\n" /* 8: active, in compatibility mode */
	"	CHANGE	(PG | CD), 0\n" /* 9: left */
	"	SET_LME	0\n"
	/* No protection for a moment. */
	"	CHANGE	PE, CD\n" /* 10 */
	"	CHANGE	CD, PE\n" /* 11 */
	"	cmpl	$0, mode_intel\n"
	"	je	1f\n"
	"	SET_LME	1\n"
	"	movl	$0x600, %eax\n	movl	%eax, %cr4\n"
	"	CHANGE	0, (PG | CD)\n" /* 12: #GP, without PAE */
	"	CHANGE	0, PG\n"        /* 13: #GP */
	"	movl	$0x620, %eax\n	movl	%eax, %cr4\n"
	"	SET_LME	0\n"
	"	CR3	$bad_pdpt\n"
	"	CHANGE	0, (PG | CD)\n" /* 14: #GP, by a reserved bit */
	"	CHANGE	0, PG\n"        /* 15: #GP */
	"1:	lidtl	mode_old_idtr\n"
	"	jmp	legacy_return\n"
	"	.code64\n"
	"	.section .data.modes, \"aw\", %progbits\n"
	"	.balign	8\n"
	"mode_idtr:\n"
	"	.word	8 * 14 - 1\n	.long	mode_idt\n"
	"	.balign	8\n"
	"mode_idt:\n"
	"	.skip	8 * 13\n"
	"mode_gate: .quad 0\n"
	"mode_step: .skip 12 * 16\n"
	"mode_alias: .skip 12\n"
	"mode_magic: .long 0x600dda7a\n"
	"mode_faults: .long 0\n"
	"mode_resume: .long 0\n"
	"mode_intel: .long 0\n"
	"mode_old_idtr: .skip 10\n"
	"	.text\n");

extern uint64_t mode_gate;
extern const char mode_gp[];

static uint64_t read_cr0(void)
{
	uint64_t value;

	__asm__ volatile("movq %%cr0, %0" : "=r"(value));
	return value;
}

static void check_cr0(uint64_t value, int vector)
{
	uint64_t before = read_cr0();
	int trap = TRAP_OF("movq %0, %%cr0", : "r"(value));

	if (trap == vector && read_cr0() == (vector == NO_TRAP ? value : before))
		return;
	rt_printf("FAILED: cr0 0x%lx to 0x%lx: vector %d, 0x%lx\n", before, value, trap, read_cr0());
	check_failures++;
}

static void in_64bit_mode(void)
{
	uint64_t cr0 = read_cr0(), cr4;

	check_cr0(cr0 | CR0_CD | CR0_TS | CR0_AM, NO_TRAP);
	check_cr0((cr0 | CR0_CD | CR0_NW) & ~CR0_WP, NO_TRAP);
	check_cr0(cr0, NO_TRAP);
	check_cr0(cr0 | CR0_NW | CR0_TS, VECTOR_GP);
	check_cr0(cr0 & ~CR0_PE, VECTOR_GP);
	check_cr0((cr0 & ~CR0_PE) | CR0_CD, VECTOR_GP);
	check_cr0(cr0 & ~CR0_PG, VECTOR_GP);
	check_cr0((cr0 & ~CR0_PG) | CR0_CD, VECTOR_GP);
	check_cr0((cr0 & ~(CR0_PG | CR0_PE)) | CR0_CD, VECTOR_GP);
	check_cr0(cr0 | CR0_CD | 1ul << 40, VECTOR_GP);

	__asm__ volatile("movq %%cr4, %0" : "=r"(cr4));
	CHECK(TRAP_OF("movq %0, %%cr4", : "r"(cr4 | CR4_PGE | CR4_PSE | CR4_DE)) == NO_TRAP);
	CHECK(TRAP_OF("movq %0, %%cr4", : "r"((cr4 & ~CR4_PAE) | CR4_PGE)) == VECTOR_GP);
	CHECK(TRAP_OF("movq %0, %%cr4", : "r"(cr4 ^ CR4_LA57)) == VECTOR_GP);
	CHECK(TRAP_OF("movq %0, %%cr4", : "r"(cr4 | CR4_PCIDE)) == VECTOR_GP);
	CHECK(TRAP_OF("movq %0, %%cr4", : "r"(cr4)) == NO_TRAP);
	CHECK(TRAP_OF("wrmsr", : "c"(0xc0000080), "a"(0x800), "d"(0)) == VECTOR_GP); /* LME, with paging on */
}

static void check_step(unsigned n, uint64_t mode, uint32_t efer, uint32_t faults)
{
	const uint64_t shown = CR0_PE | CR0_NW | CR0_CD | CR0_PG;

	if ((mode_step[n].cr0 & shown) == mode && (mode_step[n].efer & 0x500) == efer && mode_step[n].faults == faults)
		return;
	rt_printf("FAILED: step %u: cr0 0x%x, efer 0x%x, %u faults\n", n, mode_step[n].cr0, mode_step[n].efer, mode_step[n].faults);
	check_failures++;
}

static void in_other_modes(bool intel)
{
	uint64_t handler = (uintptr_t)mode_gp;

	mode_gate = (handler & 0xffff) | CODE32 << 16 | 0x8eul << 40 | (handler >> 16 & 0xffff) << 48;
	for (uint64_t i = 0; i < 512; i++)
		pae_pd[i] = i << 21 | 0xe3;
	pae_pdpt[0] = (uintptr_t)pae_pd | 1;
	bad_pdpt[0] = (uintptr_t)pae_pd | 3;
	/*
	 * With nested paging AMD's CPUs look at page-directory pointers in a walk only. And QEMU delivers no injected exception
	 * while LME is set and both PG and PAE are clear.
	 */
	mode_intel = intel;
	legacy_call(mode_steps);

	check_step(0, CR0_PE | CR0_PG | CR0_CD, 0, 0);
	check_step(1, CR0_PE, 0, 0);
	check_step(2, CR0_PE | CR0_PG | CR0_CD | CR0_NW, 0, 0);
	check_step(3, CR0_PE | CR0_PG, 0, 0);
	check_step(4, CR0_PE | CR0_PG | CR0_CD, 0, 0);
	for (unsigned i = 0; i < 3; i++)
		CHECK(mode_alias[i] == mode_magic);
	check_step(5, CR0_PE, 0, 0);
	check_step(6, CR0_PE, 0, 1);
	check_step(7, CR0_PE, 0, 2);
	check_step(8, CR0_PE | CR0_PG | CR0_CD, 0x500, 2);
	check_step(9, CR0_PE, 0x100, 2);
	check_step(10, CR0_CD, 0, 2);
	check_step(11, CR0_PE, 0, 2);
	if (!intel)
		return;
	check_step(12, CR0_PE, 0x100, 3);
	check_step(13, CR0_PE, 0x100, 4);
	check_step(14, CR0_PE, 0, 5);
	check_step(15, CR0_PE, 0, 6);
}

int guest_main(void)
{
	legacy_init();
	trap_init();
	in_64bit_mode();
	in_other_modes(cpuid(0x40000001, 0).eax == 0);
	return check_status("modes");
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Forks in each mode but 64-bit (fork_state.c does there): protected without paging, 32-bit paging, PAE paging, real mode.
 * All that can be read of the CPU is read before and after, and is the same on both sides.
 */
#include "tests/guests/x86_64/cpu.h"
#include "tests/guests/x86_64/fork_state.h"
#include "tests/guests/x86_64/legacy.h"

/* What 32-bit and 16-bit code reads; the assembly below fills it in. */
struct snapshot {
	uint32_t gpr[6], eflags, cr0, cr2, cr3, cr4, dr[6], segment[6];
	uint8_t gdtr[6], idtr[6];
	uint8_t pad[128 - 104];
	uint8_t fx[512];
	uint64_t msr[16];
} __attribute__((packed, aligned(16)));

extern struct snapshot snap_before, snap_after;
extern uint32_t snap_result, snap_alias;
extern volatile uint32_t snap_vmmcall;
extern const char mode_none[], mode_32bit[], mode_pae[], mode_real[], real_code[], real_code_end[];

static uint32_t page_directory[1024] __attribute__((aligned(4096), used));
static uint64_t pae_pdpt[4] __attribute__((aligned(32), used));
static uint64_t pae_pd[512] __attribute__((aligned(4096), used));

__asm__(
	/* Fill the snapshot at (%edi), by (%esi), the table of MSRs. All registers but EAX are as before. */
	"	.macro	SNAP\n"
	"	movl	%ebx, (%edi)\n	movl	%ecx, 4(%edi)\n	movl	%edx, 8(%edi)\n"
	"	movl	%esi, 12(%edi)\n	movl	%ebp, 16(%edi)\n	movl	%esp, 20(%edi)\n"
	"	pushfl\n	popl	%eax\n	movl	%eax, 24(%edi)\n"
	"	movl	%cr0, %eax\n	movl	%eax, 28(%edi)\n"
	"	movl	%cr2, %eax\n	movl	%eax, 32(%edi)\n"
	"	movl	%cr3, %eax\n	movl	%eax, 36(%edi)\n"
	"	movl	%cr4, %eax\n	movl	%eax, 40(%edi)\n"
	"	movl	%dr0, %eax\n	movl	%eax, 44(%edi)\n"
	"	movl	%dr1, %eax\n	movl	%eax, 48(%edi)\n"
	"	movl	%dr2, %eax\n	movl	%eax, 52(%edi)\n"
	"	movl	%dr3, %eax\n	movl	%eax, 56(%edi)\n"
	"	movl	%dr6, %eax\n	movl	%eax, 60(%edi)\n"
	"	movl	%dr7, %eax\n	movl	%eax, 64(%edi)\n"
	"	movl	%cs, %eax\n	movl	%eax, 68(%edi)\n"
	"	movl	%ds, %eax\n	movl	%eax, 72(%edi)\n"
	"	movl	%es, %eax\n	movl	%eax, 76(%edi)\n"
	"	movl	%ss, %eax\n	movl	%eax, 80(%edi)\n"
	"	movl	%fs, %eax\n	movl	%eax, 84(%edi)\n"
	"	movl	%gs, %eax\n	movl	%eax, 88(%edi)\n"
	"	sgdtl	92(%edi)\n	sidtl	98(%edi)\n"
	"	fxsave	128(%edi)\n"
	"	xorl	%ebx, %ebx\n"
	"9:	movl	(%esi, %ebx, 4), %ecx\n"
	"	rdmsr\n"
	"	movl	%eax, 640(%edi, %ebx, 8)\n	movl	%edx, 644(%edi, %ebx, 8)\n"
	"	incl	%ebx\n"
	"	cmpl	$16, %ebx\n"
	"	jb	9b\n"
	"	movl	(%edi), %ebx\n	movl	4(%edi), %ecx\n	movl	8(%edi), %edx\n"
	"	.endm\n"
	/* FORK, by the instruction that EBP says; the result comes back in EAX. */
	"	.macro	FORK\n"
	"	movl	$7, %eax\n"
	"	testl	%ebp, %ebp\n"
	"	jnz	8f\n"
	"	vmcall\n"
	"	jmp	7f\n"
	"8:	vmmcall\n"
	"7:\n"
	"	.endm\n"

	/* Sixteen: STAR to FMASK, the bases, SYSENTER's, EFER, PAT, APIC_BASE, MISC_ENABLE, PLATFORM_ID, BIOS_SIGN_ID. */
	"	.macro	MSRS\n"
	"	.long	0xc0000081, 0xc0000082, 0xc0000083, 0xc0000084, 0xc0000100, 0xc0000101, 0xc0000102\n"
	"	.long	0x174, 0x175, 0x176, 0xc0000080, 0x277, 0x1b, 0x1a0, 0x17, 0x8b\n"
	"	.endm\n"

	"	.section .text.modes, \"ax\", %progbits\n"
	"	.code32\n"
	"fork_here:\n"
	"	movl	$0x12345678, %ebx\n	movl	$0x23456789, %ecx\n	movl	$0x3456789a, %edx\n"
	"	movl	snap_vmmcall, %ebp\n	movl	$snap_msrs, %esi\n"
	"	movl	$snap_before, %edi\n"
	"	testl	%ebp, %ebp\n" /* for the flags, as FORK leaves them */
	"	SNAP\n"
	"	FORK\n"
	"	movl	%eax, snap_result\n"
	"	movl	$snap_after, %edi\n"
	"	SNAP\n"
	"	ret\n"
	"mode_none:\n"
	"	call	fork_here\n"
	"	jmp	legacy_return\n"
	"mode_32bit:\n"
	"	movl	$0x618, %eax\n" /* OSXMMEXCPT, OSFXSR, PSE, DE */
	"	movl	%eax, %cr4\n"
	"	movl	$page_directory, %eax\n"
	"	movl	%eax, %cr3\n"
	"	movl	%cr0, %eax\n	orl	$0x80000000, %eax\n	movl	%eax, %cr0\n"
	"	call	fork_here\n"
	"	jmp	paging_off\n"
	"mode_pae:\n"
	"	movl	$pae_pdpt, %eax\n"
	"	movl	%eax, %cr3\n"
	"	movl	%cr0, %eax\n	orl	$0x80000000, %eax\n	movl	%eax, %cr0\n"
	"	call	fork_here\n"
	"	movl	$snap_result, %edx\n"
	"	orl	$0xc0000000, %edx\n" /* the first GiB once more, by another page-directory pointer */
	"	movl	(%edx), %eax\n"
	"	movl	%eax, snap_alias\n"
	"paging_off:\n"
	"	movl	%cr0, %eax\n	andl	$0x7fffffff, %eax\n	movl	%eax, %cr0\n"
	"	jmp	legacy_return\n"

	/* In real mode all lies in one segment, from REAL_MODE on: this code, and behind it what it reads and writes. */
	"mode_real:\n"
	"	movl	%esp, real_esp\n"
	"	ljmpl	$0x28, $(1f - real_code)\n"
	"	.section .rodata.real, \"a\", %progbits\n"
	"	.code16\n"
	"real_code:\n"
	"1:	movw	$0x30, %ax\n"
	"	movw	%ax, %ds\n	movw	%ax, %es\n	movw	%ax, %ss\n"
	"	movl	%cr0, %eax\n	andb	$0xfe, %al\n	movl	%eax, %cr0\n"
	"	ljmpw	$0x2000, $(2f - real_code)\n"
	"2:	movw	$0x2000, %ax\n"
	"	movw	%ax, %ds\n	movw	%ax, %es\n	movw	%ax, %ss\n"
	"	movl	$0x3ff0, %esp\n"
	"	movl	$0x12345678, %ebx\n	movl	$0x23456789, %ecx\n	movl	$0x3456789a, %edx\n"
	"	movl	0x3ff4, %ebp\n	movl	$(real_msrs - real_code), %esi\n"
	"	movl	$0x1000, %edi\n"
	"	testl	%ebp, %ebp\n"
	"	SNAP\n"
	"	FORK\n"
	"	movl	%eax, 0x3ff8\n"
	"	movl	$0x2000, %edi\n"
	"	SNAP\n"
	"	movl	%cr0, %eax\n	orb	$1, %al\n	movl	%eax, %cr0\n"
	"	ljmpl	$0x20, $real_back\n"
	"	.balign	4\n"
	"real_msrs:\n"
	"	MSRS\n"
	"real_code_end:\n"
	"	.section .text.modes\n"
	"	.code32\n"
	"real_back:\n"
	"	movl	$0x18, %eax\n"
	"	movw	%ax, %ds\n	movw	%ax, %es\n	movw	%ax, %ss\n"
	"	movl	real_esp, %esp\n"
	"	movl	0x23ff8, %eax\n"
	"	movl	%eax, snap_result\n"
	"	jmp	legacy_return\n"
	"	.code64\n"
	"	.section .rodata.msrs, \"a\", %progbits\n"
	"	.balign	4\n"
	"snap_msrs:\n"
	"	MSRS\n"
	"	.section .bss.snap, \"aw\", %nobits\n"
	"	.balign	16\n"
	"snap_before: .skip 768\n"
	"snap_after: .skip 768\n"
	"snap_result: .skip 4\n"
	"snap_alias: .skip 4\n"
	"snap_vmmcall: .skip 4\n"
	"real_esp: .skip 4\n"
	"	.text\n");

static void check_same(const char *mode)
{
	const uint8_t *before = (const uint8_t *)&snap_before, *after = (const uint8_t *)&snap_after;

	for (size_t i = 0; i < sizeof(snap_before); i++)
		if (before[i] != after[i]) {
			rt_printf("FAILED: %s: byte %lu is 0x%x, was 0x%x\n", mode, i, after[i], before[i]);
			check_failures++;
			return;
		}
	CHECK(snap_before.dr[0] == 0x9000 && snap_before.dr[4] == 0xffff0ff5 && snap_before.dr[5] == 0x10000440);
	CHECK(snap_before.msr[0] == 0x900); /* STAR, as state_put has it */
}

/* In the mode at `code`; whether this is the child. */
static bool fork_in(const char *mode, const char *code)
{
	static unsigned children;

	rt_printf("fork_modes: %s\n", mode);
	memset(&snap_before, 0, sizeof(snap_before));
	memset(&snap_after, 0, sizeof(snap_after));
	state_put(9);
	__asm__ volatile("movq %0, %%dr6\n\tmovq %1, %%dr7" : : "r"(0xffff0ff5ul), "r"(0x10000440ul));
	if (code == mode_real) {
		memset((void *)REAL_MODE, 0, 0x4000);
		memcpy((void *)REAL_MODE, real_code, (size_t)(real_code_end - real_code));
		*(volatile uint32_t *)(REAL_MODE + 0x3ff4) = snap_vmmcall;
	}
	legacy_call(code);
	if (code == mode_real) {
		memcpy(&snap_before, (void *)(REAL_MODE + 0x1000), sizeof(snap_before));
		memcpy(&snap_after, (void *)(REAL_MODE + 0x2000), sizeof(snap_after));
	}
	check_same(mode);
	state_check(9);
	if (code == mode_pae)
		CHECK(snap_alias == snap_result);
	if (snap_result != 0)
		CHECK(snap_result == ++children);
	return snap_result == 0;
}

int guest_main(void)
{
	snap_vmmcall = cpuid(0x40000001, 0).eax;
	for (uint32_t i = 0; i < 1024; i++)
		page_directory[i] = i << 22 | 0xe3;
	for (uint64_t i = 0; i < 512; i++)
		pae_pd[i] = i << 21 | 0xe3;
	pae_pdpt[0] = pae_pdpt[3] = (uintptr_t)pae_pd | 1;
	legacy_init();
	state_init();
	if (!fork_in("no paging", mode_none) && !fork_in("32-bit paging", mode_32bit) && !fork_in("PAE paging", mode_pae))
		fork_in("real mode", mode_real);
	return check_status("fork_modes");
}

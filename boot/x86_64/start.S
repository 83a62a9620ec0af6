/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where a started CPU begins: a page below 1 MiB to which this code is copied, in real mode, and from there through protected mode
 * to 64-bit mode. Intel SDM vol. 3 "Multiple-Processor (MP) Initialization", "Initializing IA-32e Mode".
 *
 * The page is mapped one to one, readable and executable, by the tables of our own map as by those of the way there.
 */
#include "boot/x86_64/start.h"

#define CR0_PE (1 << 0)
#define CR0_NW (1 << 29)
#define CR0_CD (1 << 30)
#define CR0_PG (1 << 31)

#define IA32_EFER 0xc0000080
#define EFER_LME  (1 << 8)
#define EFER_NXE  (1 << 11)

/* Selectors in start_gdt. */
#define CODE32 0x08
#define DATA   0x10
#define CODE64 0x18

#define IN_PAGE(symbol) (symbol - start_code)

	.section .rodata.start, "a"
	.balign	16
	.globl	start_code, start_parameters, start_code_end
	.hidden	start_code, start_parameters, start_code_end
start_code:
	.code16
	cli
	cld
	xorl	%ebx, %ebx
	movw	%cs, %bx
	movw	%bx, %ds
	shll	$4, %ebx	/* the page's address, from here on */

	/* The GDT's address depends on where the page is: on no stack, the descriptor is made in registers and found in the page. */
	lgdtl	IN_PAGE(start_parameters) + START_GDT_POINTER
	movl	%cr0, %eax
	andl	$~(CR0_CD | CR0_NW), %eax	/* INIT leaves the caches as they were, a reset leaves them off */
	orl	$CR0_PE, %eax
	movl	%eax, %cr0
	ljmpl	*(IN_PAGE(start_parameters) + START_FAR_32)

	.code32
start_32:
	movw	$DATA, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	movl	IN_PAGE(start_parameters) + START_CR4(%ebx), %eax
	movl	%eax, %cr4
	movl	IN_PAGE(start_parameters) + START_CR3(%ebx), %eax
	movl	%eax, %cr3
	movl	$IA32_EFER, %ecx
	rdmsr
	orl	$(EFER_LME | EFER_NXE), %eax
	wrmsr
	movl	%cr0, %eax
	orl	$CR0_PG, %eax
	movl	%eax, %cr0
	ljmpl	*IN_PAGE(start_parameters) + START_FAR_64(%ebx)

	.code64
start_64:
	movq	IN_PAGE(start_parameters) + START_MAP(%rbx), %rax
	movq	%rax, %cr3
	jmp	*IN_PAGE(start_parameters) + START_ENTRY(%rbx)

	/* struct start_parameters (start.h), which boot/x86_64/cpus.c completes in the copy. */
	.balign	8
start_parameters:
	.quad	0			/* map */
	.quad	0			/* entry */
	.long	0			/* cr3 */
	.long	0			/* cr4 */
	.long	IN_PAGE(start_32)	/* far_32 */
	.word	CODE32, 0
	.long	IN_PAGE(start_64)	/* far_64 */
	.word	CODE64, 0
	.word	start_gdt_end - start_gdt - 1
	.long	IN_PAGE(start_gdt)
	.word	0
	.balign	8
start_gdt:
	.quad	0
	.quad	0x00cf9b000000ffff	/* 32-bit code, accessed: the page cannot be written */
	.quad	0x00cf93000000ffff	/* data, accessed */
	.quad	0x00af9b000000ffff	/* 64-bit code, accessed */
start_gdt_end:
start_code_end:

	.text
/*
 * In our own map. A CPU takes what start_cpu says, once: one that comes too late, when another may be meant, finds nothing, or takes
 * that one's place, which start_main finds out.
 */
	.globl	start_entry
	.hidden	start_entry
	.type	start_entry, @function
start_entry:
	xorl	%edi, %edi
	xchgq	%rdi, start_cpu(%rip)
	testq	%rdi, %rdi
	jz	nothing
	movq	start_stack(%rip), %rsp
	xorl	%ebp, %ebp
	pushq	$0	/* the null return address ends a stack trace, and aligns the stack as after a call */
	jmp	start_main
nothing:
	cli
	hlt
	jmp	nothing
	.size	start_entry, . - start_entry

	.section .note.GNU-stack, "", @progbits

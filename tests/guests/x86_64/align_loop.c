/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A 32-bit handler of alignment checks at CPL 3, on a misaligned stack of CPL 3: each delivery of #AC raises the next.
 * CVE-2015-5307.
 */
#include "tests/guests/check.h"
#include "tests/guests/x86_64/legacy.h"

extern const char align_code[], align_handler[];
extern uint64_t align_gate;

__asm__("	.section .text.align, \"ax\", %progbits\n"
	"	.code32\n"
	"align_code:\n"
	"	lidtl	align_idtr\n"
	"	movl	%cr0, %eax\n	orl	$0x40000, %eax\n	movl	%eax, %cr0\n" /* AM */
	"	movl	$0x43, %eax\n	movw	%ax, %ds\n	movw	%ax, %es\n"
	"	pushl	$0x43\n	pushl	$align_stack - 2\n"
	"	pushl	$0x40002\n" /* AC */
	"	pushl	$0x3b\n	pushl	$1f\n"
	"	iretl\n"
	"1:	movl	align_stack - 62, %eax\n"
	"align_handler:\n"
	"	jmp	align_handler\n"
	"	.code64\n"
	"	.section .data.align, \"aw\", %progbits\n"
	"	.balign	8\n"
	"align_idtr:\n"
	"	.word	8 * 18 - 1\n	.long	align_idt\n"
	"	.balign	8\n"
	"align_idt:\n"
	"	.skip	8 * 17\n"
	"align_gate: .quad 0\n"
	"	.skip	256\n"
	"align_stack:\n"
	"	.text\n");

int guest_main(void)
{
	uint64_t handler = (uintptr_t)align_handler;

	align_gate = (handler & 0xffff) | (CODE3 | 3) << 16 | 0xeeul << 40 | (handler >> 16 & 0xffff) << 48;
	legacy_init();
	rt_printf("align_loop: here it comes\n");
	legacy_call(align_code);
	return 1;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Goes all the way back to real mode, prints from there and halts. */
#include "guest/rt/rt.h"

#define LOW 0x20000 /* below 1 MiB; the code is copied there */

extern const char low_code[], low_code_end[];

__asm__("	.section .rodata.low_code, \"a\", %progbits\n"
	"	.set	LOW, 0x20000\n"
	"low_code:\n"
	/* Compatibility mode: leave paging, then long mode. */
	"	.code32\n"
	"	movl	%cr0, %eax\n"
	"	andl	$0x7fffffff, %eax\n"
	"	movl	%eax, %cr0\n"
	"	movl	$0xc0000080, %ecx\n"
	"	rdmsr\n"
	"	andl	$~0x100, %eax\n"
	"	wrmsr\n"
	"	ljmpl	$0x10, $(protected_16 - low_code)\n"
	"	.code16\n"
	"protected_16:\n"
	"	movw	$0x18, %ax\n"
	"	movw	%ax, %ds\n"
	"	movw	%ax, %ss\n"
	"	movl	%cr0, %eax\n"
	"	andb	$0xfe, %al\n"
	"	movl	%eax, %cr0\n"
	"	ljmpw	$(LOW >> 4), $(real_16 - low_code)\n"
	"real_16:\n"
	"	movw	$(LOW >> 4), %ax\n"
	"	movw	%ax, %ds\n"
	"	movw	$(text - low_code), %si\n"
	"	movw	$0x3f8, %dx\n"
	"1:	lodsb\n"
	"	testb	%al, %al\n"
	"	jz	2f\n"
	"	outb	%al, %dx\n"
	"	jmp	1b\n"
	"2:	hlt\n"
	"	jmp	2b\n"
	"text:	.asciz	\"real_mode: sixteen bits and counting\\n\"\n"
	"low_code_end:\n"
	"	.code64\n"
	"	.text\n");

int guest_main(void)
{
	static const uint64_t gdt[] = {
		0, 0x00cf9b000000ffff, /* 0x08: 32-bit code */
		0x00009b020000ffff,    /* 0x10: 16-bit code, base LOW */
		0x000093000000ffff,    /* 0x18: 16-bit data */
	};
	static const struct {
		uint16_t limit;
		const void *base;
	} __attribute__((packed)) gdtr = { sizeof(gdt) - 1, gdt };

	memcpy((void *)LOW, low_code, (size_t)(low_code_end - low_code));
	__asm__ volatile("lgdt %0\n\t"
			 "pushq $0x08\n\t"
			 "pushq %1\n\t"
			 "lretq"
			 :
			 : "m"(gdtr), "r"((uint64_t)LOW)
			 : "memory");
	return 1;
}

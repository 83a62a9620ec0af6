/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A kernel that is entered by the PVH boot protocol, once tests/boot/elf.py has given it the note. It checks the state that it is
 * entered in, makes boot_params of what it is told, as Linux does, and goes on in 64-bit mode with the runtime.
 */
#include "tests/guests/check.h"

#define MAGIC 0x336ec578

struct memory {
	uint64_t addr, size;
	uint32_t type, reserved;
};

struct module {
	uint64_t addr, size, cmdline, reserved;
};

struct start_info {
	uint32_t magic, version, flags, modules;
	uint64_t modlist, cmdline, rsdp, memory;
	uint32_t memory_rows, reserved;
};

/* As PUSHA leaves them, EDI first; and EFLAGS, CR0, CR4, EFER. */
extern uint32_t pvh_gpr[8], pvh_state[4];
extern uint8_t pvh_params[4096];

__asm__("	.section .text.entry, \"ax\", %progbits\n"
	"	.globl	_start\n"
	"	.type	_start, %function\n"
	"	.code32\n"
	"_start:\n"
	"	movl	$pvh_gpr + 32, %esp\n"
	"	pushal\n"
	"	movl	$pvh_stack, %esp\n"
	"	pushfl\n	popl	pvh_state\n"
	"	movl	%cr0, %eax\n	movl	%eax, pvh_state + 4\n"
	"	movl	%cr4, %eax\n	movl	%eax, pvh_state + 8\n"
	"	movl	$0xc0000080, %ecx\n	rdmsr\n	movl	%eax, pvh_state + 12\n"
	/* Identity map of 1 GiB by 2 MiB pages. */
	"	movl	$pvh_pdpt + 3, pvh_pml4\n"
	"	movl	$pvh_pd + 3, pvh_pdpt\n"
	"	xorl	%ecx, %ecx\n"
	"1:	movl	%ecx, %eax\n	shll	$21, %eax\n	orl	$0x83, %eax\n"
	"	movl	%eax, pvh_pd(,%ecx,8)\n"
	"	incl	%ecx\n	cmpl	$512, %ecx\n	jne	1b\n"
	"	movl	$pvh_pml4, %eax\n	movl	%eax, %cr3\n"
	"	movl	$0x620, %eax\n	movl	%eax, %cr4\n"
	"	movl	$0xc0000080, %ecx\n	movl	$0x100, %eax\n	xorl	%edx, %edx\n	wrmsr\n"
	"	movl	$0x80010033, %eax\n	movl	%eax, %cr0\n"
	"	lgdt	pvh_gdtr\n"
	"	ljmp	$0x10, $pvh_start64\n"
	"	.code64\n"
	"pvh_start64:\n"
	"	movl	$0x18, %eax\n	movl	%eax, %ds\n	movl	%eax, %es\n	movl	%eax, %ss\n"
	"	xorl	%ebp, %ebp\n"
	"	call	pvh_prepare\n"
	"	movl	$pvh_params, %edi\n"
	"	call	rt_start\n"
	"	ud2\n"
	"	.section .data.entry, \"aw\", %progbits\n"
	"	.balign	8\n"
	"pvh_gdt: .quad 0, 0, 0x00af9b000000ffff, 0x00cf93000000ffff\n"
	"pvh_gdtr: .word 31\n	.long pvh_gdt\n"
	"	.balign	4\n"
	"pvh_gpr: .skip 32\n"
	"pvh_state: .skip 16\n"
	"	.bss\n"
	"	.balign	4096\n"
	"pvh_pml4: .skip 4096\n"
	"pvh_pdpt: .skip 4096\n"
	"pvh_pd: .skip 4096\n"
	"pvh_params: .skip 4096\n"
	"	.skip	16384\n"
	"pvh_stack:\n"
	"	.text\n");

static const struct start_info *start_info(void)
{
	return (const struct start_info *)(uintptr_t)pvh_gpr[4]; /* EBX */
}

/* e820 entries are 20 bytes. */
void pvh_prepare(void);

void pvh_prepare(void)
{
	const struct start_info *info = start_info();
	const struct memory *memory = (const void *)info->memory;

	pvh_params[0x1e8] = (uint8_t)info->memory_rows;
	for (unsigned i = 0; i < info->memory_rows; i++)
		memcpy(pvh_params + 0x2d0 + i * 20, &memory[i], 20);
	memcpy(pvh_params + 0x228, &info->cmdline, 4);
}

static void entry_state(void)
{
	for (unsigned i = 0; i < 8; i++)
		if (i != 4 && i != 3) /* EBX; what ESP was at PUSHA */
			CHECK(pvh_gpr[i] == 0);
	CHECK(pvh_state[0] == 2);
	CHECK(pvh_state[1] == 0x11); /* ET, PE */
	CHECK(pvh_state[2] == 0);
	CHECK(pvh_state[3] == 0);
}

static void start_info_says(void)
{
	const struct start_info *info = start_info();
	const struct module *initrd = (const void *)info->modlist;

	CHECK(info->magic == MAGIC);
	CHECK(info->version == 1);
	CHECK(info->flags == 0);
	CHECK(info->reserved == 0);
	CHECK(info->rsdp != 0 && memcmp((const void *)info->rsdp, "RSD PTR ", 8) == 0);
	rt_printf("pvh: %u rows of memory, command line \"%s\"\n", info->memory_rows, (const char *)info->cmdline);
	if (info->modules)
		rt_printf("pvh: an initrd of %lu bytes\n", initrd->size);
	CHECK(info->modules == 0 || memcmp((const void *)initrd->addr, "0707", 4) == 0);
}

int guest_main(void)
{
	entry_state();
	start_info_says();
	return check_status("pvh");
}

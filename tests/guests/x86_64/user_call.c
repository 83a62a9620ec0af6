/* SPDX-License-Identifier: BSD-2-Clause */
/* Makes a hypercall from user mode: a guest's programs may not speak for its kernel. */
#include "tests/guests/check.h"
#include "tests/guests/x86_64/cpu.h"
#include "tests/guests/x86_64/trap.h"

#define USER_DATA 0x23
#define USER_CODE 0x2b
#define TSS       0x30

extern char user_vmcall[], user_vmmcall[], user_trapped[];
int run_user(const void *code);

/* run_user() returns the vector by which user mode ends; rax and rdi are those of an EXIT with status 99. */
__asm__("	.section .text.run_user, \"ax\", %progbits\n"
	"run_user:\n"
	"	pushq	%rbx\n"
	"	pushq	%rbp\n"
	"	movq	%rsp, kernel_rsp(%rip)\n"
	"	pushq	$0x23\n"
	"	pushq	%rsp\n"
	"	pushq	$2\n"
	"	pushq	$0x2b\n"
	"	pushq	%rdi\n"
	"	movl	$1, %eax\n"
	"	movl	$99, %edi\n"
	"	iretq\n"
	"user_trapped:\n"
	"	movq	kernel_rsp(%rip), %rsp\n"
	"	popq	%rbp\n"
	"	popq	%rbx\n"
	"	movl	$6, %eax\n"
	"	ret\n"
	"user_vmcall:\n"
	"	vmcall\n"
	"	hlt\n"
	"user_vmmcall:\n"
	"	vmmcall\n"
	"	hlt\n"
	"	.section .bss.run_user, \"aw\", %nobits\n"
	"	.balign	8\n"
	"kernel_rsp: .skip 8\n"
	"	.text\n");

/* Let user mode at all that is mapped below 1 GiB. */
static void open_memory(void)
{
	uint64_t *entry = (uint64_t *)(read_cr3() & PTE_ADDR);

	*entry |= PTE_U;
	entry = (uint64_t *)(*entry & PTE_ADDR);
	*entry |= PTE_U;
	if (!(*entry & PTE_PS))
		for (unsigned i = 0; i < 512; i++)
			((uint64_t *)(*entry & PTE_ADDR))[i] |= PTE_U;
	write_cr3(read_cr3());
}

static void load_descriptors(void)
{
	static char stack[4096] __attribute__((aligned(16)));
	static uint32_t tss[26];
	static uint64_t gdt[] = { 0, 0, 0x00af9b000000ffff, 0x00cf93000000ffff, 0x00cff3000000ffff, 0x00affb000000ffff, 0, 0 };
	const struct {
		uint16_t limit;
		void *base;
	} __attribute__((packed)) gdtr = { sizeof(gdt) - 1, gdt };
	uint64_t base = (uintptr_t)tss, top = (uintptr_t)stack + sizeof(stack);

	tss[1] = (uint32_t)top; /* RSP0 */
	tss[2] = (uint32_t)(top >> 32);
	gdt[TSS / 8] = (sizeof(tss) - 1) | (base & 0xffffff) << 16 | 0x89ul << 40 | (base >> 24 & 0xff) << 56;
	gdt[TSS / 8 + 1] = base >> 32;
	__asm__ volatile("lgdt %0\n\tltr %w1" : : "m"(gdtr), "r"(TSS));
}

int guest_main(void)
{
	trap_init();
	trap_gate(VECTOR_UD, user_trapped);
	load_descriptors();
	open_memory();
	CHECK(run_user(user_vmcall) == VECTOR_UD);
	CHECK(run_user(user_vmmcall) == VECTOR_UD);
	return check_status("user_call");
}

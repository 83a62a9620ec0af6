/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Debug exceptions over instructions that the hypervisor carries out: a single-step trap behind each, the shadow of MOV SS
 * gone, RF cleared, I/O breakpoints met. And those that pass through the hypervisor on their way to the guest.
 */
#include "tests/guests/check.h"
#include "tests/guests/x86_64/cpu.h"
#include "tests/guests/x86_64/trap.h"

#define RFLAGS_TF    0x100
#define CR0_CD       (1ul << 30)
#define CR4_DE       (1ul << 3)
#define DR6_BS       (1ul << 14)
#define DR6_BD       (1ul << 13)
#define DR7_RESET    0x400ul
#define SCRATCH_PORT 0x3ff

#define TRAPS 16
extern volatile uint64_t step_count, step_rip[TRAPS], step_dr6[TRAPS], step_expected;
extern const char step_handler[];

/* Notes where it came from and DR6, clears that, and sets RF so that an instruction breakpoint is met once only. */
__asm__("	.section .text.step, \"ax\", %progbits\n"
	"step_handler:\n"
	"	pushq	%rax\n	pushq	%rcx\n"
	"	movq	step_count(%rip), %rcx\n"
	"	andq	$15, %rcx\n"
	"	movq	16(%rsp), %rax\n"
	"	movq	%rax, step_rip(, %rcx, 8)\n"
	"	movq	%dr6, %rax\n"
	"	movq	%rax, step_dr6(, %rcx, 8)\n"
	"	movl	$0xffff0ff0, %eax\n"
	"	movq	%rax, %dr6\n"
	"	orq	$0x10000, 32(%rsp)\n"
	"	incq	step_count(%rip)\n"
	"	popq	%rcx\n	popq	%rax\n"
	"	iretq\n"
	"	.globl	step_count, step_expected, step_rip, step_dr6\n"
	"	.section .bss.step, \"aw\", %nobits\n"
	"	.balign	8\n"
	"step_count: .skip 8\n"
	"step_expected: .skip 8\n"
	"step_rip: .skip 8 * 16\n"
	"step_dr6: .skip 8 * 16\n"
	"	.text\n");

static void check_trap(const char *insn, unsigned number, uint64_t rip, uint64_t cause, unsigned count)
{
	if (step_count == count && step_rip[number] == rip && (step_dr6[number] & 0xe00f) == cause)
		return;
	rt_printf("FAILED: %s: %lu traps; number %u %ld bytes off, dr6 0x%lx\n", insn, step_count, number,
		  (long)(step_rip[number] - rip), step_dr6[number]);
	check_failures++;
}

/* Single-step over `insn`, and four more: the next NOP, and the three that clear TF again. */
#define STEP(insn, ...)                                                                              \
	do {                                                                                         \
		step_count = 0;                                                                      \
		__asm__ volatile("movq $773f, step_expected(%%rip)\n\t"                              \
				 "pushfq\n\torq $0x100, (%%rsp)\n\tpopfq\n\t" insn "\n773:\tnop\n\t" \
				 "pushfq\n\tandq $~0x100, (%%rsp)\n\tpopfq"                          \
				 : __VA_ARGS__                                                       \
				 : "memory", "cc");                                                  \
		check_trap(insn, 0, step_expected, DR6_BS, 5);                                       \
	} while (0)

static void single_steps(bool vmmcall)
{
	uint64_t a = 1, b, c = 0, d = 0, cr0, cr4;

	__asm__ volatile("movq %%cr0, %0\n\tmovq %%cr4, %1" : "=r"(cr0), "=r"(cr4));
	STEP("nop", :);
	STEP("cpuid", "+a"(a), "+c"(c), "+d"(d), "=b"(b) :);
	c = 0x277;
	STEP("rdmsr", "+a"(a), "+d"(d) : "c"(c));
	STEP("wrmsr", : "a"(a), "d"(d), "c"(c));
	STEP("outb %b0, %w1", : "a"(0x55), "d"(SCRATCH_PORT));
	STEP("inb %w1, %b0", "=a"(a) : "d"(SCRATCH_PORT));
	CHECK((a & 0xff) == 0x55);
	STEP("movq %0, %%cr0", : "r"(cr0 | CR0_CD));
	STEP("movq %0, %%cr0", : "r"(cr0));
	STEP("movq %0, %%cr4", : "r"(cr4 | CR4_DE));
	STEP("movq %0, %%cr8", : "r"(3ul));
	STEP("movq %%cr8, %0", "=r"(a) :);
	CHECK(a == 3);
	STEP("invd", :);
	STEP("hlt", :); /* a trap wakes the CPU */
	c = RT_CALL_VERSION;
	if (vmmcall)
		STEP("vmmcall", "+a"(c) :);
	else
		STEP("vmcall", "+a"(c) :);
	CHECK(c == 3);
}

/* Both sides of a fork are behind the same instruction. */
static uint64_t fork_stepping(bool vmmcall)
{
	uint64_t vm = RT_CALL_FORK;

	if (vmmcall)
		STEP("vmmcall", "+a"(vm) :);
	else
		STEP("vmcall", "+a"(vm) :);
	return vm;
}

/* Run `insn` with breakpoint 0 on itself and breakpoint 1 on what follows: the second is met only if RF is cleared. */
#define BREAK(insn, before, count, ...)                                                                        \
	do {                                                                                                   \
		step_count = 0;                                                                                \
		__asm__ volatile("movq $772f, %%r8\n\tmovq %%r8, %%dr0\n\t"                                    \
				 "movq $773f, %%r8\n\tmovq %%r8, %%dr1\n\tmovq %%r8, step_expected(%%rip)\n\t" \
				 "movl $0x40" #count ", %%r8d\n\tmovq %%r8, %%dr7\n\t" before "\n772:\t" insn  \
				 "\n773:\tnop\n\tmovl $0x400, %%r8d\n\tmovq %%r8, %%dr7"                       \
				 : __VA_ARGS__                                                                 \
				 : "r8", "memory", "cc");                                                      \
	} while (0)

static void instruction_breakpoints(void)
{
	uint64_t a = 0, b, c = 0, d;

	BREAK("cpuid", "", 5, "+a"(a), "+c"(c), "=b"(b), "=d"(d) :);
	check_trap("cpuid with breakpoints", 1, step_expected, 2, 2);
	/* The shadow of MOV SS covers CPUID, but not what is behind it. */
	BREAK("cpuid", "movl %%ss, %%r8d\n\tmovl %%r8d, %%ss", 4, "+a"(a), "+c"(c), "=b"(b), "=d"(d) :);
	check_trap("mov ss, cpuid", 0, step_expected, 2, 1);
	BREAK("cpuid", "sti", 4, "+a"(a), "+c"(c), "=b"(b), "=d"(d) :);
	__asm__ volatile("cli");
	check_trap("sti, cpuid", 0, step_expected, 2, 1);
}

static void io_breakpoints(void)
{
	uint64_t cr4, port = SCRATCH_PORT;

	__asm__ volatile("movq %%cr4, %0" : "=r"(cr4));
	__asm__ volatile("movq %0, %%cr4" : : "r"(cr4 | CR4_DE));
	__asm__ volatile("movq %0, %%dr2" : : "r"(port));
	__asm__ volatile("movq %0, %%dr7" : : "r"(DR7_RESET | 1ul << 4 | 2ul << 24));
	step_count = 0;
	__asm__ volatile("movq $773f, step_expected(%%rip)\n\toutb %b0, %w1\n773:" : : "a"(1), "d"(port) : "memory");
	check_trap("outb at an I/O breakpoint", 0, step_expected, 4, 1);
	__asm__ volatile("outb %b0, %w1" : : "a"(1), "d"(port - 2) : "memory");
	CHECK(step_count == 1);
	__asm__ volatile("movq %0, %%dr7" : : "r"(DR7_RESET));
	__asm__ volatile("movq %0, %%cr4" : : "r"(cr4));
}

/* What the hypervisor takes and gives back must be as it was. */
static void other_debug_exceptions(bool vmmcall)
{
	static volatile uint64_t watched;
	uint64_t dr7;

	step_count = 0;
	__asm__ volatile("movq %0, %%dr3" : : "r"(&watched));
	__asm__ volatile("movq %0, %%dr7" : : "r"(DR7_RESET | 1ul << 6 | 1ul << 28 | 2ul << 30));
	__asm__ volatile("movq $773f, step_expected(%%rip)\n\tmovq $1, %0\n773:" : "=m"(watched) : : "memory");
	__asm__ volatile("movq %0, %%dr7" : : "r"(DR7_RESET));
	check_trap("a write at a data breakpoint", 0, step_expected, 8, 1);

	if (!vmmcall) { /* INT1; QEMU stops at it, and intercepts it not */
		step_count = 0;
		__asm__ volatile("movq $773f, step_expected(%%rip)\n\t.byte 0xf1\n773:" : : : "memory");
		check_trap("int1", 0, step_expected, 0, 1);
	}

	step_count = 0;
	__asm__ volatile("movq %0, %%dr7" : : "r"(DR7_RESET | 1ul << 13));
	__asm__ volatile("movq %%dr7, %0" : "=r"(dr7));
	CHECK((dr7 & 1ul << 13) == 0 || step_count == 0); /* QEMU does not guard them */
	if (step_count)
		CHECK(step_count == 1 && (step_dr6[0] & 0xe00f) == DR6_BD);
	else
		__asm__ volatile("movq %0, %%dr7" : : "r"(DR7_RESET));
}

int guest_main(void)
{
	bool vmmcall = cpuid(0x40000001, 0).eax;
	uint64_t vm;

	trap_init();
	trap_gate(VECTOR_DB, step_handler);
	single_steps(vmmcall);
	instruction_breakpoints();
	io_breakpoints();
	other_debug_exceptions(vmmcall);
	vm = fork_stepping(vmmcall);
	CHECK(vm <= 1);
	return check_status("step_over");
}

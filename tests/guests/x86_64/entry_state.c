/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads all there is to read of the CPU at the entry, before the runtime has touched it: what docs/guest-abi.md says, and
 * nothing of firmware, hypervisor or another guest.
 */
#include "tests/guests/check.h"
#include "tests/guests/x86_64/cpu.h"
#include "tests/guests/x86_64/trap.h"

extern uint64_t entry_gpr[16], entry_rflags, entry_rip, entry_cr[5], entry_dr[6];
extern uint32_t entry_segment[8];
extern uint8_t entry_fx[512], entry_gdtr[10], entry_idtr[10];

__asm__("	.section .text.entry, \"ax\", %progbits\n"
	"	.globl	_start\n"
	"	.type	_start, %function\n"
	"_start:\n"
	"	movq	%rax, entry_gpr\n	movq	%rcx, entry_gpr + 8\n"
	"	movq	%rdx, entry_gpr + 16\n	movq	%rbx, entry_gpr + 24\n"
	"	movq	%rsp, entry_gpr + 32\n	movq	%rbp, entry_gpr + 40\n"
	"	movq	%rsi, entry_gpr + 48\n	movq	%rdi, entry_gpr + 56\n"
	"	movq	%r8, entry_gpr + 64\n	movq	%r9, entry_gpr + 72\n"
	"	movq	%r10, entry_gpr + 80\n	movq	%r11, entry_gpr + 88\n"
	"	movq	%r12, entry_gpr + 96\n	movq	%r13, entry_gpr + 104\n"
	"	movq	%r14, entry_gpr + 112\n	movq	%r15, entry_gpr + 120\n"
	"	movq	$entry_stack, %rsp\n"
	"	pushfq\n"
	"	popq	entry_rflags\n"
	"	fxsave64 entry_fx\n"
	"	movq	%cr0, %rax\n	movq	%rax, entry_cr\n"
	"	movq	%cr2, %rax\n	movq	%rax, entry_cr + 8\n"
	"	movq	%cr3, %rax\n	movq	%rax, entry_cr + 16\n"
	"	movq	%cr4, %rax\n	movq	%rax, entry_cr + 24\n"
	"	movq	%cr8, %rax\n	movq	%rax, entry_cr + 32\n"
	"	movq	%dr0, %rax\n	movq	%rax, entry_dr\n"
	"	movq	%dr1, %rax\n	movq	%rax, entry_dr + 8\n"
	"	movq	%dr2, %rax\n	movq	%rax, entry_dr + 16\n"
	"	movq	%dr3, %rax\n	movq	%rax, entry_dr + 24\n"
	"	movq	%dr6, %rax\n	movq	%rax, entry_dr + 32\n"
	"	movq	%dr7, %rax\n	movq	%rax, entry_dr + 40\n"
	"	movw	%cs, entry_segment\n	movw	%ds, entry_segment + 4\n"
	"	movw	%es, entry_segment + 8\n	movw	%ss, entry_segment + 12\n"
	"	movw	%fs, entry_segment + 16\n	movw	%gs, entry_segment + 20\n"
	"	sldt	entry_segment + 24\n	str	entry_segment + 28\n"
	"	sgdt	entry_gdtr\n	sidt	entry_idtr\n"
	"	movq	%rsi, %rdi\n"
	"	xorl	%ebp, %ebp\n"
	"	call	rt_start\n"
	"	ud2\n"
	"	.section .data.entry, \"aw\", %progbits\n"
	"	.balign	16\n"
	"entry_fx: .skip 512\n"
	"entry_gpr: .skip 128\n"
	"entry_cr: .skip 40\n"
	"entry_dr: .skip 48\n"
	"entry_rflags: .skip 8\n"
	"entry_segment: .skip 32\n"
	"entry_gdtr: .skip 10\n"
	"entry_idtr: .skip 10\n"
	"	.balign	16\n"
	"	.skip	16384\n"
	"entry_stack:\n"
	"	.text\n");

static void general_registers(void)
{
	for (unsigned i = 0; i < 16; i++)
		if (i != 6)
			CHECK(entry_gpr[i] == 0);
	CHECK(entry_gpr[6] == 0x1000); /* boot_params */
	CHECK(entry_rflags == 2);
}

static void control_registers(void)
{
	CHECK(entry_cr[0] == 0x80010033);
	CHECK(entry_cr[1] == 0);
	CHECK(entry_cr[2] == 0x2000);
	CHECK(entry_cr[3] == 0x620);
	CHECK(entry_cr[4] == 0);
	for (unsigned i = 0; i < 4; i++)
		CHECK(entry_dr[i] == 0);
	CHECK(entry_dr[4] == 0xffff0ff0);
	CHECK(entry_dr[5] == 0x400);
}

static void segments(void)
{
	static const uint16_t selectors[] = { 0x10, 0x18, 0x18, 0x18, 0, 0, 0, 0 };
	uint16_t limit;
	uint64_t base;

	for (unsigned i = 0; i < 8; i++)
		CHECK((uint16_t)entry_segment[i] == selectors[i]);
	memcpy(&limit, entry_gdtr, 2);
	memcpy(&base, entry_gdtr + 2, 8);
	CHECK(limit == 31 && base == 0x1f00);
	memcpy(&limit, entry_idtr, 2);
	memcpy(&base, entry_idtr + 2, 8);
	CHECK(limit == 0 && base == 0);
}

/* Intel SDM vol. 1 "FXSAVE Area": the mask of MXCSR's bits at 28 is the CPU's, bytes from 416 on are nobody's. */
static void floating_point(void)
{
	uint16_t fcw;
	uint32_t mxcsr;

	memcpy(&fcw, entry_fx, 2);
	memcpy(&mxcsr, entry_fx + 24, 4);
	CHECK(fcw == 0x37f && mxcsr == 0x1f80);
	for (unsigned i = 2; i < 416; i++)
		if (i < 24 || i >= 32)
			CHECK(entry_fx[i] == 0);
}

/* What is not in this table is not there. */
static const struct {
	uint32_t msr;
	uint64_t value;
} known[] = {
	{ 0x17, 0 },           { 0x1b, 0xfee00900 }, { 0x8b, 0 },       { 0x174, 0 },
	{ 0x175, 0 },          { 0x176, 0 },         { 0x1a0, 1 },      { 0x277, 0x0007040600070406 },
	{ 0xc0000080, 0xd00 }, { 0xc0000081, 0 },    { 0xc0000082, 0 }, { 0xc0000083, 0 },
	{ 0xc0000084, 0 },     { 0xc0000100, 0 },    { 0xc0000101, 0 }, { 0xc0000102, 0 },
	{ 0x6e0, 0 },
};
#define TSC 0x10

/* Those that AMD's CPUs have. */
static bool is_amd_msr(uint32_t msr)
{
	return cpuid(0x40000001, 0).eax == 1 && (msr == 0xc0010015 || msr == 0xc0010055);
}

static void check_msr(uint32_t msr)
{
	uint32_t low = 0, high = 0;
	int trap = TRAP_OF("rdmsr", "+a"(low), "+d"(high) : "c"(msr));
	bool right = trap == VECTOR_GP;

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (known[i].msr == msr)
			right = trap == NO_TRAP && known[i].value == ((uint64_t)high << 32 | low);
	if (is_amd_msr(msr))
		right = trap == NO_TRAP && low == 0 && high == 0;
	if (msr == TSC)
		right = trap == NO_TRAP;
	if (right || check_failures > 20)
		return;
	rt_printf("FAILED: MSR 0x%x is 0x%x%08x, trap %d\n", msr, high, low, trap);
	check_failures++;
}

/* All that the bitmaps of either vendor could let pass. */
static void msrs(void)
{
	static const uint32_t first[] = { 0, 0xc0000000, 0xc0010000 };

	for (unsigned i = 0; i < 3; i++)
		for (uint32_t msr = 0; msr < 0x2000; msr++)
			check_msr(first[i] + msr);
}

/* Instructions that read what no MSR of the guest's does, and those of features that CPUID does not offer. */
static void instructions(void)
{
	uint64_t value = 0, low, high;
	struct {
		uint64_t pcid, address;
	} invpcid = { 0, 0 };

	CHECK(TRAP_OF(".byte 0xf3, 0x48, 0x0f, 0xc7, 0xf8", "+a"(value) :) == VECTOR_UD || value == 0); /* RDPID */
	CHECK(TRAP_OF("rdtscp", "=a"(low), "=d"(high), "=c"(value) :) == VECTOR_UD || value == 0);      /* QEMU has it always */
	CHECK(TRAP_OF("xgetbv", "=a"(low), "=d"(high) : "c"(0)) == VECTOR_UD);
	CHECK(TRAP_OF(".byte 0x0f, 0x01, 0xee", "=a"(low), "=d"(high) : "c"(0)) == VECTOR_UD); /* RDPKRU */
	CHECK(TRAP_OF(".byte 0x0f, 0x01, 0xfd", "=a"(low), "=d"(high) : "c"(1)) == VECTOR_UD); /* RDPRU */
	CHECK(TRAP_OF(".byte 0x0f, 0x01, 0xcf", : "a"(0)) == VECTOR_UD);                       /* ENCLS */
	CHECK(TRAP_OF(".byte 0x0f, 0x01, 0xc0", : "a"(0)) == VECTOR_UD);                       /* ENCLV */
	CHECK(TRAP_OF(".byte 0x0f, 0x01, 0xc5", : "a"(0)) == VECTOR_UD);                       /* PCONFIG */
	CHECK(TRAP_OF("invpcid %0, %1", : "m"(invpcid), "r"(2ul)) == VECTOR_UD);
	CHECK(TRAP_OF("rdpmc", "=a"(low), "=d"(high) : "c"(0)) == VECTOR_GP);
	/* VEX-coded: the upper halves of vector registers. */
	CHECK(TRAP_OF(".byte 0xc5, 0xfc, 0x11, 0x00", : "a"(entry_fx)) == VECTOR_UD); /* VMOVUPS %ymm0, (%rax) */
}

int guest_main(void)
{
	trap_init();
	general_registers();
	control_registers();
	segments();
	floating_point();
	msrs();
	instructions();
	return check_status("entry_state");
}

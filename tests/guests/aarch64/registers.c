/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every register that can be read: 0 at the entry, whatever firmware or another VM has left there, and in a forked VM
 * what it was in its parent. All encodings of MRS are tried; which of them the CPU has is for it to say.
 */
#include "fork_state.h"
#include "tests/guests/aarch64/vectors.h"

/* The runtime's entry, but that it looks at the general registers first: all of them together, and the stack pointer. */
uint64_t entry_registers, entry_x0;
__asm__("	.section .text.entry, \"ax\", %progbits\n"
	"	.globl	_start\n"
	"_start:\n"
	"	.irp	n, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, "
	"28, 29, 30\n"
	"	orr	x1, x1, x\\n\n"
	"	.endr\n"
	"	mov	x2, sp\n"
	"	orr	x1, x1, x2\n"
	"	adrp	x2, entry_stack_top\n"
	"	add	x2, x2, #:lo12:entry_stack_top\n"
	"	mov	sp, x2\n"
	"	adrp	x2, entry_registers\n"
	"	str	x1, [x2, #:lo12:entry_registers]\n"
	"	adrp	x2, entry_x0\n"
	"	str	x0, [x2, #:lo12:entry_x0]\n"
	"	bl	rt_start\n"
	"	.bss\n"
	"	.balign	16\n"
	"	.skip	16384\n"
	"entry_stack_top:\n"
	"	.text\n");

#define ID(op0, op1, crn, crm, op2) ((op0) << 14 | (op1) << 11 | (crn) << 7 | (crm) << 3 | (op2))
#define ID_FIRST                    ID(2, 0, 0, 0, 0)
#define ID_END                      ID(4, 0, 0, 0, 0)
#define OP0(id)                     ((id) >> 14)
#define OP1(id)                     ((id) >> 11 & 7)
#define CRN(id)                     ((id) >> 7 & 15)
#define CRM(id)                     ((id) >> 3 & 15)

static bool is_constant(unsigned id)
{
	switch (id) {
	case ID(2, 0, 1, 1, 4):   /* OSLSR_EL1 */
	case ID(3, 0, 1, 0, 0):   /* SCTLR_EL1 */
	case ID(3, 0, 1, 0, 2):   /* CPACR_EL1, which this guest sets */
	case ID(3, 0, 4, 2, 0):   /* SPSel */
	case ID(3, 0, 4, 2, 2):   /* CurrentEL */
	case ID(3, 0, 12, 12, 5): /* ICC_SRE_EL1, which need not trap */
	case ID(3, 0, 12, 8, 0):  /* ICC_IAR0_EL1, HPPIR0, BPR0: nothing is pending, and the least there is */
	case ID(3, 0, 12, 8, 2):
	case ID(3, 0, 12, 8, 3):
	case ID(3, 0, 12, 9, 5):  /* ICC_NMIAR1_EL1, which no control hides where the CPU has it */
	case ID(3, 0, 12, 11, 3): /* ICC_RPR_EL1: nothing is active */
	case ID(3, 0, 12, 12, 0): /* ICC_IAR1_EL1, HPPIR1, BPR1, CTLR */
	case ID(3, 0, 12, 12, 2):
	case ID(3, 0, 12, 12, 3):
	case ID(3, 0, 12, 12, 4):
	case ID(3, 0, 12, 0, 0): /* VBAR_EL1, which this guest sets */
	case ID(3, 1, 0, 0, 0):  /* CCSIDR_EL1, CLIDR_EL1, CCSIDR2_EL1, AIDR_EL1 */
	case ID(3, 1, 0, 0, 1):
	case ID(3, 1, 0, 0, 2):
	case ID(3, 1, 0, 0, 7):
	case ID(3, 3, 0, 0, 1):  /* CTR_EL0 */
	case ID(3, 3, 0, 0, 7):  /* DCZID_EL0 */
	case ID(3, 3, 4, 2, 1):  /* DAIF */
	case ID(3, 3, 14, 0, 0): /* CNTFRQ_EL0 */
		return true;
	}
	if (CRN(id) == 11 || CRN(id) == 15) /* implementation defined: HCR_EL2.TIDCP has them trap, but not in QEMU 7.2 */
		return true;
	return OP0(id) == 3 && OP1(id) == 0 && CRN(id) == 0; /* identification */
}

/* Counters and what goes by them, random numbers, flags; and what an exception leaves, of which there are many here. */
static bool moves(unsigned id)
{
	switch (id) {
	case ID(3, 0, 4, 0, 0): /* SPSR_EL1, ELR_EL1 */
	case ID(3, 0, 4, 0, 1):
	case ID(3, 0, 5, 2, 0):  /* ESR_EL1 */
	case ID(3, 0, 6, 0, 0):  /* FAR_EL1 */
	case ID(3, 0, 13, 0, 4): /* TPIDR_EL1, for the vectors */
	case ID(3, 3, 2, 4, 0):  /* RNDR, RNDRRS */
	case ID(3, 3, 2, 4, 1):
	case ID(3, 3, 4, 2, 0):  /* NZCV */
	case ID(3, 3, 14, 2, 1): /* CNTP_CTL_EL0: the condition is part of it; fork_state.c has the rest */
	case ID(3, 3, 14, 3, 1):
	case ID(3, 3, 14, 2, 0): /* CNTP_TVAL_EL0 */
	case ID(3, 3, 14, 3, 0):
		return true;
	}
	return OP0(id) == 3 && OP1(id) == 3 && CRN(id) == 14 && CRM(id) == 0; /* CNTPCT_EL0 and its like */
}

static uint32_t code[16] __attribute__((aligned(64))) = { [1] = 0xd65f03c0 /* ret */ };

/* MSR or MRS, with X0. False: it is undefined. */
static bool access(unsigned id, bool read, uint64_t *value)
{
	register uint64_t x0 __asm__("x0") = *value;

	code[0] = (read ? 0xd5300000 : 0xd5100000) | (id & 0x7fff) << 5;
	__asm__ volatile("dc cvau, %0\n\tdsb ish\n\tic ivau, %0\n\tdsb ish\n\tisb" : : "r"(code) : "memory");
	trap.esr = NO_TRAP;
	__asm__ volatile("adr x17, 771f\n\t"
			 "str x17, %[resume]\n\t"
			 "blr %[code]\n"
			 "771:"
			 : [resume] "=m"(trap.resume), "+r"(x0)
			 : [code] "r"(code)
			 : "x17", "x30", "memory");
	*value = x0;
	return trap.esr == NO_TRAP;
}

static void complain(const char *what, unsigned id, uint64_t value, uint64_t wanted)
{
	rt_printf("FAILED: S%u_%u_C%u_C%u_%u %s %lx, not %lx\n", OP0(id), OP1(id), CRN(id), CRM(id), id & 7, what, value, wanted);
	check_failures++;
}

static struct {
	unsigned id;
	uint64_t value;
} kept[1024];
static size_t count;

/* All there is; debug registers, which hold nothing, are not looked at again. */
static void at_the_entry(void)
{
	for (unsigned id = ID_FIRST; id < ID_END; id++) {
		uint64_t value = 0;

		if (moves(id) || !access(id, true, &value))
			continue;
		if (!is_constant(id) && value != 0)
			complain("begins with", id, value, 0);
		if (OP0(id) == 3 && count < sizeof(kept) / sizeof(*kept))
			kept[count++].id = id;
	}
	CHECK(count > 40 && count < sizeof(kept) / sizeof(*kept));
}

/* Give each register that takes it a value of its own, and remember what it makes of it. */
static void put(uint64_t seed)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t value = seed * (2 * i + 1) * 0x9e3779b97f4a7c15;

		if (!is_constant(kept[i].id))
			access(kept[i].id, false, &value);
	}
	isb();
	for (size_t i = 0; i < count; i++)
		CHECK(access(kept[i].id, true, &kept[i].value));
}

static void check_kept(void)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t value = 0;

		CHECK(access(kept[i].id, true, &value));
		if (value != kept[i].value)
			complain("is", kept[i].id, value, kept[i].value);
	}
}

static void vectors_at_the_entry(void)
{
	uint64_t low, high;

#define CHECK_CLEAR(n)                                                                                 \
	__asm__ volatile(FP "umov %0, v" #n ".d[0]\n\tumov %1, v" #n ".d[1]" : "=r"(low), "=r"(high)); \
	CHECK(low == 0 && high == 0);
	FOR_V(CHECK_CLEAR)
}

int guest_main(void)
{
	static const char *const before[] = { "the parent", "the child" };
	uint64_t child;

	CHECK(entry_x0 == 0x40000000);
	CHECK(entry_registers == 0);
	CHECK(MRS("esr_el1") == 0 && MRS("elr_el1") == 0 && MRS("spsr_el1") == 0 && MRS("far_el1") == 0);
	CHECK(MRS("vbar_el1") == 0 && MRS("tpidr_el1") == 0 && MRS("cpacr_el1") == 0);
	CHECK(MRS("cntv_ctl_el0") == 0 && MRS("cntp_ctl_el0") == 0);
	state_init();
	vectors_at_the_entry();
	trap_init();
	at_the_entry();
	state_put(7);
	state_check(7);
	put(1);
	child = rt_hypercall(RT_CALL_FORK, 0, 0, 0, 0);
	check_kept();
	if (child != 0)
		put(2);
	rt_printf("registers: %zu, in %s\n", count, before[child == 0]);
	return check_status("registers");
}

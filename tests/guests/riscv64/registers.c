/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every register that can be read: at the entry 0 but for what the ABI says, whatever firmware or another VM has left
 * there, and in a forked VM what it was in its parent. All numbers of CSRs are tried; which of them the hart has is for it to say.
 */
#include "fork_state.h"
#include "tests/guests/riscv64/trap.h"

/* The runtime's entry, but that it looks at the general registers first: all of them together. */
uint64_t entry_registers, entry_a0, entry_a1;
__asm__("	.section .text.entry, \"ax\", @progbits\n"
	"	.globl	_start\n"
	"_start:\n"
	"	.irp	n, 1, 2, 3, 4, 6, 7, 8, 9, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, "
	"30, 31\n"
	"	or	x5, x5, x\\n\n"
	"	.endr\n"
	"	lla	t1, entry_registers\n"
	"	sd	x5, 0(t1)\n"
	"	lla	t1, entry_a0\n"
	"	sd	a0, 0(t1)\n"
	"	lla	t1, entry_a1\n"
	"	sd	a1, 0(t1)\n"
	"	lla	sp, entry_stack_top\n"
	"	mv	a0, a1\n"
	"	call	rt_start\n"
	"	.bss\n"
	"	.balign	16\n"
	"	.skip	16384\n"
	"entry_stack_top:\n"
	"	.text\n");

enum {
	SSTATUS = 0x100,
	STVEC = 0x105,
	SCOUNTEREN,
	SSCRATCH = 0x140,
	SEPC,
	SCAUSE,
	STVAL,
	SIP,
	STIMECMP = 0x14d,
	SIREG = 0x151,
	SATP = 0x180,
	VL = 0xc20,
	VTYPE,
	VLENB,
	CYCLE = 0xc00,
	INSTRET = 0xc02,
	STOPI = 0xdb0,
};

static bool is_constant(unsigned csr)
{
	switch (csr) {
	case SSTATUS:  /* this guest's */
	case SATP:     /* not to be changed here: fork_state.c and others do */
	case STIMECMP: /* far away */
	case VTYPE:
	case VLENB:
		return true;
	}
	return false;
}

/* Counters, what is pending, what another register chooses; and what a trap leaves, of which there are many here. */
static bool moves(unsigned csr)
{
	switch (csr) {
	case STVEC:
	case SSCRATCH:
	case SEPC:
	case SCAUSE:
	case STVAL:
	case SIP:
	case SIREG:
	case STOPI:
		return true;
	}
	return csr >= CYCLE && csr <= INSTRET;
}

static uint32_t code[16] __attribute__((aligned(64))) = { [1] = 0x00008067 /* ret */ };

/* csrr a0, csr; csrw csr, a0. False: it is illegal. */
static bool access(unsigned csr, bool read, uint64_t *value)
{
	register uint64_t a0 __asm__("a0") = *value;

	code[0] = csr << 20 | (read ? 0x2573 : 0x51073);
	__asm__ volatile("fence.i" : : : "memory");
	trap.cause = NO_TRAP;
	__asm__ volatile("lla t0, 771f\n\t"
			 "sd t0, %[resume]\n\t"
			 "jalr %[code]\n"
			 "771:"
			 : [resume] "=m"(trap.resume), "+r"(a0)
			 : [code] "r"(code)
			 : "t0", "ra", "memory");
	trap.resume = 0;
	*value = a0;
	return trap.cause == NO_TRAP;
}

static void complain(const char *what, unsigned csr, uint64_t value, uint64_t wanted)
{
	rt_printf("FAILED: CSR %x %s %lx, not %lx\n", csr, what, value, wanted);
	check_failures++;
}

static struct {
	unsigned csr;
	uint64_t value;
} kept[256];
static size_t count;

static void at_the_entry(void)
{
	for (unsigned csr = 0; csr < 0x1000; csr++) {
		uint64_t value = 0, wanted = csr == SCOUNTEREN ? 7 : 0;

		if (moves(csr) || !access(csr, true, &value))
			continue;
		if (!is_constant(csr) && value != wanted)
			complain("begins with", csr, value, wanted);
		if (count < sizeof(kept) / sizeof(*kept))
			kept[count++].csr = csr;
	}
	CHECK(count >= 4 && count < sizeof(kept) / sizeof(*kept));
	for (unsigned csr = 0; csr < 0x1000; csr++) {
		uint64_t value = 0;

		CHECK(!(csr >> 8 & 2) || !access(csr, true, &value)); /* the hypervisor's, and the machine's */
	}
}

/* Give each register that takes it a value of its own, and remember what it makes of it. */
static void put(uint64_t seed)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t value = seed * (2 * i + 1) * 0x9e3779b97f4a7c15;

		if (!is_constant(kept[i].csr) && kept[i].csr >> 10 != 3)
			access(kept[i].csr, false, &value);
	}
	for (size_t i = 0; i < count; i++)
		CHECK(access(kept[i].csr, true, &kept[i].value));
}

static void check_kept(void)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t value = 0;

		CHECK(access(kept[i].csr, true, &value));
		if (value != kept[i].value)
			complain("is", kept[i].csr, value, kept[i].value);
	}
}

static bool fp;

/* The units are off at the entry. These are compiled by numbers, or under an architecture of their own. */
static void units_at_the_entry(void)
{
	static uint8_t all[32 * 1024];
	uint64_t value, bytes = 0;

	if (CSR_READ("sstatus") & SSTATUS_FS && TRAP_OF(".insn r 0x53, 0, 0x71, %[value], x0, x0", [value] "=r"(value)
							:) == NO_TRAP) {
#define CHECK_CLEAR(n)                                                                                  \
	__asm__ volatile(".insn r 0x53, 0, 0x71, t1, x" #n ", x0\n\tmv %0, t1" : "=r"(value) : : "t1"); \
	CHECK(value == 0);
		FOR_32(CHECK_CLEAR)
		fp = true;
	}
	if (!vectors)
		return;
	value = CSR_READ("0xc22");
	CHECK(CSR_READ("0xc20") == 0 && CSR_READ("0xc21") == 1ul << 63 && value <= 1024);
	__asm__ volatile(V "vs8r.v v0, (%0)\n\tadd %0, %0, %1\n\tvs8r.v v8, (%0)\n\tadd %0, %0, %1\n\t"
			   "vs8r.v v16, (%0)\n\tadd %0, %0, %1\n\tvs8r.v v24, (%0)\n\t.option pop"
			 : "=&r"(bytes)
			 : "r"(8 * value), "0"(all)
			 : "memory");
	for (size_t i = 0; i < 32 * value; i++)
		CHECK(all[i] == 0);
}

int guest_main(void)
{
	static const char *const who[] = { "the parent", "the child" };
	uint64_t child;

	CHECK(entry_a0 == 0 && entry_a1 == 0x80000000);
	CHECK(entry_registers == 0);
	CHECK(CSR_READ("stvec") == 0 && CSR_READ("sscratch") == 0 && CSR_READ("sepc") == 0);
	CHECK(CSR_READ("scause") == 0 && CSR_READ("stval") == 0 && CSR_READ("sip") == 0);
	CHECK((CSR_READ("sstatus") & ~(3ul << 32)) == 0);
	state_init();
	trap_init();
	units_at_the_entry();
	at_the_entry();
	if (fp) {
		state_put(7);
		state_check(7);
	}
	put(1);
	child = rt_hypercall(RT_CALL_FORK, 0, 0, 0, 0);
	check_kept();
	if (child != 0)
		put(2); /* it is over before the child runs */
	rt_printf("registers: %zu, in %s\n", count, who[child == 0]);
	return check_status("registers");
}

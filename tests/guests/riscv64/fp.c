/* SPDX-License-Identifier: BSD-2-Clause */
/* FP registers are the guest's: they outlive its exits. */
#include "tests/guests/riscv64/paging.h"
#include "tests/guests/riscv64/trap.h"

/* fmv.d.x f<n>, t1 and fmv.x.d t1, f<n>, by their numbers: this file is compiled without FP. */
#define PUT(n) ".insn r 0x53, 0, 0x79, x" #n ", t1, x0\n\t"
#define GET(n) ".insn r 0x53, 0, 0x71, t1, x" #n ", x0\n\t"

static void put(uint64_t value)
{
	__asm__ volatile("mv t1, %0\n\t" PUT(0) "addi t1, t1, 1\n\t" PUT(9) "addi t1, t1, 1\n\t" PUT(31) : : "r"(value) : "t1");
}

static void check(uint64_t value)
{
	uint64_t a, b, c;

	__asm__ volatile(GET(0) "mv %0, t1\n\t" GET(9) "mv %1, t1\n\t" GET(31) "mv %2, t1" : "=&r"(a), "=&r"(b), "=&r"(c) : : "t1");
	CHECK(a == value && b == value + 1 && c == value + 2);
}

int guest_main(void)
{
	CSR_SET("sstatus", SSTATUS_FS);
	if (!(CSR_READ("sstatus") & SSTATUS_FS)) {
		rt_printf("fp: this hart has no FP registers\n");
		return 0;
	}
	for (uint64_t i = 0; i < 16; i++) {
		put(0x3ff0000000000000 + i * 0x123456789);
		rt_printf("fp: round %lu\n", i);              /* hypercalls */
		*(volatile uint64_t *)paging_take_page() = i; /* a fault */
		rt_putc('.');                                 /* MMIO */
		CHECK(sbi(0x10, 4, 0, 0, 0).error == 0);      /* a call of the firmware's */
		check(0x3ff0000000000000 + i * 0x123456789);
	}
	CHECK((CSR_READ("sstatus") & SSTATUS_FS) == SSTATUS_FS); /* dirty */
	rt_putc('\n');
	return check_status("fp");
}

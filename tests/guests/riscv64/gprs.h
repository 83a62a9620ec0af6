/* SPDX-License-Identifier: BSD-2-Clause */
/* All general registers in use at once, without an exit. For tests/guests/keep_state.c. */
#ifndef NESTLING_TESTS_GUESTS_RISCV64_GPRS_H
#define NESTLING_TESTS_GUESTS_RISCV64_GPRS_H

#include <stdint.h>

/* Give each register a number of its own, by `seed`, count down from `rounds`, and compare: 0, if all are what they were. */
uint64_t gprs_spin(uint64_t seed, uint64_t rounds);

#define GPRS_KEPT   "1, 3, 4, 8, 9, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27"
#define GPRS_OTHERS "1, 3, 4, 5, 6, 7, 8, 9, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31"

__asm__("	.text\n"
	"	.globl	gprs_spin\n"
	"gprs_spin:\n"
	"	addi	sp, sp, -256\n"
	"	.irp	n, " GPRS_KEPT "\n"
	"	sd	x\\n, 8 * \\n(sp)\n"
	"	.endr\n"
	"	.irp	n, " GPRS_OTHERS "\n"
	"	addi	x\\n, a0, \\n\n"
	"	.endr\n"
	"1:	addi	a1, a1, -1\n"
	"	bnez	a1, 1b\n"
	"	.irp	n, " GPRS_OTHERS "\n"
	"	sub	x\\n, x\\n, a0\n"
	"	addi	x\\n, x\\n, -\\n\n"
	"	or	a1, a1, x\\n\n"
	"	.endr\n"
	"	mv	a0, a1\n"
	"	.irp	n, " GPRS_KEPT "\n"
	"	ld	x\\n, 8 * \\n(sp)\n"
	"	.endr\n"
	"	addi	sp, sp, 256\n"
	"	ret\n");

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* All general registers in use at once, without an exit. For tests/guests/keep_state.c. */
#ifndef NESTLING_TESTS_GUESTS_AARCH64_GPRS_H
#define NESTLING_TESTS_GUESTS_AARCH64_GPRS_H

#include <stdint.h>

/* Give each register a number of its own, by `seed`, count down from `rounds`, and compare: 0, if all are what they were. */
uint64_t gprs_spin(uint64_t seed, uint64_t rounds);

#define GPRS_OTHERS "2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30"

__asm__("	.text\n"
	"	.globl	gprs_spin\n"
	"gprs_spin:\n"
	"	stp	x29, x30, [sp, #-96]!\n"
	"	stp	x19, x20, [sp, #16]\n"
	"	stp	x21, x22, [sp, #32]\n"
	"	stp	x23, x24, [sp, #48]\n"
	"	stp	x25, x26, [sp, #64]\n"
	"	stp	x27, x28, [sp, #80]\n"
	"	.irp	n, " GPRS_OTHERS "\n"
	"	add	x\\n, x0, #\\n\n"
	"	.endr\n"
	"1:	subs	x1, x1, #1\n"
	"	b.ne	1b\n"
	"	.irp	n, " GPRS_OTHERS "\n"
	"	sub	x\\n, x\\n, x0\n"
	"	sub	x\\n, x\\n, #\\n\n"
	"	orr	x1, x1, x\\n\n"
	"	.endr\n"
	"	mov	x0, x1\n"
	"	ldp	x19, x20, [sp, #16]\n"
	"	ldp	x21, x22, [sp, #32]\n"
	"	ldp	x23, x24, [sp, #48]\n"
	"	ldp	x25, x26, [sp, #64]\n"
	"	ldp	x27, x28, [sp, #80]\n"
	"	ldp	x29, x30, [sp], #96\n"
	"	ret\n");

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where CPUs other than the first one begin: with translation and data caches off, at EL2. All is mapped one to one, so addresses go on
 * as they are when translation is on. Sources: PSCI (DEN0022), "CPU_ON", "Initial Core configuration"; Linux,
 * Documentation/arch/arm64/booting.rst; Arm ARM (DDI 0487), "The effects of disabling an address translation stage".
 */
#include "boot/aarch64/secondary.h"

	.text

/* Firmware of spin tables tells nothing: which CPU it is, its MPIDR_EL1 does. */
	.globl	pen_entry
	.hidden	pen_entry
	.type	pen_entry, %function
pen_entry:
	msr	daifset, #0xf
	mrs	x1, mpidr_el1
	mov	x2, #0xffff
	movk	x2, #0xff, lsl #16
	movk	x2, #0xff, lsl #32
	and	x1, x1, x2
	adrp	x3, pens
	add	x3, x3, #:lo12:pens
1:	ldr	x4, [x3]
	cmp	x4, x1
	b.eq	2f
	cmn	x4, #1
	b.eq	park
	add	x3, x3, #PEN_BYTES
	b	1b
2:	ldr	x0, [x3, #PEN_GO]
	cbnz	x0, secondary_entry
	wfe
	b	2b
	.size	pen_entry, . - pen_entry

	.globl	secondary_entry
	.hidden	secondary_entry
	.type	secondary_entry, %function
secondary_entry:
	msr	daifset, #0xf
	mrs	x1, CurrentEL
	cmp	x1, #(2 << 2)
	b.ne	park
	msr	spsel, #1
	ldp	x1, x2, [x0, #SECONDARY_TTBR]	/* and TCR */
	ldp	x3, x4, [x0, #SECONDARY_MAIR]	/* and SCTLR */
	ldp	x5, x6, [x0, #SECONDARY_HCR]	/* and the stack */
	ldp	x7, x8, [x0, #SECONDARY_ENTRY]	/* and its argument */
	msr	hcr_el2, x5
	isb
	msr	mair_el2, x3
	msr	tcr_el2, x2
	msr	ttbr0_el2, x1
	isb
	tlbi	alle2
	ic	iallu
	dsb	nsh
	isb
	msr	sctlr_el2, x4
	isb
	mov	sp, x6
	mov	x29, xzr
	mov	x30, xzr
	mov	x0, x8
	br	x7
	.size	secondary_entry, . - secondary_entry

/* Not at EL2, or not one that was asked for. */
park:
	wfi
	b	park

	.globl	secondary_end
	.hidden	secondary_end
secondary_end:

	.section .note.GNU-stack, "", %progbits

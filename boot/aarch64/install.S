/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The switch to our own translation tables, by way of no translation at all: the firmware's tables may differ from ours
 * in everything, sizes, memory types and HCR_EL2.E2H included, which no order of register writes makes safe while
 * translation is on. Arm ARM (DDI 0487), "TLB maintenance requirements and the TLB maintenance instructions",
 * "The effects of disabling an address translation stage".
 *
 * All is mapped one to one before and after, so addresses go on as they are. In between, data accesses would bypass the
 * caches that hold what they are after: everything needed is in registers. Instruction fetches are let through the
 * instruction cache, but might come from memory: this code is cleaned to the point of coherency first.
 */

	.text

/* void install_map(const struct el2_regime *regime); clobbers x0 to x9 */
	.globl	install_map
	.hidden	install_map
	.type	install_map, %function
install_map:
	ldp	x1, x2, [x0]		/* TTBR0, TCR */
	ldp	x3, x4, [x0, #16]	/* MAIR, SCTLR */
	ldr	x5, [x0, #32]		/* HCR */

	mrs	x6, ctr_el0		/* DminLine: logarithm of the line's words */
	ubfx	x6, x6, #16, #4
	mov	x7, #4
	lsl	x6, x7, x6
	sub	x7, x6, #1
	adr	x8, install_map
	bic	x8, x8, x7
	adr	x9, install_map_end
1:	dc	cvac, x8
	add	x8, x8, x6
	cmp	x8, x9
	b.lo	1b
	dsb	sy			/* and the stores to the new tables are done */

	mrs	x6, sctlr_el2
	bic	x7, x6, #(1 << 0)	/* M */
	bic	x7, x7, #(1 << 2)	/* C */
	msr	sctlr_el2, x7
	isb

	msr	hcr_el2, x5		/* from here on E2H is ours */
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
	ret
install_map_end:
	.size	install_map, . - install_map

	.section .note.GNU-stack, "", %progbits

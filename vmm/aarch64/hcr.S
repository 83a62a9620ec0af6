/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * HCR_EL2, tried. On some CPUs E2H cannot be cleared, whatever ID_AA64MMFR4_EL1 says, which the older of them do not
 * have. Clearing it changes what the translation registers of EL2 mean, so translation is off meanwhile, as in
 * boot/aarch64/install.S, with all that is needed in registers and the code cleaned to the point of coherency. Then
 * everything is as it was. Interrupts are masked. Arm ARM (DDI 0487), "HCR_EL2", "The effects of disabling an address
 * translation stage".
 */
	.text

/* uint64_t try_hcr(uint64_t value): what HCR_EL2 holds when `value` has been written to it. */
	.globl	try_hcr
	.hidden	try_hcr
	.type	try_hcr, %function
try_hcr:
	mrs	x1, daif
	msr	daifset, #0xf
	mrs	x2, ctr_el0		/* DminLine: logarithm of the line's words */
	ubfx	x2, x2, #16, #4
	mov	x3, #4
	lsl	x2, x3, x2
	sub	x3, x2, #1
	adr	x4, try_hcr
	bic	x4, x4, x3
	adr	x5, try_hcr_end
1:	dc	cvac, x4
	add	x4, x4, x2
	cmp	x4, x5
	b.lo	1b
	dsb	sy

	mrs	x2, hcr_el2
	mrs	x3, sctlr_el2
	bic	x4, x3, #(1 << 0)	/* M */
	bic	x4, x4, #(1 << 2)	/* C */
	msr	sctlr_el2, x4
	isb
	msr	hcr_el2, x0
	isb
	mrs	x0, hcr_el2
	msr	hcr_el2, x2
	isb
	msr	sctlr_el2, x3
	isb
	msr	daif, x1
	ret
try_hcr_end:
	.size	try_hcr, . - try_hcr

	.section .note.GNU-stack, "", %progbits

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where a vCPU begins that rt_arch_cpu_start has started (Arm DEN0022, PSCI, CPU_ON): EL1, MMU off, x0 = its struct rt_cpu. The MMU
 * comes first: until then this CPU does not see what others have in their caches.
 */

	.text
	.globl	rt_cpu_entry
	.type	rt_cpu_entry, %function
rt_cpu_entry:
	bl	rt_mmu_on
	ldr	x1, [x0]
	mov	sp, x1
	mov	x29, xzr
	mrs	x1, cpacr_el1
	orr	x1, x1, #3 << 20
	msr	cpacr_el1, x1
	ldr	x1, [x0, #32]
	msr	vbar_el1, x1
	isb
	bl	rt_cpu_main
	udf	#0
	.size	rt_cpu_entry, . - rt_cpu_entry

	/* As rt_mmu says. Memory is mapped one to one, so this goes on at the same address. */
	.globl	rt_mmu_on
	.type	rt_mmu_on, %function
rt_mmu_on:
	adrp	x1, rt_mmu
	add	x1, x1, #:lo12:rt_mmu
	ldp	x2, x3, [x1]
	ldp	x4, x5, [x1, #16]
	msr	mair_el1, x2
	msr	tcr_el1, x3
	msr	ttbr0_el1, x4
	isb
	tlbi	vmalle1
	ic	iallu
	dsb	nsh
	isb
	msr	sctlr_el1, x5
	isb
	ret
	.size	rt_mmu_on, . - rt_mmu_on

	.section .note.GNU-stack, "", %progbits

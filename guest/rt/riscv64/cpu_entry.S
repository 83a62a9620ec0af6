/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where a vCPU begins that rt_arch_cpu_start has started (SBI, "Hart State Management Extension"): satp 0, a0 = hart id, a1 = its
 * struct rt_cpu. tp holds the hart's id from then on; the first one's is 0 anyway.
 */

	.text
	.globl	rt_cpu_entry
	.type	rt_cpu_entry, %function
rt_cpu_entry:
	ld	sp, 0(a1)
	mv	tp, a0
	ld	t0, 32(a1)
	csrw	stvec, t0
	li	s0, 0
	mv	a0, a1
	call	rt_cpu_main
	unimp
	.size	rt_cpu_entry, . - rt_cpu_entry

	.section .note.GNU-stack, "", %progbits

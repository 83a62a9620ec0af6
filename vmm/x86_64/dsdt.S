/* SPDX-License-Identifier: BSD-2-Clause */
/* The bytes that iasl makes of dsdt.asl: acpi_tables.h. */
	.section .rodata.dsdt, "a", @progbits
	.balign	8
	.globl	dsdt
	.hidden	dsdt
	.type	dsdt, @object
dsdt:
	.incbin	"dsdt.aml"
	.size	dsdt, . - dsdt

	.section .note.GNU-stack, "", @progbits

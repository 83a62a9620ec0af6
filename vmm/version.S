/* SPDX-License-Identifier: BSD-2-Clause */
/* The version's name, by the build: an object of its own, so that nothing else is compiled when it changes. */
#define TEXT(word) #word
#define TEXT_OF(macro) TEXT(macro)

	.section .rodata.nestling_version, "a"
	.globl nestling_version
	.hidden nestling_version
nestling_version:
	.asciz TEXT_OF(NESTLING_VERSION)

	.section .note.GNU-stack, "", %progbits

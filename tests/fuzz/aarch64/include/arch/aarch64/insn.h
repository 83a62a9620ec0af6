/* SPDX-License-Identifier: BSD-2-Clause */
/* Instructions that do nothing here, and system registers that a fuzz target fills. */
#ifndef NESTLING_TESTS_FUZZ_AARCH64_INSN_H
#define NESTLING_TESTS_FUZZ_AARCH64_INSN_H

#include_next "include/arch/aarch64/insn.h"

uint64_t *fake_sysreg(const char *name);

#undef read_sysreg
#undef write_sysreg
#define read_sysreg(name)         (*fake_sysreg(#name))
#define write_sysreg(name, value) ((void)(*fake_sysreg(#name) = (value)))

/* This host's assembler is not to see any: no code is made of what is never reached. The host's own headers come before. */
#define __asm__ \
	if (0)  \
	__asm

#endif

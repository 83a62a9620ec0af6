/* SPDX-License-Identifier: BSD-2-Clause */
/* RNDRRS. Arm ARM (DDI 0487), "RNDRRS, Reseeded Random Number": FEAT_RNG. */
#include "include/arch/random.h"

#include "include/arch/aarch64/guarded.h"

/* The source may be used up for a while; 0 is read then, and the flags say so. */
enum { TRIES = 100 };

/* Where EL3 traps it, and does not emulate it, it is not there (SCR_EL3.TRNDR). */
bool arch_random_word(uint64_t *word)
{
	*word = 0;
	if (id_field(read_sysreg(id_aa64isar0_el1), ID_AA64ISAR0_RNDR_SHIFT) == 0)
		return false;
	for (unsigned i = 0; i < TRIES && *word == 0; i++)
		if (!sysreg_try_read(RNDRRS, word))
			return false;
	return *word != 0;
}

uint64_t arch_random_clock(void)
{
	__asm__ volatile("isb");
	return read_sysreg(cntpct_el0);
}

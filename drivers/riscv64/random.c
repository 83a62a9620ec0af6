/* SPDX-License-Identifier: BSD-2-Clause */
/* The entropy source of Zkr. RISC-V Cryptography Extensions, Volume I, "Entropy Source". */
#include "include/arch/random.h"

#include "include/arch/riscv64/guarded.h"

/* seed: what it is at, and 16 bits of the source. */
#define SEED_OPST(seed)    ((seed) >> 30 & 3)
#define SEED_ENTROPY(seed) ((seed)&0xffff)
enum { SEED_BIST, SEED_WAIT, SEED_ES16, SEED_DEAD };

/* Of 16 bits no more than half is sure to be entropy ("NIST SP 800-90B"). */
enum { SAMPLES = 8, TRIES = 1000 };

/* It is read by a write. Firmware decides who may (mseccfg.SSEED), and to try is the only way to know. */
static bool read_seed(uint64_t *entropy)
{
	uint64_t seed = 0;

	for (unsigned i = 0; i < TRIES; i++) {
		uint64_t sstatus = interrupts_off();
		bool there = GUARDED("csrrw %[seed], " CSR_STRING(CSR_SEED) ", x0", [seed] "+&r"(seed));

		csr_write(CSR_SSTATUS, sstatus);
		if (!there || SEED_OPST(seed) == SEED_DEAD)
			return false;
		*entropy = SEED_ENTROPY(seed);
		if (SEED_OPST(seed) == SEED_ES16)
			return true;
	}
	return false;
}

bool arch_random_word(uint64_t *word)
{
	uint64_t entropy;

	*word = 0;
	for (unsigned i = 0; i < SAMPLES; i++) {
		if (!read_seed(&entropy))
			return false;
		*word = (*word << 16 | *word >> 48) * 5 ^ entropy;
	}
	return true;
}

/* Of these firmware need not let us have the first; it counts faster. */
uint64_t arch_random_clock(void)
{
	uint64_t cycles;

	return csr_try_read(CSR_CYCLE, &cycles) ? cycles : csr_read(CSR_TIME);
}

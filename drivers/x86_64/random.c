/* SPDX-License-Identifier: BSD-2-Clause */
/* RDSEED and RDRAND. Intel SDM vol. 1, "Random Number Generator Instructions". */
#include "include/arch/random.h"

#include "include/arch/x86_64/cpu.h"
#include "include/arch/x86_64/insn.h"

/* "RDRAND": ten tries are enough unless the hardware fails. "RDSEED": its source may be used up for a while by other CPUs. */
enum { RDRAND_TRIES = 10, RDSEED_TRIES = 100 };

static bool has(uint32_t leaf, uint32_t bit)
{
	struct cpuid_regs regs;

	if (cpuid(0, 0).eax < leaf)
		return false;
	regs = cpuid(leaf, 0);
	return (leaf == 1 ? regs.ecx : regs.ebx) & bit;
}

static bool rdseed(uint64_t *word)
{
	bool ok = false;

	for (unsigned i = 0; i < RDSEED_TRIES && !ok; i++)
		__asm__ volatile("rdseed %0\n\tpause" : "=r"(*word), "=@ccc"(ok));
	return ok;
}

static bool rdrand(uint64_t *word)
{
	bool ok = false;

	for (unsigned i = 0; i < RDRAND_TRIES && !ok; i++)
		__asm__ volatile("rdrand %0" : "=r"(*word), "=@ccc"(ok));
	return ok;
}

/* All ones come, as a success, of AMD's CPUs whose unit has failed (Linux, arch/x86/kernel/cpu/rdrand.c and amd.c). */
bool arch_random_word(uint64_t *word)
{
	if (has(7, CPUID_7_EBX_RDSEED) && rdseed(word) && *word != UINT64_MAX)
		return true;
	return has(1, CPUID_1_ECX_RDRAND) && rdrand(word) && *word != UINT64_MAX;
}

uint64_t arch_random_clock(void)
{
	return rdtsc();
}

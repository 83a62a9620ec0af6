/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program that has what linkers treat differently, and ends with status 0 if all of it is where its pointers say. It has
 * data and bss if the compiler is told -DDATA=data, -DBSS=bss, and not if they are 0. tests/elf/build links it in many ways;
 * tests/host/test_elf_built.c looks for `probe`.
 */
#include <stdint.h>

#define BSS_WORDS 3000
#define MARK      0x6e6573746c696e67

extern char _start[];
unsigned long probe_main(void);

static uint64_t data[3] __attribute__((unused)) = { MARK, 2, 3 };
static uint64_t bss[BSS_WORDS] __attribute__((unused));

/* All pointers are filled in by relocations if the program is position-independent. */
struct probe {
	uint64_t mark;
	const volatile void *self, *start;
	volatile uint64_t *data, *bss;
	unsigned long (*main)(void);
	uint64_t end;
};
extern const struct probe probe;
const struct probe probe = { MARK, &probe, _start, DATA, BSS, probe_main, ~MARK };

unsigned long probe_main(void)
{
	const volatile struct probe *here = &probe;

	if (here->mark != MARK || here->self != here || here->start != _start || here->main != probe_main)
		return 1;
	if (here->data && (here->data[0] != MARK || here->data[2] != 3))
		return 2;
	for (unsigned i = 0; here->bss && i < BSS_WORDS; i++)
		if (here->bss[i] != 0)
			return 3;
	return 0;
}

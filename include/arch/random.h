/* SPDX-License-Identifier: BSD-2-Clause */
/* What each ISA has that nobody can foresee: for drivers/random.c. */
#ifndef NESTLING_RANDOM_CONTRACT_H
#define NESTLING_RANDOM_CONTRACT_H

#include <stdbool.h>
#include <stdint.h>

/* A word of the CPU's own source of random numbers. False: it has none that may be used here, or none comes now. */
bool arch_random_word(uint64_t *word);

/* The finest counter there is, of time or of this CPU's cycles. */
uint64_t arch_random_clock(void);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random numbers. newlib's arc4random makes them: OpenBSD's generator, ChaCha20 whose key is replaced by some of what it has made
 * each time ("fast key erasure"), so that who sees its state does not see what it has given before. It is seeded when it is first
 * used, and again after 1.6 MB, with the sum of what the CPU has for that (include/arch/random.h), what random_feed was given, and
 * differences of time. "Random numbers" in docs/architecture.md says what each of these is worth.
 */
#ifndef NESTLING_DRIVERS_RANDOM_H
#define NESTLING_DRIVERS_RANDOM_H

#include <stdbool.h>
#include <stddef.h>

#define RANDOM_SEED_BYTES 40 /* a key and a nonce */

/* Fill in `size` bytes; takes some 20 instructions for each. On any CPU. */
void random_bytes(void *bytes, size_t size);

/* Have seeds depend on these bytes, too, which nobody else may know. Before there is another CPU. */
void random_feed(const void *bytes, size_t size);

/* Has there been more than differences of time in a seed? Known once something was asked for. */
bool random_has_source(void);

/* For the generator: RANDOM_SEED_BYTES at most, by whoever has called random_bytes. */
void random_seed(void *seed, size_t size);

#endif

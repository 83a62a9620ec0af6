/* SPDX-License-Identifier: BSD-2-Clause */
/* Where random numbers begin: seeds, of all sources that there are. */
#include "drivers/random.h"

#include <stdlib.h>
#include <string.h>

#include "include/arch/random.h"
#include "include/lock.h"
#include "include/types.h"

#define WORDS (RANDOM_SEED_BYTES / sizeof(uint64_t))

/* Differences of time that go into one word, and the words of memory that are touched between them: more than a page. */
#define SAMPLES 64
#define TOUCHED 1024

static struct spinlock lock = SPINLOCK(LOCK_RANDOM); /* of all below, and of arc4random's own state */
static uint64_t fed[WORDS];
static size_t fed_bytes;
static bool has_source;
static uint64_t jitter; /* the word that was last made of differences of time */
static volatile uint64_t touched[TOUCHED];

/* Fractional part of the golden ratio: odd, so nothing is lost by it. */
#define SPREAD UINT64_C(0x9e3779b97f4a7c15)

/*
 * How long a store, a load and the reading of the clock itself take depends on caches, buses, refreshes of memory and clocks that
 * are not in step. What comes of that is gathered in all of the word.
 */
static uint64_t jitter_word(void)
{
	uint64_t word = jitter, before = arch_random_clock();

	for (unsigned i = 0; i < SAMPLES; i++) {
		uint64_t now;

		touched[word % TOUCHED] += word;
		now = arch_random_clock();
		word = (word ^ (now - before)) * SPREAD + 1;
		word ^= word >> 32;
		before = now;
	}
	jitter = word;
	return word ^ before;
}

static uint64_t seed_word(unsigned i)
{
	uint64_t word = 0;

	if (arch_random_word(&word))
		has_source = true;
	return word ^ fed[i] ^ jitter_word();
}

void random_seed(void *seed, size_t size)
{
	uint64_t words[WORDS];

	for (unsigned i = 0; i < WORDS; i++)
		words[i] = seed_word(i);
	memcpy(seed, words, min_u64(size, sizeof(words)));
	explicit_bzero(words, sizeof(words));
}

void random_feed(const void *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		((uint8_t *)fed)[fed_bytes++ % sizeof(fed)] ^= ((const uint8_t *)bytes)[i];
	has_source |= size > 0;
}

void random_bytes(void *bytes, size_t size)
{
	spin_lock(&lock);
	arc4random_buf(bytes, size);
	spin_unlock(&lock);
}

bool random_has_source(void)
{
	bool has;

	spin_lock(&lock);
	has = has_source;
	spin_unlock(&lock);
	return has;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Seeds of random numbers: each source that there is changes them, and none of them is another. */
#include "drivers/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include "include/arch/random.h"
#include "tests/host/host.h"

#include <cmocka.h>

#define WORDS (RANDOM_SEED_BYTES / 8)

static struct {
	bool has;
	uint64_t word;
} cpu;
static uint64_t now, step; /* the clock, and how far it goes from one reading to the next */

bool arch_random_word(uint64_t *word)
{
	*word = cpu.word;
	return cpu.has;
}

uint64_t arch_random_clock(void)
{
	return now += step;
}

static void make_seed(uint64_t seed[WORDS])
{
	random_seed(seed, RANDOM_SEED_BYTES);
}

/* No word of one seed is one of the other. */
static void assert_apart(const uint64_t a[WORDS], const uint64_t b[WORDS])
{
	for (unsigned i = 0; i < WORDS; i++)
		for (unsigned j = 0; j < WORDS; j++)
			assert_true(a[i] != b[j]);
}

/* A clock that stands still, as an emulator's may, gives nothing; still no seed is that of before. First: nothing was fed. */
static void time_alone_is_no_source(void **state)
{
	uint64_t first[WORDS], second[WORDS];

	(void)state;
	cpu.has = false;
	step = 0;
	make_seed(first);
	make_seed(second);
	assert_apart(first, second);
	assert_false(random_has_source());
}

/* One tick more or less in one of all the differences is another seed. */
static void a_tick_changes_all(void **state)
{
	uint64_t first[WORDS], second[WORDS];

	(void)state;
	step = 17;
	make_seed(first);
	step = 18;
	make_seed(second);
	assert_apart(first, second);
	assert_false(random_has_source());
}

static void the_cpu_is_a_source(void **state)
{
	uint64_t seed[WORDS];

	(void)state;
	cpu.has = true;
	cpu.word = 0x1234;
	make_seed(seed);
	assert_true(random_has_source());
	cpu.has = false;
}

/* What is fed stays in all later seeds, wherever the bytes before ended; fed twice, it is not gone. */
static void what_is_fed_counts(void **state)
{
	static const uint8_t bytes[RANDOM_SEED_BYTES + 3] = { 1, 2, 3 };
	uint64_t before[WORDS], after[WORDS];

	(void)state;
	make_seed(before);
	random_feed(bytes, sizeof(bytes));
	random_feed(bytes, sizeof(bytes));
	make_seed(after);
	assert_apart(before, after);
	assert_true(random_has_source());
}

static void a_short_seed_stays_in_its_place(void **state)
{
	uint8_t seed[16] = { 0 };

	(void)state;
	random_seed(seed, 8);
	for (unsigned i = 8; i < sizeof(seed); i++)
		assert_int_equal(seed[i], 0);
}

/* Of 64 KiB each value of a byte comes 256 times, about: 16 is the standard deviation. No word comes twice. */
static void numbers_are_even(void **state)
{
	static uint64_t words[KIB(64) / 8];
	unsigned count[256] = { 0 };

	(void)state;
	random_bytes(words, sizeof(words));
	for (size_t i = 0; i < sizeof(words); i++)
		count[((uint8_t *)words)[i]]++;
	for (unsigned i = 0; i < ARRAY_LEN(count); i++)
		assert_in_range(count[i], 256 - 8 * 16, 256 + 8 * 16);
	for (size_t i = 1; i < ARRAY_LEN(words); i++)
		assert_true(words[i] != words[i - 1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(time_alone_is_no_source),
		cmocka_unit_test(a_tick_changes_all),
		cmocka_unit_test(the_cpu_is_a_source),
		cmocka_unit_test(what_is_fed_counts),
		cmocka_unit_test(a_short_seed_stays_in_its_place),
		cmocka_unit_test(numbers_are_even),
	};

	return cmocka_run_group_tests_name("random", tests, NULL, NULL);
}

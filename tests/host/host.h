/* SPDX-License-Identifier: BSD-2-Clause */
/* What all host tests share: checks with a message, expected panics, random numbers, and an arena that plays RAM. */
#ifndef NESTLING_TESTS_HOST_HOST_H
#define NESTLING_TESTS_HOST_HOST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "include/err.h"
#include "include/types.h"

/* Checks in threads: cmocka's cannot end one. */
#define MUST(condition, message, ...)                                                    \
	do {                                                                             \
		if (!(condition)) {                                                      \
			fprintf(stderr, "%s: " message "\n", #condition, ##__VA_ARGS__); \
			abort();                                                         \
		}                                                                        \
	} while (0)

/* Like assert_true, with the state that explains the failure. */
#define CHECK(condition, message, ...)                                       \
	do {                                                                 \
		if (!(condition))                                            \
			fail_msg("%s: " message, #condition, ##__VA_ARGS__); \
	} while (0)

#define CHECK_ERR(expression, wanted)                                                                           \
	do {                                                                                                    \
		enum err check_got = (expression), check_wanted = (wanted);                                     \
		if (check_got != check_wanted)                                                                  \
			fail_msg("%s is %s, not %s", #expression, host_err(check_got), host_err(check_wanted)); \
	} while (0)

#define CHECK_EQ(left, right)                                                                                             \
	do {                                                                                                              \
		uint64_t check_left = (uint64_t)(left), check_right = (uint64_t)(right);                                  \
		if (check_left != check_right)                                                                            \
			fail_msg("%s is %#jx, %s is %#jx", #left, (uintmax_t)check_left, #right, (uintmax_t)check_right); \
	} while (0)

const char *host_err(enum err err);

/* Run `statement`, which must panic. Locks it held stay held: start the modules afresh afterwards. host_panic_line: what it said.
 */
extern jmp_buf host_panic_target;
extern bool host_panic_expected;
extern char host_panic_line[256];
#define EXPECT_PANIC(statement)                                   \
	do {                                                      \
		host_panic_expected = true;                       \
		if (setjmp(host_panic_target) == 0) {             \
			statement;                                \
			host_panic_expected = false;              \
			fail_msg("no panic from %s", #statement); \
		}                                                 \
	} while (0)

/* Lines that the code under test logged since host_log_clear, at most the last few kept. */
unsigned host_log_lines(void);
const char *host_log_line(unsigned index);
void host_log_clear(void);

/* A generator with a printed seed: `fixed`, or what NESTLING_TEST_SEED says. */
struct host_rng {
	uint64_t state;
	const uint8_t *next, *end; /* of the input that is used instead, if any */
};
struct host_rng host_rng(const char *what, uint64_t fixed);
uint64_t host_random(struct host_rng *rng);
/* "Random" numbers that are the bytes of an input, no more of them than it takes; zeros once it is spent. */
struct host_rng host_rng_of_bytes(const uint8_t *bytes, size_t size);
bool host_rng_spent(const struct host_rng *rng);
/* 0 to limit - 1. */
uint64_t host_below(struct host_rng *rng, uint64_t limit);
/* True `percent` times in a hundred. */
bool host_chance(struct host_rng *rng, unsigned percent);
/* `usual`, or what NESTLING_TEST_STEPS says. */
unsigned host_steps(unsigned usual);

/* As calloc, aligned to cache lines, as structures that several CPUs use are. */
void *host_zeros(size_t size);

/* What another CPU does while pages are being cleared, once; NULL: nothing. */
extern void (*host_zeroing)(void);

/* Memory that plays the machine's RAM: bytes at `phys` are at phys + phys_to_virt. Costs what is touched. */
struct arena {
	uint64_t phys, size;
	uint64_t phys_to_virt;
	uint8_t *bytes;
};
void arena_open(struct arena *arena, uint64_t phys, uint64_t size);
void arena_close(struct arena *arena);
void *arena_at(const struct arena *arena, uint64_t phys);

/* A piece of cmocka's table, filled in at run time: one test per case and format, or the like. */
struct suite {
	struct CMUnitTest tests[512];
	char names[512][80];
	size_t count;
};
void suite_add(struct suite *suite, const char *name, const char *variant, CMUnitTestFunction test, CMFixtureFunction setup,
	       CMFixtureFunction teardown, const void *state);
int suite_run(const struct suite *suite, const char *name);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* The host's stand-ins for console and power switch, and what tests/host/host.h promises. */
#define _GNU_SOURCE /* gettid */
#include "tests/host/host.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "include/arch/machine.h"
#include "include/log.h"
#include "include/panic.h"
#include "tests/host/lock_order.h"

#define LOG_KEPT 128

jmp_buf host_panic_target;
bool host_panic_expected;
char host_panic_line[256];

static char log_kept[LOG_KEPT][LOG_LINE_MAX];
static unsigned log_count;

_Noreturn void panic(const char *fmt, ...)
{
	va_list ap;
	char line[sizeof(host_panic_line)];

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (host_panic_expected) {
		host_panic_expected = false;
		snprintf(host_panic_line, sizeof(host_panic_line), "%s", line);
		lock_order_forget();
		longjmp(host_panic_target, 1);
	}
	print_error("panic: %s\n", line);
	if (gettid() == getpid()) /* cmocka goes on with the next test, which other threads cannot */
		fail();
	abort();
}

/* By any thread. */
void log_vline(enum log_level level, const char *fmt, va_list ap)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	char *line;

	pthread_mutex_lock(&lock);
	line = log_kept[log_count++ % LOG_KEPT];
	vsnprintf(line, LOG_LINE_MAX, fmt, ap);
	if (getenv("NESTLING_TEST_LOG"))
		printf("log %d: %s\n", (int)level, line);
	pthread_mutex_unlock(&lock);
}

void log_line(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_vline(level, fmt, ap);
	va_end(ap);
}

void log_vm_line(enum log_level level, const char *name, const char *fmt, ...)
{
	char text[LOG_LINE_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_line(level, "vm%s%s: %s", name[0] != '\0' ? " " : "", name, text);
}

void log_fatal(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_vline(LOG_ERR, fmt, ap);
	va_end(ap);
}

unsigned host_log_lines(void)
{
	return log_count;
}

const char *host_log_line(unsigned index)
{
	return log_kept[index % LOG_KEPT];
}

void host_log_clear(void)
{
	log_count = 0;
}

const char *host_err(enum err err)
{
	static const char *const names[] = {
		[ERR_OK] = "ERR_OK",         [ERR_NO_MEMORY] = "ERR_NO_MEMORY",     [ERR_INVALID] = "ERR_INVALID",
		[ERR_RANGE] = "ERR_RANGE",   [ERR_EXISTS] = "ERR_EXISTS",           [ERR_NOT_FOUND] = "ERR_NOT_FOUND",
		[ERR_DENIED] = "ERR_DENIED", [ERR_UNSUPPORTED] = "ERR_UNSUPPORTED", [ERR_CORRUPT] = "ERR_CORRUPT",
		[ERR_IO] = "ERR_IO",
	};

	return (unsigned)err < ARRAY_LEN(names) ? names[err] : "no error code at all";
}

struct host_rng host_rng(const char *what, uint64_t fixed)
{
	const char *asked = getenv("NESTLING_TEST_SEED");
	struct host_rng rng = { .state = asked ? strtoull(asked, NULL, 0) : fixed };

	print_message("%s: seed %#jx\n", what, (uintmax_t)rng.state);
	return rng;
}

struct host_rng host_rng_of_bytes(const uint8_t *bytes, size_t size)
{
	return (struct host_rng){ .next = bytes, .end = bytes + size };
}

bool host_rng_spent(const struct host_rng *rng)
{
	return rng->next == rng->end;
}

/* So many bytes of the input, little-endian; zeros after its end. */
static uint64_t take_bytes(struct host_rng *rng, unsigned count)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < count && rng->next < rng->end; i++)
		value |= (uint64_t)*rng->next++ << (8 * i);
	return value;
}

/* SplitMix64. */
uint64_t host_random(struct host_rng *rng)
{
	uint64_t z;

	if (rng->next)
		return take_bytes(rng, sizeof(z));
	z = rng->state += 0x9e3779b97f4a7c15;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

uint64_t host_below(struct host_rng *rng, uint64_t limit)
{
	unsigned bytes = 1;

	if (!rng->next)
		return host_random(rng) % limit;
	while (bytes < 8 && (limit - 1) >> (8 * bytes))
		bytes++;
	return take_bytes(rng, bytes) % limit;
}

bool host_chance(struct host_rng *rng, unsigned percent)
{
	return host_below(rng, 100) < percent;
}

unsigned host_steps(unsigned usual)
{
	const char *asked = getenv("NESTLING_TEST_STEPS");

	return asked ? (unsigned)strtoul(asked, NULL, 0) : usual;
}

/* A small arena is kept for the next one of its size: a fuzzer opens them by the thousand. */
#define ARENA_KEPT_MAX MIB(32)
static struct arena kept_arena;

static void *arena_memory(uint64_t size)
{
	void *bytes = kept_arena.bytes;

	if (bytes && kept_arena.size == size) {
		kept_arena.bytes = NULL;
		return bytes;
	}
	return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

void arena_open(struct arena *arena, uint64_t phys, uint64_t size)
{
	void *bytes = arena_memory(size);

	assert_true(bytes != MAP_FAILED);
	*arena = (struct arena){
		.phys = phys,
		.size = size,
		.bytes = bytes,
		.phys_to_virt = (uint64_t)(uintptr_t)bytes - phys,
	};
}

void arena_close(struct arena *arena)
{
	struct arena closed = *arena;

	if (closed.size <= ARENA_KEPT_MAX) {
		closed = kept_arena;
		kept_arena = *arena;
	}
	if (closed.bytes)
		munmap(closed.bytes, closed.size);
	arena->bytes = NULL;
}

void *arena_at(const struct arena *arena, uint64_t phys)
{
	CHECK(phys >= arena->phys && phys - arena->phys < arena->size, "address %#jx", (uintmax_t)phys);
	return arena->bytes + (phys - arena->phys);
}

/* Of include/arch/machine.h, what mm/ needs everywhere. */
void (*host_zeroing)(void);

void arch_zero_pages(void *pages, uint64_t size)
{
	void (*meanwhile)(void) = host_zeroing;

	if (meanwhile) {
		unsigned other = lock_order_other_cpu();

		host_zeroing = NULL;
		meanwhile();
		lock_order_this_cpu(other);
	}
	memset(pages, 0, size);
}

void arch_copy_page(void *to, const void *from)
{
	memcpy(to, from, PAGE_SIZE);
}

void suite_add(struct suite *suite, const char *name, const char *variant, CMUnitTestFunction test, CMFixtureFunction setup,
	       CMFixtureFunction teardown, const void *state)
{
	size_t i = suite->count++;

	if (suite->count > ARRAY_LEN(suite->tests))
		abort();
	snprintf(suite->names[i], sizeof(suite->names[i]), "%s%s%s", name, *variant ? "/" : "", variant);
	suite->tests[i] = (struct CMUnitTest){
		.name = suite->names[i],
		.test_func = test,
		.setup_func = setup,
		.teardown_func = teardown,
		.initial_state = (void *)(uintptr_t)state,
	};
}

int suite_run(const struct suite *suite, const char *name)
{
	return _cmocka_run_group_tests(name, suite->tests, suite->count, NULL, NULL);
}

void *host_zeros(size_t size)
{
	void *zeros = aligned_alloc(64, align_up(size, 64));

	assert_non_null(zeros);
	return memset(zeros, 0, size);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* The PLIC that a guest sees: RISC-V Platform-Level Interrupt Controller Specification 1.0.0. */
#include "vmm/devices/plic.h"

#include <string.h>

#include "tests/host/host.h"

#define BASE 0xc000000

enum { PENDING = 0x1000, ENABLE = 0x2000, ENABLE_STEP = 0x80, CONTEXT = 0x200000, CONTEXT_STEP = 0x1000, CLAIM = 4 };
enum { HARTS = 3 };

static struct plic plic;
static struct device_table table;
static unsigned changes[HARTS]; /* how often each was told of */

static void changed(struct plic *of, unsigned context)
{
	assert_ptr_equal(of, &plic);
	CHECK(context < HARTS, "context %u", context);
	changes[context]++;
}

static int setup(void **state)
{
	(void)state;
	memset(&plic, 0xff, sizeof(plic));
	memset(changes, 0, sizeof(changes));
	plic_init(&plic, BASE, HARTS, changed);
	table = (struct device_table){ .lock = SPINLOCK(LOCK_DEVICES) };
	device_add(&table, &plic.device);
	return 0;
}

static uint64_t read_sized(uint64_t offset, uint8_t size)
{
	struct io_access io = { .space = IO_MEMORY, .size = size, .addr = BASE + offset, .value = 0xdeadbeefdeadbeef };

	device_access(&table, &io);
	return io.value;
}

static void write_sized(uint64_t offset, uint8_t size, uint64_t value)
{
	struct io_access io = { .space = IO_MEMORY, .size = size, .write = true, .addr = BASE + offset, .value = value };

	device_access(&table, &io);
}

static uint32_t get(uint64_t offset)
{
	return (uint32_t)read_sized(offset, 4);
}

static void set(uint64_t offset, uint32_t value)
{
	write_sized(offset, 4, value);
}

static void enable(unsigned hart, uint32_t sources)
{
	set(ENABLE + hart * ENABLE_STEP, sources);
}

static void set_priority(unsigned source, uint32_t priority)
{
	set(source * 4, priority);
}

static void set_threshold(unsigned hart, uint32_t threshold)
{
	set(CONTEXT + hart * CONTEXT_STEP, threshold);
}

static uint32_t claim(unsigned hart)
{
	return get(CONTEXT + hart * CONTEXT_STEP + CLAIM);
}

static void complete(unsigned hart, uint32_t source)
{
	set(CONTEXT + hart * CONTEXT_STEP + CLAIM, source);
}

static void set_line(unsigned line, bool level)
{
	plic_set_line(&plic, line, level);
}

static void a_level_is_one_request_at_a_time(void **state)
{
	(void)state;
	set_priority(10, 1);
	enable(0, BIT(10));
	CHECK(!plic_is_asserted(&plic, 0), "nothing was raised");
	set_line(10, true);
	CHECK(plic_is_asserted(&plic, 0), "not asserted");
	CHECK_EQ(changes[0], 1);
	CHECK_EQ(get(PENDING), BIT(10));
	CHECK_EQ(claim(0), 10);
	CHECK(!plic_is_asserted(&plic, 0), "asserted after the claim");
	CHECK_EQ(get(PENDING), 0);
	CHECK_EQ(claim(0), 0);
	set_line(10, true); /* as before */
	CHECK(!plic_is_asserted(&plic, 0), "asserted before the completion");
	complete(0, 10);
	CHECK(plic_is_asserted(&plic, 0), "the line is still up");
	CHECK_EQ(claim(0), 10);
	set_line(10, false);
	complete(0, 10);
	CHECK(!plic_is_asserted(&plic, 0), "the line is down");
	CHECK_EQ(claim(0), 0);
	CHECK_EQ(changes[0], 4);
}

/* "Interrupt Gateways": it is for the handler to find out that the device wants nothing any more. */
static void a_request_stays_when_the_line_goes(void **state)
{
	(void)state;
	set_priority(3, 1);
	enable(0, BIT(3));
	set_line(3, true);
	set_line(3, false);
	CHECK(plic_is_asserted(&plic, 0), "the request was lost");
	CHECK_EQ(claim(0), 3);
	complete(0, 3);
	CHECK(!plic_is_asserted(&plic, 0), "asserted with no line up");
	set_line(3, true);
	CHECK_EQ(claim(0), 3);
	set_line(3, false);
	set_line(3, true);
	complete(0, 3);
	CHECK_EQ(claim(0), 3);
}

static void priorities_and_thresholds(void **state)
{
	(void)state;
	set_priority(5, 2);
	set_priority(6, 3);
	set_priority(7, 3);
	enable(0, BIT(4) | BIT(5) | BIT(6) | BIT(7));
	for (unsigned line = 4; line < 8; line++)
		set_line(line, true);
	set_threshold(0, 3);
	CHECK(!plic_is_asserted(&plic, 0), "3 is not above 3");
	set_threshold(0, 2);
	CHECK(plic_is_asserted(&plic, 0), "3 is above 2");
	CHECK_EQ(claim(0), 6); /* of equal ones the lowest number */
	CHECK_EQ(claim(0), 7);
	CHECK(!plic_is_asserted(&plic, 0), "2 is not above 2");
	CHECK_EQ(claim(0), 5); /* "the claim operation is not affected by the setting of the priority threshold register" */
	CHECK_EQ(claim(0), 0); /* priority 0 never interrupts */
	set_priority(4, 7);
	CHECK(plic_is_asserted(&plic, 0), "a priority that changes counts");
	set_priority(4, 0);
	CHECK(!plic_is_asserted(&plic, 0), "a priority that changes counts");
	set_priority(4, 0xffffffff);
	CHECK_EQ(get(4 * 4), PLIC_LEVELS - 1);
	set_threshold(0, 0xffffffff);
	CHECK_EQ(get(CONTEXT), PLIC_LEVELS - 1);
}

static void each_hart_has_its_own(void **state)
{
	(void)state;
	set_priority(1, 1);
	enable(0, BIT(1));
	enable(2, BIT(1));
	set_line(1, true);
	CHECK(plic_is_asserted(&plic, 0) && !plic_is_asserted(&plic, 1) && plic_is_asserted(&plic, 2), "%#x", plic.asserted);
	CHECK_EQ(claim(1), 0);
	CHECK_EQ(claim(2), 1);
	CHECK(!plic_is_asserted(&plic, 0), "one has claimed it");
	CHECK_EQ(claim(0), 0);
	complete(1, 1); /* not enabled there: ignored */
	CHECK(!plic_is_asserted(&plic, 0), "completed by who has not enabled it");
	complete(0, 1); /* not who has claimed it */
	CHECK(plic_is_asserted(&plic, 0) && plic_is_asserted(&plic, 2), "%#x", plic.asserted);
	enable(0, 0);
	CHECK(!plic_is_asserted(&plic, 0), "disabled");
	CHECK_EQ(get(ENABLE), 0);
	CHECK_EQ(get(ENABLE + 2 * ENABLE_STEP), BIT(1));
	CHECK_EQ(changes[1], 0);
}

static void what_is_not_there_has_no_effect(void **state)
{
	(void)state;
	set_priority(0, 1);
	CHECK_EQ(get(0), 0);
	set_priority(PLIC_SOURCES, 1);
	CHECK_EQ(get(PLIC_SOURCES * 4), 0);
	enable(0, 0xffffffff);
	CHECK_EQ(get(ENABLE), 0xfffffffe);
	set(ENABLE + 4, 0xffffffff); /* sources 32 to 63 */
	CHECK_EQ(get(ENABLE + 4), 0);
	enable(HARTS, 0xffffffff);
	CHECK_EQ(get(ENABLE + HARTS * ENABLE_STEP), 0);
	set_threshold(HARTS, 1);
	CHECK_EQ(get(CONTEXT + HARTS * CONTEXT_STEP), 0);
	CHECK_EQ(claim(HARTS), 0);
	set(PENDING, 0xffffffff);
	CHECK_EQ(get(PENDING), 0);
	set_line(0, true);
	set_line(PLIC_SOURCES, true);
	set_line(~0u, true);
	for (unsigned source = 1; source < PLIC_SOURCES; source++)
		set_priority(source, 1);
	CHECK_EQ(plic.asserted, 0);
	CHECK_EQ(claim(0), 0);
	complete(0, 0);
	complete(0, 5);
	complete(0, PLIC_SOURCES);
	complete(0, 0xffffffff);
	set_line(31, true);
	CHECK_EQ(claim(0), 31);
}

/* "The address of each register is 4-byte aligned": what is not one whole register reads as 0 and changes nothing. */
static void only_words_are_registers(void **state)
{
	(void)state;
	set_priority(2, 1);
	enable(0, BIT(2));
	set_line(2, true);
	for (uint8_t size = 1; size <= 8; size *= 2) {
		for (unsigned at = 0; at < 8; at++) {
			if (size == 4 && at % 4 == 0)
				continue;
			CHECK_EQ(read_sized(CONTEXT + at, size), 0);
			write_sized(CONTEXT + at, size, 0x0202020202020202);
			write_sized(ENABLE + at, size, 0);
			write_sized(2 * 4 + at, size, 0);
		}
	}
	CHECK_EQ(get(CONTEXT), 0);
	CHECK_EQ(get(ENABLE), BIT(2));
	CHECK_EQ(claim(0), 2);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_level_is_one_request_at_a_time), TEST(a_request_stays_when_the_line_goes),
		TEST(priorities_and_thresholds),        TEST(each_hart_has_its_own),
		TEST(what_is_not_there_has_no_effect),  TEST(only_words_are_registers),
	};

	return cmocka_run_group_tests_name("plic", tests, NULL, NULL);
}

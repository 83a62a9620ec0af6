/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VMIDs, against TLBs that keep everything until they are flushed: whatever comes and goes, none ever holds translations of two VMs
 * under one number.
 */
#include "vmm/aarch64/vmid.c"

#include "vmm/aarch64/tlb_range.h"

#include <string.h>

#include "tests/host/host.h"

enum { CPUS = 4, VMS = 24, NUMBERS = 65536 };

static struct vmids vmids;
static struct vmid vms[VMS];
static unsigned holder[NUMBERS]; /* whose translations are cached under a number, VM + 1; 0: nobody's */
static int running[CPUS];        /* VM; -1: none */
static unsigned number_of[CPUS]; /* under which it runs there */

static void fill(unsigned cpu)
{
	unsigned number = number_of[cpu], vm = (unsigned)running[cpu] + 1;

	CHECK(holder[number] == 0 || holder[number] == vm, "VM %u runs as %u, which is VM %u's", vm, number, holder[number]);
	holder[number] = vm;
}

/* Whoever runs fills its TLB again at once. */
static void flush(void)
{
	memset(holder, 0, sizeof(holder));
	for (unsigned i = 0; i < CPUS; i++)
		if (running[i] >= 0)
			fill(i);
}

static void start(uint32_t count)
{
	memset(vms, 0, sizeof(vms));
	memset(holder, 0, sizeof(holder));
	memset(running, -1, sizeof(running));
	cpu_count = CPUS;
	vmids_init(&vmids, count, flush);
}

static void take(unsigned cpu, unsigned vm)
{
	unsigned number = vmid_take(&vmids, cpu, &vms[vm]);

	CHECK(number > 0 && number < vmids.count, "%u of %u", number, vmids.count);
	number_of[cpu] = number;
	running[cpu] = (int)vm;
	fill(cpu);
	for (unsigned i = 0; i < CPUS; i++)
		if (running[i] == (int)vm)
			assert_int_equal(number_of[i], number); /* vCPUs of one VM have one */
}

static void drop(unsigned cpu)
{
	running[cpu] = -1;
}

static void few(void **state)
{
	static const uint32_t counts[] = { CPUS + 2, CPUS + 3, 8, 16, 64 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
		struct host_rng rng = host_rng("vmid", 0x5eed0015);

		start(counts[i]);
		for (unsigned step = 0; step < 20000; step++) {
			unsigned cpu = (unsigned)host_below(&rng, CPUS);

			if (running[cpu] >= 0)
				drop(cpu);
			else
				take(cpu, (unsigned)host_below(&rng, VMS));
		}
		CHECK(counts[i] > VMS || vmids.flushes > 100, "%u numbers, %ju flushes", counts[i], (uintmax_t)vmids.flushes);
		CHECK(counts[i] <= VMS || vmids.flushes == 0, "%u numbers for %d VMs: no flush is needed", counts[i], VMS);
	}
}

/* A VM that comes back has its number still; none is used up by coming and going. */
static void comes_back(void **state)
{
	unsigned number;

	(void)state;
	start(256);
	take(0, 3);
	number = number_of[0];
	for (unsigned i = 0; i < 1000; i++) {
		drop(0);
		take(0, 3);
		assert_int_equal(number_of[0], number);
	}
	assert_int_equal(vmids.flushes, 0);
}

/* What runs when a generation begins keeps its number for all of it, also when it has left meanwhile. */
static void keeps(void **state)
{
	unsigned number;

	(void)state;
	start(8);
	take(1, 20);
	number = number_of[1];
	for (unsigned vm = 0; vmids.flushes == 0; vm++) {
		take(0, vm);
		drop(0);
	}
	drop(1);
	assert_int_equal(vmid_get(&vms[20]), number);
	for (unsigned vm = 10; vm < 14; vm++) { /* what was in CPU 0 last is kept, too */
		take(0, vm);
		CHECK(number_of[0] != number, "VM %u got it", vm);
		drop(0);
	}
	assert_int_equal(vmids.flushes, 1);
	take(2, 20);
	assert_int_equal(number_of[2], number);
}

static void none_yet(void **state)
{
	(void)state;
	start(8);
	assert_int_equal(vmid_get(&vms[0]), 0);
	take(0, 0);
	assert_int_equal(vmid_get(&vms[0]), number_of[0]);
}

/* QEMU flushes whenever VTTBR_EL2 changes: only here it can be seen that a flush is asked for. */
static void stage1_of_two_vcpus(void **state)
{
	uint8_t last[2] = { 0, 0 };

	(void)state;
	assert_false(vmid_changes_stage1(&last[0], 0)); /* the first one here */
	assert_false(vmid_changes_stage1(&last[0], 0));
	assert_false(vmid_changes_stage1(&last[1], 15)); /* another CPU */
	assert_true(vmid_changes_stage1(&last[0], 15));
	assert_false(vmid_changes_stage1(&last[0], 15));
	assert_true(vmid_changes_stage1(&last[0], 0));
	assert_false(vmid_changes_stage1(&last[1], 15));
}

/* What the Arm ARM says that such an operand covers, in bytes from *start on. */
static uint64_t covered(uint64_t operand, uint64_t *start)
{
	uint64_t num = operand >> 39 & 0x1f, scale = operand >> 44 & 3;

	assert_int_equal(operand >> 46, 1);     /* 4 KiB granules; Non-secure */
	assert_int_equal(operand >> 37 & 3, 0); /* any level */
	*start = (operand & ((UINT64_C(1) << 37) - 1)) << 12;
	return (num + 1) << (5 * scale + 1) << 12;
}

/* A space of any size is flushed from its first byte to its last, and nothing twice. */
static void whole_space(void **state)
{
	static const unsigned bits[] = { 32, 33, 36, TLB_RANGE_GPA_BITS };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bits); i++) {
		uint64_t end = UINT64_C(1) << bits[i], start, reached = 0;

		for (uint64_t at = 0; at < end; at += TLB_RANGE_MAX(TLB_RANGE_SPACE)) {
			uint64_t size = covered(tlb_range_operand(at, end - at, TLB_RANGE_SPACE), &start);

			CHECK(start == reached, "%u bits: from %#jx, not %#jx", bits[i], (uintmax_t)start, (uintmax_t)reached);
			reached = start + size;
		}
		CHECK(reached == end, "%u bits: up to %#jx", bits[i], (uintmax_t)reached);
	}
}

/* Some pages by one instruction, and at most one page more. */
static void some_pages(void **state)
{
	(void)state;
	for (uint64_t pages = 1; pages <= 64; pages++) {
		uint64_t start, gpa = 0x40003000,
				size = covered(tlb_range_operand(gpa, pages * PAGE_SIZE, TLB_RANGE_PAGES), &start);

		CHECK(start == gpa && size == (pages + 1) / 2 * 2 * PAGE_SIZE, "%ju pages: %#jx from %#jx", (uintmax_t)pages,
		      (uintmax_t)size, (uintmax_t)start);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(few),        cmocka_unit_test(comes_back),          cmocka_unit_test(keeps),
		cmocka_unit_test(none_yet),   cmocka_unit_test(stage1_of_two_vcpus), cmocka_unit_test(whole_space),
		cmocka_unit_test(some_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

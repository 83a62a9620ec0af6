/* SPDX-License-Identifier: BSD-2-Clause */
/* TLB tags with generations, against a model of TLBs that keep all they ever saw. */
#include "vmm/x86_64/tags.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { CPUS = 3, VCPUS = 7, TAGS_MAX = 9, STEPS = 200000 };

static void hands_out_all_then_begins_anew(void **state)
{
	struct tag_space space;
	struct tag a = { 0 }, b = { 0 }, c = { 0 };

	(void)state;
	tags_init(&space, 3);
	assert_int_equal(tags_take(&space, &a), TAG_NEW_GENERATION);
	assert_int_equal(a.number, 1);
	assert_int_equal(tags_take(&space, &b), TAG_NEW);
	assert_int_equal(b.number, 2);
	assert_int_equal(tags_take(&space, &a), TAG_KEPT);
	assert_int_equal(tags_take(&space, &c), TAG_NEW_GENERATION);
	assert_int_equal(c.number, 1);
	assert_int_equal(tags_take(&space, &a), TAG_NEW);
	assert_int_equal(a.number, 2);
	assert_int_equal(tags_take(&space, &b), TAG_NEW_GENERATION);
}

static void one_tag_is_enough(void **state)
{
	struct tag_space space;
	struct tag a = { 0 }, b = { 0 };

	(void)state;
	tags_init(&space, 2);
	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(tags_take(&space, &a), TAG_NEW_GENERATION);
		assert_int_equal(tags_take(&space, &a), TAG_KEPT);
		assert_int_equal(tags_take(&space, &b), TAG_NEW_GENERATION);
	}
}

static void other_cpu_gives_its_own(void **state)
{
	struct tag_space here, there;
	struct tag a = { 0 };

	(void)state;
	tags_init(&here, 10);
	tags_init(&there, 10);
	tags_take(&here, &a);
	assert_int_equal(tags_take(&there, &a), TAG_NEW_GENERATION);
	assert_int_equal(tags_take(&here, &a), TAG_NEW);
	assert_int_equal(a.number, 2);
}

/*
 * The vCPU runs and fills the CPU's TLB: nothing is there under its tag but what it has put there itself since it came to this CPU
 * (what it put there before it went to another one may be out of date). `tlb` has for each tag which stay of which vCPU it is of.
 */
static void run(unsigned *tlb, const struct tag *tag, unsigned stay, enum tag_state state)
{
	if (state == TAG_NEW_GENERATION)
		memset(tlb, 0, TAGS_MAX * sizeof(*tlb));
	assert_int_equal(tlb[tag->number], state == TAG_KEPT ? stay : 0);
	tlb[tag->number] = stay;
}

static void no_translation_of_another(void **state)
{
	struct tag_space spaces[CPUS];
	struct tag tags[VCPUS] = { 0 };
	unsigned tlb[CPUS][TAGS_MAX] = { 0 }, cpu_of[VCPUS], stay[VCPUS], stays = 0;

	(void)state;
	srand(1);
	memset(cpu_of, 0xff, sizeof(cpu_of));
	for (unsigned i = 0; i < CPUS; i++)
		tags_init(&spaces[i], 2 + i * 3);
	for (unsigned i = 0; i < STEPS; i++) {
		unsigned cpu = (unsigned)rand() % CPUS, vcpu = (unsigned)rand() % VCPUS;
		enum tag_state taken = tags_take(&spaces[cpu], &tags[vcpu]);

		if (cpu != cpu_of[vcpu] || taken != TAG_KEPT)
			stay[vcpu] = ++stays;
		cpu_of[vcpu] = cpu;
		run(tlb[cpu], &tags[vcpu], stay[vcpu], taken);
		assert_in_range(tags[vcpu].number, 1, spaces[cpu].end - 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hands_out_all_then_begins_anew),
		cmocka_unit_test(one_tag_is_enough),
		cmocka_unit_test(other_cpu_gives_its_own),
		cmocka_unit_test(no_translation_of_another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* What an x86 CPU is to forget between VMs, by what it says of itself: no emulator here says any of it. */
#include "vmm/x86_64/speculation.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static struct speculation_plan choose(uint32_t leaf_7_edx, uint32_t leaf_88_ebx, uint32_t leaf_a1_eax, uint64_t caps)
{
	struct speculation_cpu cpu = { leaf_7_edx, leaf_88_ebx, leaf_a1_eax, caps };

	return speculation_choose(&cpu);
}

static void says_nothing(void **state)
{
	struct speculation_plan none = choose(0, 0, 0, 0);

	(void)state;
	assert_false(none.ibpb || none.flush_l1d || none.clear_buffers || none.ibrs_always || none.automatic_ibrs);
}

static void branches(void **state)
{
	(void)state;
	assert_true(choose(1u << 26, 0, 0, 0).ibpb);
	assert_true(choose(0, 1u << 12, 0, 0).ibpb);
	assert_false(choose(~(1u << 26), ~(1u << 12), ~0u, ~UINT64_C(0)).ibpb);
	assert_true(choose(0, 0, 0, 2).ibrs_always);
	assert_true(choose(0, 0, 1u << 8, 0).automatic_ibrs);
}

/* Of the CPUs with the command only those that L1TF is for: RDCL_NO and SKIP_L1DFL_VMENTRY say which are not. */
static void level_one_data(void **state)
{
	(void)state;
	assert_true(choose(1u << 28, 0, 0, 0).flush_l1d);
	assert_false(choose(1u << 28, 0, 0, 1).flush_l1d);
	assert_false(choose(1u << 28, 0, 0, 8).flush_l1d);
	assert_false(choose(0, 0, 0, 0).flush_l1d);
}

static void buffers(void **state)
{
	(void)state;
	assert_true(choose(1u << 10, 0, 0, 0).clear_buffers);
	assert_false(choose(1u << 10, 0, 0, 1u << 5).clear_buffers);           /* MDS_NO */
	assert_true(choose(1u << 10, 0, 0, 1u << 5 | 1u << 17).clear_buffers); /* but stale data of MMIO: FB_CLEAR */
	assert_true(choose(0, 0, 1u << 5, 0).clear_buffers);                   /* AMD's TSA */
}

static void multihit(void **state)
{
	(void)state;
	assert_true(itlb_multihit(0x000306c3, 0));        /* Haswell */
	assert_true(itlb_multihit(0x00050657, 0));        /* Cascade Lake, of old microcode */
	assert_false(itlb_multihit(0x00050657, 1u << 6)); /* and as it says it is */
	assert_false(itlb_multihit(0x000706e5, 0));       /* Ice Lake */
	assert_false(itlb_multihit(0x00000f4a, 0));       /* another family, model 4 */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_nothing), cmocka_unit_test(branches), cmocka_unit_test(level_one_data),
		cmocka_unit_test(buffers),      cmocka_unit_test(multihit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

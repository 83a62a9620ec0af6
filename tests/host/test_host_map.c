/* SPDX-License-Identifier: BSD-2-Clause */
/* The hypervisor's own map: what it costs, and that what is removed from it is not there and costs nothing. */
#include "mm/host_map.h"

#include "include/arch/machine.h"
#include "tests/host/ram.h"

const struct npt_ops *arch_host_map_config(struct npt_config *config)
{
	*config = (struct npt_config){
		.levels = 4,
		.gpa_bits = 48,
		.hpa_bits = 48,
		.max_leaf = 2,
		.hardware_ad = true,
		.page_memtypes = true,
	};
	return &npt_x86_host;
}

static struct {
	struct ram ram;
	struct host_map map;
} host;

static int setup(void **state)
{
	(void)state;
	ram_open(&host.ram, GIB(1), MIB(4), true);
	CHECK_ERR(host_map_new(&host.map), ERR_OK);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	npt_free(&host.map.npt);
	ram_close(&host.ram);
	return 0;
}

/* The permissions at `at`, which is mapped to itself; 0: it is not mapped. */
static unsigned prot_at(uint64_t at)
{
	struct npt_leaf leaf;

	if (npt_query(&host.map.npt, GPA(at), &leaf) != ERR_OK)
		return 0;
	CHECK_EQ(leaf.hpa.raw, leaf.gpa.raw);
	return leaf.attr.prot;
}

static void what_is_removed_takes_its_tables_along(void **state)
{
	uint64_t free = ram_free_bytes();

	(void)state;
	CHECK_ERR(host_map_add(&host.map, HPA(GIB(2) + KIB(4)), HPA(GIB(2) + MIB(2)), NPT_RW), ERR_OK);
	CHECK_ERR(host_map_add(&host.map, HPA(GIB(3)), HPA(GIB(3)), NPT_RW), ERR_OK); /* nothing */
	CHECK_EQ(free - ram_free_bytes(), 3 * PAGE_SIZE);
	CHECK_ERR(host_map_remove(&host.map, HPA(GIB(2) + KIB(8)), HPA(GIB(2) + KIB(12))), ERR_OK);
	CHECK_EQ(prot_at(GIB(2) + KIB(4)), NPT_RW);
	CHECK_EQ(prot_at(GIB(2) + KIB(8)), 0);
	CHECK_EQ(prot_at(GIB(2) + KIB(12)), NPT_RW);
	CHECK_EQ(free - ram_free_bytes(), 3 * PAGE_SIZE);
	CHECK_ERR(host_map_remove(&host.map, HPA(GIB(2)), HPA(GIB(2) + MIB(2))), ERR_OK);
	CHECK_EQ(prot_at(GIB(2) + KIB(4)), 0);
	CHECK_EQ(ram_free_bytes(), free);
}

static void protect_changes_that_and_no_more(void **state)
{
	struct npt_leaf leaf;

	(void)state;
	CHECK_ERR(host_map_add(&host.map, HPA(GIB(2)), HPA(GIB(2) + MIB(2)), NPT_RW), ERR_OK);
	CHECK_ERR(host_map_protect(&host.map, HPA(GIB(2) + KIB(4)), HPA(GIB(2) + KIB(8)), NPT_RX), ERR_OK);
	CHECK_ERR(host_map_protect(&host.map, HPA(GIB(2) + KIB(8)), HPA(GIB(2) + KIB(8)), NPT_R), ERR_OK); /* nothing */
	CHECK_EQ(prot_at(GIB(2)), NPT_RW);
	CHECK_EQ(prot_at(GIB(2) + KIB(4)), NPT_RX);
	CHECK_EQ(prot_at(GIB(2) + KIB(8)), NPT_RW);
	CHECK_ERR(host_map_add_device(&host.map, HPA(GIB(4)), HPA(GIB(4) + KIB(4))), ERR_OK);
	CHECK_ERR(npt_query(&host.map.npt, GPA(GIB(4)), &leaf), ERR_OK);
	CHECK_EQ(leaf.attr.memtype, NPT_UC);
	CHECK_EQ(prot_at(GIB(4)), NPT_RW);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_removed_takes_its_tables_along, setup, teardown),
		cmocka_unit_test_setup_teardown(protect_changes_that_and_no_more, setup, teardown),
	};

	return cmocka_run_group_tests_name("host_map", tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory that a device tree keeps for others. */
#include "boot/reserved.h"

#include <libfdt.h>
#include <string.h>

#include "boot/memory.h"
#include "tests/host/host.h"

static uint64_t tree[KIB(2) / 8];

static struct {
	uint64_t start, size;
} excluded[16];
static size_t count, calls, refused_call;

enum err memory_exclude(hpa_t start, uint64_t size)
{
	if (calls++ == refused_call)
		return ERR_RANGE;
	excluded[count].start = start.raw;
	excluded[count++].size = size;
	return ERR_OK;
}

static void check(int error)
{
	CHECK(error >= 0, "%s", fdt_strerror(error));
}

static int add_node(int parent, const char *name, const uint32_t *cells, int cell_count)
{
	fdt32_t reg[8];
	int node = fdt_add_subnode(tree, parent, name);

	check(node);
	for (int i = 0; i < cell_count; i++)
		reg[i] = cpu_to_fdt32(cells[i]);
	if (cell_count > 0)
		check(fdt_setprop(tree, node, "reg", reg, cell_count * 4));
	return node;
}

/* OpenSBI's node has two ranges; one node only asks for room; and the second cell is the size. */
static int make_nodes(void)
{
	static const uint32_t two[] = { 0, 0x80000000, 0, 0x40000, 1, 0x80040000, 0, 0x20000 };
	static const uint32_t one[] = { 0, 0x90000000, 0, 0x1000 };
	int parent = fdt_add_subnode(tree, 0, "reserved-memory");

	check(parent);
	check(fdt_setprop_u32(tree, parent, "#address-cells", 2));
	check(fdt_setprop_u32(tree, parent, "#size-cells", 2));
	check(fdt_setprop(tree, parent, "ranges", NULL, 0));
	/* Each new node is put before those that are there. */
	add_node(parent, "late@90000000", one, ARRAY_LEN(one));
	add_node(parent, "cma", NULL, 0);
	add_node(parent, "mmode_resv@80000000", two, ARRAY_LEN(two));
	return parent;
}

static int setup(void **state)
{
	(void)state;
	count = calls = 0;
	refused_call = SIZE_MAX;
	check(fdt_create_empty_tree(tree, sizeof(tree)));
	check(fdt_setprop_u32(tree, 0, "#address-cells", 2));
	check(fdt_setprop_u32(tree, 0, "#size-cells", 2));
	return 0;
}

static void expect(size_t i, uint64_t start, uint64_t size)
{
	CHECK(i < count, "only %zu ranges", count);
	CHECK_EQ(excluded[i].start, start);
	CHECK_EQ(excluded[i].size, size);
}

static void a_tree_without_is_fine(void **state)
{
	(void)state;
	reserved_exclude(tree);
	CHECK_EQ(count, 0);
}

static void the_block_is_read(void **state)
{
	(void)state;
	check(fdt_add_mem_rsv(tree, 0x1000, 0x2000));
	check(fdt_add_mem_rsv(tree, 0x880000000, 0x100000));
	reserved_exclude(tree);
	CHECK_EQ(count, 2);
	expect(0, 0x1000, 0x2000);
	expect(1, 0x880000000, 0x100000);
}

static void the_nodes_are_read(void **state)
{
	(void)state;
	check(fdt_add_mem_rsv(tree, 0x1000, 0x2000));
	make_nodes();
	reserved_exclude(tree);
	CHECK_EQ(count, 4);
	expect(0, 0x1000, 0x2000);
	expect(1, 0x80000000, 0x40000);
	expect(2, 0x180040000, 0x20000);
	expect(3, 0x90000000, 0x1000);
}

/* One beyond all addresses is told of, and the others hold. */
static void nonsense_is_told(void **state)
{
	(void)state;
	check(fdt_add_mem_rsv(tree, 0x1000, 0x2000));
	make_nodes();
	for (refused_call = 0; refused_call < 4; refused_call++) {
		count = calls = 0;
		host_log_clear();
		reserved_exclude(tree);
		CHECK_EQ(count, 3);
		CHECK_EQ(host_log_lines(), 1);
	}
}

static void set_status(const char *path, const char *status)
{
	check(fdt_setprop(tree, fdt_path_offset(tree, path), "status", status, (int)strlen(status) + 1));
}

static void what_is_disabled_keeps_nothing(void **state)
{
	(void)state;
	make_nodes();
	set_status("/reserved-memory/late@90000000", "disabled");
	set_status("/reserved-memory/mmode_resv@80000000", "okay");
	reserved_exclude(tree);
	CHECK_EQ(count, 2);
	expect(0, 0x80000000, 0x40000);
	set_status("/reserved-memory", "disabled");
	count = 0;
	reserved_exclude(tree);
	CHECK_EQ(count, 0);
}

/* A bus that lacks the line saying that its addresses are everybody's. */
static void addresses_are_the_same_everywhere(void **state)
{
	(void)state;
	check(fdt_delprop(tree, make_nodes(), "ranges"));
	reserved_exclude(tree);
	CHECK_EQ(count, 3);
	expect(0, 0x80000000, 0x40000);
	expect(1, 0x180040000, 0x20000);
	expect(2, 0x90000000, 0x1000);
}

/* Cells that cannot be read are passed over with a line; a node without `reg` is without. */
static void nonsense_is_passed_over(void **state)
{
	int parent;

	(void)state;
	parent = make_nodes();
	check(fdt_setprop_u32(tree, parent, "#address-cells", 4));
	host_log_clear();
	reserved_exclude(tree);
	CHECK_EQ(count, 0);
	CHECK_EQ(host_log_lines(), 2);
	/* Addresses with a kind are not those of the bus above; and one node's are not whole then. */
	check(fdt_setprop_u32(tree, parent, "#address-cells", 3));
	host_log_clear();
	reserved_exclude(tree);
	CHECK_EQ(count, 0);
	CHECK_EQ(host_log_lines(), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_tree_without_is_fine, setup),
		cmocka_unit_test_setup(the_block_is_read, setup),
		cmocka_unit_test_setup(the_nodes_are_read, setup),
		cmocka_unit_test_setup(nonsense_is_told, setup),
		cmocka_unit_test_setup(what_is_disabled_keeps_nothing, setup),
		cmocka_unit_test_setup(addresses_are_the_same_everywhere, setup),
		cmocka_unit_test_setup(nonsense_is_passed_over, setup),
	};

	return cmocka_run_group_tests_name("reserved", tests, NULL, NULL);
}

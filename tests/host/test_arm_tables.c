/* SPDX-License-Identifier: BSD-2-Clause */
/* Which CPUs an Arm machine has, and which interrupt controller, by its device tree or by ACPI. */
#include "drivers/aarch64/controller.c"
#include "drivers/aarch64/cpu_tables.c"
#include "drivers/acpi_madt.c"

#include "tests/host/host.h"

const struct controller_driver gicv2 = { .name = "GICv2" }, gicv3 = { .name = "GICv3" }, bcm2836 = { .name = "bcm2836" };

/* --- What firmware says ---------------------------------------------------------------------------------------------- */

static uint64_t tree[KIB(16) / sizeof(uint64_t)];
static bool by_smc;

static struct table {
	uint8_t bytes[1024];
	size_t size; /* 0: there is none */
} madt, gtdt;

bool psci_takes_smc(void)
{
	return by_smc;
}

enum err acpi_find_table(const void *rsdp, acpi_reader reader, const char signature[4], const void **table, size_t *size)
{
	const struct table *found = memcmp(signature, "APIC", 4) == 0 ? &madt : &gtdt;

	(void)rsdp;
	(void)reader;
	*table = found->bytes;
	*size = found->size;
	return found->size > 0 ? ERR_OK : ERR_NOT_FOUND;
}

static const struct platform in_tree = { .fdt = tree }, in_acpi = { .acpi_rsdp = tree };

/* --- Trees ----------------------------------------------------------------------------------------------------------- */

static void new_tree(void)
{
	assert_int_equal(fdt_create_empty_tree(tree, sizeof(tree)), 0);
	assert_int_equal(fdt_setprop_u32(tree, 0, "#address-cells", 2), 0);
	assert_int_equal(fdt_setprop_u32(tree, 0, "#size-cells", 2), 0);
}

static int set_string(int node, const char *name, const char *value)
{
	return fdt_setprop(tree, node, name, value, (int)strlen(value) + 1);
}

static int node_in(int parent, const char *name, const char *compatible)
{
	int node = fdt_add_subnode(tree, parent, name);

	assert_true(node >= 0);
	if (compatible)
		assert_int_equal(set_string(node, "compatible", compatible), 0);
	return node;
}

static void add_range(int node, uint64_t start, uint64_t size)
{
	assert_int_equal(fdt_appendprop_u64(tree, node, "reg", start), 0);
	assert_int_equal(fdt_appendprop_u64(tree, node, "reg", size), 0);
}

static int cpus_node(uint32_t cells)
{
	int node;

	new_tree();
	node = node_in(0, "cpus", NULL);
	assert_int_equal(fdt_setprop_u32(tree, node, "#address-cells", cells), 0);
	assert_int_equal(fdt_setprop_u32(tree, node, "#size-cells", 0), 0);
	return node;
}

/* Nodes are added at the front: the last one is the first in the tree. */
static int cpu(const char *name, uint32_t id, const char *method)
{
	int node = node_in(fdt_path_offset(tree, "/cpus"), name, "arm,cortex-a53");

	assert_int_equal(set_string(node, "device_type", "cpu"), 0);
	assert_int_equal(fdt_setprop_u32(tree, node, "reg", id), 0);
	if (method)
		assert_int_equal(set_string(node, "enable-method", method), 0);
	return node;
}

static void tree_psci(void **state)
{
	struct cpu_place places[4];

	(void)state;
	cpus_node(1);
	cpu("cpu@101", 0x101, "psci");
	set_string(cpu("cpu@3", 3, "psci"), "status", "disabled");
	set_string(cpu("cpu@2", 2, "psci"), "status", "okay");
	cpu("cpu@1", 1, "psci");
	set_string(cpu("l2-cache", 9, NULL), "device_type", "cache");
	cpu("cpu@0", 0, "psci");
	by_smc = true;
	assert_int_equal(cpu_tables_read(&in_tree, places, 4), 4);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(places[i].affinity, i);
		assert_int_equal(places[i].start, CPU_START_PSCI);
	}
	assert_int_equal(places[3].affinity, 0x101);
	by_smc = false;
	assert_int_equal(cpu_tables_read(&in_tree, places, 2), 4); /* more than there is room for */
	assert_int_equal(places[1].start, CPU_START_NONE);         /* by HVC, which would come to us */
}

/* As Linux' bcm2837.dtsi has it. */
static void tree_spin_table(void **state)
{
	struct cpu_place places[4];

	(void)state;
	cpus_node(1);
	fdt_setprop_u64(tree, cpu("cpu@3", 3, "spin-table"), "cpu-release-addr", 0xf4); /* not aligned */
	fdt_setprop_u32(tree, cpu("cpu@2", 2, "spin-table"), "cpu-release-addr", 0xe8); /* half of it */
	fdt_setprop_u64(tree, cpu("cpu@1", 1, "spin-table"), "cpu-release-addr", 0xe0);
	fdt_setprop_u64(tree, cpu("cpu@0", 0, "spin-table"), "cpu-release-addr", 0xd8);
	by_smc = true;
	assert_int_equal(cpu_tables_read(&in_tree, places, 4), 4);
	assert_int_equal(places[0].start, CPU_START_SPIN);
	assert_int_equal(places[0].release, 0xd8);
	assert_int_equal(places[1].release, 0xe0);
	assert_int_equal(places[2].start, CPU_START_NONE);
	assert_int_equal(places[3].start, CPU_START_NONE);
}

static void tree_two_cells(void **state)
{
	struct cpu_place places[4];
	int node;

	(void)state;
	cpus_node(2);
	node = cpu("cpu@1", 0, "psci");
	fdt_setprop_u64(tree, node, "reg", UINT64_C(0xff00000180020301));
	node = cpu("cpu@2", 0, "psci");
	fdt_setprop_u64(tree, node, "reg", UINT64_C(0x0000000100020301)); /* the same */
	by_smc = true;
	assert_int_equal(cpu_tables_read(&in_tree, places, 4), 1);
	assert_int_equal(places[0].affinity, UINT64_C(0x100020301));
}

static void tree_without_cpus(void **state)
{
	struct cpu_place places[1];

	(void)state;
	new_tree();
	madt.size = 0;
	assert_int_equal(cpu_tables_read(&in_tree, places, 1), 0);
	assert_int_equal(cpu_tables_read(&(const struct platform){ 0 }, places, 1), 0);
}

/* A timer whose interrupts are told in each way that there is, with numbers that are nobody's usual ones. */
static void check_timer(const char *property, const uint32_t *cells, size_t count, uint32_t interrupt_cells, unsigned wanted)
{
	struct controller found;
	int node;

	new_tree();
	node = node_in(0, "timer", "arm,armv8-timer");
	for (size_t i = 0; i < count; i++)
		assert_int_equal(fdt_appendprop_u32(tree, node, property, cells[i]), 0);
	node = node_in(0, "intc", "arm,gic-v3");
	add_range(node, 0x8000000, 0x10000);
	add_range(node, 0x80a0000, 0xf60000);
	fdt_setprop_u32(tree, node, "#interrupt-cells", interrupt_cells);
	fdt_setprop_u32(tree, node, "phandle", 7);
	fdt_setprop_u32(tree, 0, "interrupt-parent", 7);
	assert_true(controller_find(&in_tree, &found));
	CHECK(found.timer == wanted, "%s: the timer's interrupt is %u, not %u", property, found.timer, wanted);
}

static void tree_timer_interrupts(void **state)
{
	static const uint32_t three[] = { 1, 13, 4, 1, 14, 4, 1, 11, 4, 1, 8, 4 };
	static const uint32_t four[] = { 1, 13, 4, 0, 1, 14, 4, 0, 1, 11, 4, 0, 1, 8, 4, 0 };
	static const uint32_t each[] = { 7, 1, 13, 4, 7, 1, 14, 4, 7, 1, 11, 4, 7, 1, 8, 4 };
	static const uint32_t gone[] = { 7, 1, 13, 4, 9, 1, 14, 4, 7, 1, 11, 4, 7, 1, 8, 4 };

	(void)state;
	check_timer("interrupts", three, ARRAY_LEN(three), 3, 24);
	check_timer("interrupts", four, ARRAY_LEN(four), 4, 24);
	check_timer("interrupts-extended", each, ARRAY_LEN(each), 3, 24);
	/* What makes no sense leaves the usual one. */
	check_timer("interrupts", four, 12, 4, 26);
	check_timer("interrupts", three, ARRAY_LEN(three), 0, 26);
	check_timer("interrupts", three, ARRAY_LEN(three), 0xffffffff, 26);
	check_timer("interrupts-extended", gone, ARRAY_LEN(gone), 3, 26);
	check_timer("interrupts-extended", each, 15, 3, 26);
}

static void tree_gicv3(void **state)
{
	static const uint32_t timers[] = { 1, 13, 4, 1, 14, 4, 1, 11, 4, 1, 9, 4 };
	struct controller found;
	int node;

	(void)state;
	new_tree();
	node = node_in(0, "timer", "arm,armv8-timer");
	for (size_t i = 0; i < ARRAY_LEN(timers); i++)
		assert_int_equal(fdt_appendprop_u32(tree, node, "interrupts", timers[i]), 0);
	node = node_in(0, "intc", "arm,gic-v3");
	add_range(node, 0x8000000, 0x10000);
	add_range(node, 0x80a0000, 0xf60000);
	assert_true(controller_find(&in_tree, &found));
	assert_ptr_equal(found.driver, &gicv3);
	assert_int_equal(found.regions, 2);
	assert_int_equal(found.region[GICV3_REDISTRIBUTORS].start, 0x80a0000);
	assert_int_equal(found.region[GICV3_REDISTRIBUTORS].size, 0xf60000);
	assert_int_equal(found.timer, 25);
	assert_int_equal(found.stride, 0);

	add_range(node, 0x4000000000, 0x40000);
	fdt_setprop_u32(tree, node, "#redistributor-regions", 2);
	fdt_setprop_u64(tree, node, "redistributor-stride", 0x40000);
	fdt_delprop(tree, fdt_path_offset(tree, "/timer"), "interrupts");
	assert_true(controller_find(&in_tree, &found));
	assert_int_equal(found.regions, 3);
	assert_int_equal(found.stride, 0x40000);
	assert_int_equal(found.timer, 26);

	fdt_setprop_u64(tree, node, "redistributor-stride", 0x40004); /* words would be read that are not aligned */
	assert_false(controller_find(&in_tree, &found));
	fdt_delprop(tree, node, "redistributor-stride");
	assert_true(controller_find(&in_tree, &found));
	fdt_setprop_u32(tree, node, "#redistributor-regions", 3); /* of which one is not there */
	assert_false(controller_find(&in_tree, &found));
	fdt_setprop_u32(tree, node, "#redistributor-regions", 0xffffffff);
	assert_false(controller_find(&in_tree, &found));
}

static void tree_gicv2(void **state)
{
	struct controller found;
	int node;

	(void)state;
	new_tree();
	node = node_in(0, "intc", "arm,cortex-a15-gic");
	add_range(node, 0x8000000, 0x10000);
	assert_false(controller_find(&in_tree, &found)); /* no CPU interface */
	add_range(node, 0x8010000, 0x10000);
	assert_true(controller_find(&in_tree, &found));
	assert_ptr_equal(found.driver, &gicv2);
	assert_int_equal(found.regions, 2);
	assert_int_equal(found.region[GICV2_CPU_INTERFACE].start, 0x8010000);
	set_string(node, "status", "disabled");
	assert_false(controller_find(&in_tree, &found));
}

/* Interfaces of list registers are used if each has pages of its own; all else is as without them. */
static void tree_gicv2_lists(void **state)
{
	static const struct {
		uint64_t control, control_size, guest, guest_size;
		bool fit;
	} cases[] = {
		{ 0x8030000, 0x10000, 0x8040000, 0x10000, true },
		{ 0x8030000, 0x1000, 0x8031000, 0x1000, true },
		{ 0x8030000, 0x200, 0x8031000, 0x2000, true },
		{ 0x8030000, 0x100, 0x8031000, 0x2000, false },
		{ 0x8030000, 0x1000, 0x8031000, 0xfff, false },
		{ 0x8030000, 0x1000, 0x8031800, 0x2000, false },
		{ 0x8030000, 0x2000, 0x8031000, 0x2000, false },
		{ 0x8030000, 0x1000, 0x8010000, 0x2000, false }, /* our own interface */
		{ 0x8030000, 0x1000, 0x7fff000, 0x2000, false }, /* the distributor */
		{ 0x8011000, 0x1000, 0x8040000, 0x2000, false },
		{ 0x8030000, 0x1000, 0, 0x2000, false },
	};
	static const fdt32_t ppi_8[3] = { 0x01000000, 0x08000000, 0x04000000 };
	struct controller found;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int node;

		new_tree();
		node = node_in(0, "intc", "arm,gic-400");
		fdt_setprop(tree, node, "interrupts", ppi_8, sizeof(ppi_8));
		add_range(node, 0x8000000, 0x1000);
		add_range(node, 0x8010000, 0x2000);
		add_range(node, cases[i].control, cases[i].control_size);
		add_range(node, cases[i].guest, cases[i].guest_size);
		assert_true(controller_find(&in_tree, &found));
		assert_ptr_equal(found.driver, &gicv2);
		CHECK(found.regions == (cases[i].fit ? 4 : 2), "%u regions in case %zu", found.regions, i);
		CHECK_EQ(found.maintenance, 24);
		if (cases[i].fit)
			CHECK_EQ(found.region[GICV2_GUEST_INTERFACE].start, cases[i].guest);
	}
}

/* Registers that cannot be mapped, or would lie in page 0, where a null pointer leads. */
static void tree_bad_places(void **state)
{
	static const uint64_t places[][2] = {
		{ 0x8000800, 0x1000 },
		{ 0, 0x1000 },
		{ 0x8000000, 0 },
		{ 0x8000000, 0x800 },
		{ 0x8000000, GIB(1) + 1 },
		{ UINT64_C(1) << 48, 0x1000 },
		{ UINT64_MAX - 0xfff, 0x2000 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		struct controller found;
		int node;

		new_tree();
		node = node_in(0, "intc", "arm,gic-400");
		add_range(node, places[i][0], places[i][1]);
		add_range(node, 0x8010000, 0x1000);
		CHECK(!controller_find(&in_tree, &found), "%zu", i);
	}
}

/* As Linux' bcm283x.dtsi: the peripherals are behind a bus that the CPU sees elsewhere. */
static void tree_bcm2836(void **state)
{
	static const uint32_t ranges[] = { 0x7e000000, 0, 0x3f000000, 0, 0x1000000, 0x40000000, 0, 0x40000000, 0, 0x1000 };
	struct controller found;
	int soc, node;

	(void)state;
	new_tree();
	soc = node_in(0, "soc", "simple-bus");
	fdt_setprop_u32(tree, soc, "#address-cells", 1);
	fdt_setprop_u32(tree, soc, "#size-cells", 1);
	/* Child, parent (two cells), size, each. */
	for (size_t i = 0; i < ARRAY_LEN(ranges); i += 5) {
		fdt_appendprop_u32(tree, soc, "ranges", ranges[i]);
		fdt_appendprop_u32(tree, soc, "ranges", ranges[i + 1]);
		fdt_appendprop_u32(tree, soc, "ranges", ranges[i + 2]);
		fdt_appendprop_u32(tree, soc, "ranges", ranges[i + 4]);
	}
	node = node_in(soc, "local_intc", "brcm,bcm2836-l1-intc");
	fdt_appendprop_u32(tree, node, "reg", 0x40000000);
	fdt_appendprop_u32(tree, node, "reg", 0x100);
	assert_true(controller_find(&in_tree, &found));
	assert_ptr_equal(found.driver, &bcm2836);
	assert_int_equal(found.regions, 1);
	node = node_in(fdt_path_offset(tree, "/soc"), "intc", "brcm,bcm2836-armctrl-ic");
	fdt_appendprop_u32(tree, node, "reg", 0x7e00b200);
	fdt_appendprop_u32(tree, node, "reg", 0x200);
	assert_true(controller_find(&in_tree, &found));
	assert_int_equal(found.regions, 2);
	assert_int_equal(found.region[BCM2836_PERIPHERALS].start, 0x3f00b000);
	assert_int_equal(found.offset, 0x200);
}

/* --- ACPI ------------------------------------------------------------------------------------------------------------ */

static void put(size_t at, uint64_t value, size_t bytes)
{
	memcpy(madt.bytes + at, &value, bytes);
}

static void new_madt(void)
{
	memset(&madt, 0, sizeof(madt));
	madt.size = 44;
}

static size_t add_entry(unsigned type, size_t size)
{
	size_t at = madt.size;

	madt.bytes[at] = (uint8_t)type;
	madt.bytes[at + 1] = (uint8_t)size;
	madt.size += size;
	return at;
}

static void add_gicc(uint64_t mpidr, uint32_t flags, uint64_t gicc, uint64_t gicr)
{
	size_t at = add_entry(0x0b, 80);

	put(at + 12, flags, 4);
	put(at + 32, gicc, 8);
	put(at + 60, gicr, 8);
	put(at + 68, mpidr, 8);
}

static void add_gicd(uint64_t base, uint8_t version)
{
	size_t at = add_entry(0x0c, 24);

	put(at + 8, base, 8);
	put(at + 20, version, 1);
}

static void add_gicr(uint64_t base, uint32_t length)
{
	size_t at = add_entry(0x0e, 16);

	put(at + 4, base, 8);
	put(at + 12, length, 4);
}

static void acpi_cpus(void **state)
{
	struct cpu_place places[4];

	(void)state;
	new_madt();
	add_gicd(0x8000000, 2);
	add_gicc(0, 1, 0x8010000, 0);
	add_gicc(1, 0, 0x8010000, 0); /* not enabled */
	add_gicc(2, 8, 0x8010000, 0); /* may be made so later */
	add_gicc(0x10100, 9, 0x8010000, 0);
	by_smc = true;
	assert_int_equal(cpu_tables_read(&in_acpi, places, 4), 2);
	assert_int_equal(places[0].affinity, 0);
	assert_int_equal(places[1].affinity, 0x10100);
	assert_int_equal(places[1].start, CPU_START_PSCI);
	by_smc = false;
	assert_int_equal(cpu_tables_read(&in_acpi, places, 4), 2);
	assert_int_equal(places[1].start, CPU_START_NONE);
}

static void acpi_gicv2(void **state)
{
	struct controller found;

	(void)state;
	gtdt.size = 0;
	for (uint8_t version = 0; version <= 2; version++) {
		new_madt();
		add_gicc(0, 1, 0x8010000, 0);
		add_gicd(0x8000000, version);
		assert_true(controller_find(&in_acpi, &found));
		assert_ptr_equal(found.driver, &gicv2);
		assert_int_equal(found.region[GIC_DISTRIBUTOR].start, 0x8000000);
		assert_int_equal(found.region[GICV2_CPU_INTERFACE].start, 0x8010000);
		assert_int_equal(found.timer, 26);
		assert_int_equal(found.regions, 2);
		/* The first CPU's says where all have theirs. */
		put(44 + 40, 0x8040000, 8);
		assert_true(controller_find(&in_acpi, &found));
		assert_int_equal(found.regions, 2);
		put(44 + 48, 0x8030000, 8);
		assert_true(controller_find(&in_acpi, &found));
		assert_int_equal(found.regions, 4);
		assert_int_equal(found.region[GICV2_CONTROL].start, 0x8030000);
		assert_int_equal(found.region[GICV2_GUEST_INTERFACE].start, 0x8040000);
		put(44 + 40, 0x8030000, 8);
		assert_true(controller_find(&in_acpi, &found));
		assert_int_equal(found.regions, 2);
	}
	new_madt();
	add_gicd(0x8000000, 2);
	assert_false(controller_find(&in_acpi, &found));
}

static void acpi_gicv3(void **state)
{
	static const uint32_t timer = 27;
	struct controller found;

	(void)state;
	gtdt.size = 80;
	memcpy(gtdt.bytes + 72, &timer, sizeof(timer));
	new_madt();
	add_gicd(0x8000000, 3);
	add_gicc(0, 1, 0, 0x1000000);
	add_gicc(1, 1, 0, 0x1020000);
	assert_true(controller_find(&in_acpi, &found));
	assert_ptr_equal(found.driver, &gicv3);
	assert_int_equal(found.regions, 3);
	assert_int_equal(found.region[2].start, 0x1020000);
	assert_int_equal(found.timer, 27);
	add_gicr(0x80a0000, 0xf60000); /* then those of each CPU are not looked at */
	gtdt.size = 74;
	assert_true(controller_find(&in_acpi, &found));
	assert_int_equal(found.regions, 2);
	assert_int_equal(found.region[1].size, 0xf60000);
	assert_int_equal(found.timer, 26);
	new_madt();
	add_gicd(0x8000000, 4);
	assert_false(controller_find(&in_acpi, &found));
	/* A version that is not told, of either kind. */
	new_madt();
	add_gicd(0x8000000, 0);
	add_gicr(0x80a0000, 0xf60000);
	assert_true(controller_find(&in_acpi, &found));
	assert_ptr_equal(found.driver, &gicv3);
	new_madt();
	add_gicd(0x8000000, 0);
	add_gicc(0, 1, 0, 0x1000000);
	assert_true(controller_find(&in_acpi, &found));
	assert_ptr_equal(found.driver, &gicv3);
}

/* Tables that end within a structure, and structures of no size. */
static void acpi_malformed(void **state)
{
	struct cpu_place places[2];
	struct controller found;

	(void)state;
	by_smc = true;
	new_madt();
	add_gicd(0x8000000, 2);
	add_gicc(0, 1, 0x8010000, 0);
	add_gicc(1, 1, 0x8010000, 0);
	for (size_t size = 0; size < madt.size; size++) {
		size_t all = madt.size;

		madt.size = size;
		CHECK(cpu_tables_read(&in_acpi, places, 2) == (size >= 148 ? 1u : 0u), "%zu", size);
		CHECK(controller_find(&in_acpi, &found) == (size == 148), "%zu",
		      size); /* what ends in a structure is not trusted */
		madt.size = all;
	}
	assert_int_equal(cpu_tables_read(&in_acpi, places, 2), 2);
	madt.bytes[44 + 24 + 1] = 0;
	assert_int_equal(cpu_tables_read(&in_acpi, places, 2), 0);
	assert_false(controller_find(&in_acpi, &found));
	madt.bytes[44 + 24 + 1] = 1;
	assert_false(controller_find(&in_acpi, &found));
	new_madt();
	add_gicd(0x8000000, 2);
	(void)add_entry(0x0b, 75); /* as long as to its MPIDR_EL1, but for a byte */
	madt.bytes[68 + 12] = 1;
	assert_int_equal(cpu_tables_read(&in_acpi, places, 2), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(tree_psci),
		cmocka_unit_test(tree_spin_table),
		cmocka_unit_test(tree_two_cells),
		cmocka_unit_test(tree_without_cpus),
		cmocka_unit_test(tree_timer_interrupts),
		cmocka_unit_test(tree_gicv3),
		cmocka_unit_test(tree_gicv2),
		cmocka_unit_test(tree_gicv2_lists),
		cmocka_unit_test(tree_bad_places),
		cmocka_unit_test(tree_bcm2836),
		cmocka_unit_test(acpi_cpus),
		cmocka_unit_test(acpi_gicv2),
		cmocka_unit_test(acpi_gicv3),
		cmocka_unit_test(acpi_malformed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

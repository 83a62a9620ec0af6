/* SPDX-License-Identifier: BSD-2-Clause */
/* Who answers SMC, by the device tree or by ACPI: where the tables do not say that firmware does, it is not tried. */
#include "drivers/aarch64/psci.c"

#include "tests/host/host.h"

static uint64_t tree[KIB(4) / sizeof(uint64_t)];

/* The one table there is. */
static struct {
	enum err err;
	uint8_t bytes[276];
	size_t size;
} fadt;

enum err acpi_find_table(const void *rsdp, acpi_reader reader, const char signature[4], const void **table, size_t *size)
{
	(void)rsdp;
	(void)reader;
	assert_memory_equal(signature, "FACP", 4);
	*table = fadt.bytes;
	*size = fadt.size;
	return fadt.err;
}

static bool by_acpi(uint16_t flags, size_t size)
{
	const struct platform platform = { .acpi_rsdp = &fadt };

	fadt.err = ERR_OK;
	fadt.size = size;
	memcpy(fadt.bytes + 129, &flags, sizeof(flags));
	platform_set(&platform);
	return psci_takes_smc();
}

static bool by_tree(const char *compatible, const char *method, int length)
{
	const struct platform platform = { .fdt = tree };
	int node;

	assert_int_equal(fdt_create_empty_tree(tree, sizeof(tree)), 0);
	node = fdt_add_subnode(tree, 0, "psci");
	assert_int_equal(fdt_setprop(tree, node, "compatible", compatible, (int)strlen(compatible) + 1), 0);
	if (method)
		assert_int_equal(fdt_setprop(tree, node, "method", method, length), 0);
	platform_set(&platform);
	return psci_takes_smc();
}

static void acpi(void **state)
{
	(void)state;
	CHECK(by_acpi(1, 276), "PSCI, by SMC");
	CHECK(!by_acpi(3, 276), "PSCI, by HVC");
	CHECK(!by_acpi(0, 276), "no PSCI");
	CHECK(!by_acpi(2, 276), "no PSCI");
	CHECK(by_acpi(1, 131), "the table ends behind the flags");
	CHECK(!by_acpi(1, 130), "the table ends within the flags");
	CHECK(!by_acpi(1, 36), "a header only");
	fadt.err = ERR_CORRUPT;
	CHECK(!psci_takes_smc(), "no table");
}

static void device_tree(void **state)
{
	(void)state;
	CHECK(by_tree("arm,psci-1.0", "smc", 4), "PSCI 1.0");
	CHECK(by_tree("arm,psci-0.2", "smc", 4), "PSCI 0.2");
	CHECK(!by_tree("arm,psci", "smc", 4), "PSCI 0.1 has no numbers that all agree on");
	CHECK(!by_tree("arm,psci-1.0", "hvc", 4), "by HVC");
	CHECK(!by_tree("arm,psci-1.0", "smc", 3), "no string");
	CHECK(!by_tree("arm,psci-1.0", "smcx", 5), "another string");
	CHECK(!by_tree("arm,psci-1.0", NULL, 0), "no method");
	CHECK(!by_tree("arm,other", "smc", 4), "no PSCI");
}

static void neither(void **state)
{
	const struct platform platform = { 0 };

	(void)state;
	platform_set(&platform);
	CHECK(!psci_takes_smc(), "no tables");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(acpi),
		cmocka_unit_test(device_tree),
		cmocka_unit_test(neither),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

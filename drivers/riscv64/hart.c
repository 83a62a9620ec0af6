/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The boot hart's node in the device tree. Source: Devicetree Specification 0.4, "/cpus"; the bindings riscv/cpus.yaml and
 * riscv/extensions.yaml in Linux' Documentation/devicetree/bindings.
 */
#include "drivers/riscv64/hart.h"

#include <libfdt.h>
#include <string.h>
#include <strings.h>

#include "drivers/devicetree.h"
#include "drivers/platform.h"

/* A number of one or two cells. */
static uint64_t read_cells(const fdt32_t *cells, int length)
{
	uint64_t value = 0;

	for (int i = 0; i < length / (int)sizeof(*cells) && i < 2; i++)
		value = value << 32 | fdt32_to_cpu(cells[i]);
	return value;
}

/* The node of the hart that runs us, or of the first one if nobody has told which that is. Negative: there is none. */
static int find_node(const void *fdt)
{
	const struct platform *platform = platform_get();
	int cpus = fdt_path_offset(fdt, "/cpus"), node, length;

	fdt_for_each_subnode(node, fdt, cpus) {
		const char *type = fdt_getprop(fdt, node, "device_type", NULL);
		const fdt32_t *reg = fdt_getprop(fdt, node, "reg", &length);

		if (!type || strcmp(type, "cpu") != 0 || !reg || !devicetree_is_enabled(fdt, node))
			continue;
		if (!platform->boot_hart_known || read_cells(reg, length) == platform->boot_hart)
			return node;
	}
	return -FDT_ERR_NOTFOUND;
}

/* A property of that node; NULL when there is none. libfdt walks a tree from its beginning, so the node is looked for once. */
static const void *find_property(const char *name, int *length)
{
	static const void *tree;
	static int node;
	const void *fdt = platform_get()->fdt;

	if (!fdt)
		return NULL;
	if (fdt != tree) {
		tree = fdt;
		node = find_node(fdt);
	}
	return node >= 0 ? fdt_getprop(fdt, node, name, length) : NULL;
}

/* "rv64imafdch_zicsr_zba": letters, then names. Letters may be followed by a version, "2p0". */
static bool isa_string_has(const char *isa, const char *name)
{
	size_t length = strlen(name), letters = strcspn(isa, "_");

	if (length == 1) {
		for (size_t i = 4; i < letters; i++)
			if ((isa[i] | 0x20) == name[0])
				return true;
		return false;
	}
	for (isa += letters; *isa == '_'; isa += strcspn(isa, "_"))
		if (strncasecmp(++isa, name, length) == 0 && (isa[length] == '_' || isa[length] == '\0'))
			return true;
	return false;
}

bool hart_has_extension(const char *name)
{
	int length;
	const char *list = find_property("riscv,isa-extensions", &length);

	if (list)
		return fdt_stringlist_contains(list, length, name);
	list = find_property("riscv,isa", &length);
	return list && length > 4 && list[length - 1] == '\0' && isa_string_has(list, name);
}

static uint32_t find_cell(const char *name)
{
	int length;
	const fdt32_t *cell = find_property(name, &length);

	return cell && length == sizeof(*cell) ? fdt32_to_cpu(*cell) : 0;
}

uint32_t hart_cache_block(void)
{
	return find_cell("riscv,cbom-block-size");
}

uint32_t hart_zero_block(void)
{
	return find_cell("riscv,cboz-block-size");
}

const char *hart_mmu_type(void)
{
	int length;
	const char *type = find_property("mmu-type", &length);

	return type && length > 0 && type[length - 1] == '\0' ? type : NULL;
}

uint32_t hart_timebase_hz(void)
{
	const void *fdt = platform_get()->fdt;
	const fdt32_t *hz = NULL;
	int length, cpus;

	if (!fdt)
		return 0;
	cpus = fdt_path_offset(fdt, "/cpus");
	if (cpus >= 0 && devicetree_is_enabled(fdt, cpus))
		hz = fdt_getprop(fdt, cpus, "timebase-frequency", &length);
	if (!hz)
		hz = find_property("timebase-frequency", &length);
	return hz ? (uint32_t)read_cells(hz, length) : 0;
}

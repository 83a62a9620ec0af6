/* SPDX-License-Identifier: BSD-2-Clause */
/* Source: Devicetree Specification 0.4, "/reserved-memory and Child Nodes", "Memory Reservation Block". */
#include "boot/reserved.h"

#include <libfdt.h>

#include "boot/memory.h"
#include "drivers/devicetree.h"
#include "include/log.h"

static void exclude(uint64_t start, uint64_t size)
{
	if (memory_exclude(HPA(start), size) != ERR_OK)
		log_warn("boot: the device tree's reservation of %#lx bytes at %#lx is passed over: there is nothing", size, start);
}

/* Nodes without `reg` ask the operating system to allocate their memory, which we do not do. */
static void exclude_node(const void *fdt, int node)
{
	enum err err = ERR_OK;

	for (unsigned n = 0; devicetree_is_enabled(fdt, node) && err == ERR_OK; n++) {
		uint64_t start, size;

		err = devicetree_reg(fdt, node, n, &start, &size);
		/* The bus should have an empty `ranges`, for the same addresses above it. Where it is missing, that is assumed. */
		if (err == ERR_RANGE)
			err = devicetree_bus_reg(fdt, node, n, &start, &size);
		if (err == ERR_OK)
			exclude(start, size);
	}
	if (err == ERR_CORRUPT)
		log_warn("boot: the device tree's reservation %s is passed over: %s", fdt_get_name(fdt, node, NULL), err_name(err));
}

void reserved_exclude(const void *fdt)
{
	int parent = fdt_path_offset(fdt, "/reserved-memory"), node;

	for (int i = 0; i < fdt_num_mem_rsv(fdt); i++) {
		uint64_t start, size;

		if (fdt_get_mem_rsv(fdt, i, &start, &size) == 0)
			exclude(start, size);
	}
	if (parent < 0)
		return;
	fdt_for_each_subnode(node, fdt, parent) exclude_node(fdt, node);
}

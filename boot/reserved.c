/* SPDX-License-Identifier: BSD-2-Clause */
/* Source: Devicetree Specification 0.4, "/reserved-memory and Child Nodes", "Memory Reservation Block". */
#include "boot/reserved.h"

#include <libfdt.h>

#include "boot/memory.h"
#include "drivers/devicetree.h"

/* Nodes without `reg` ask an operating system to find them a place, which nobody here does. */
static enum err exclude_node(const void *fdt, int node)
{
	uint64_t start, size;
	enum err err = ERR_OK;

	for (unsigned n = 0; err == ERR_OK && devicetree_reg(fdt, node, n, &start, &size) == ERR_OK; n++)
		err = memory_exclude(HPA(start), size);
	return err;
}

enum err reserved_exclude(const void *fdt)
{
	int parent = fdt_path_offset(fdt, "/reserved-memory"), node;
	enum err err = ERR_OK;

	for (int i = 0; err == ERR_OK && i < fdt_num_mem_rsv(fdt); i++) {
		uint64_t start, size;

		if (fdt_get_mem_rsv(fdt, i, &start, &size) == 0)
			err = memory_exclude(HPA(start), size);
	}
	if (parent < 0)
		return err;
	fdt_for_each_subnode(node, fdt, parent) {
		if (err == ERR_OK)
			err = exclude_node(fdt, node);
	}
	return err;
}

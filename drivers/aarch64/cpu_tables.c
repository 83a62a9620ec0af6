/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sources: Devicetree Specification 0.4, "/cpus Node Properties", "/cpus/cpu* Node Properties"; the binding arm/cpus.yaml in Linux'
 * Documentation/devicetree/bindings; for ACPI see madt.h.
 */
#include "drivers/aarch64/cpu_tables.h"

#include <libfdt.h>
#include <string.h>

#include "drivers/aarch64/madt.h"
#include "drivers/aarch64/psci.h"
#include "drivers/acpi_madt.h"
#include "drivers/devicetree.h"

struct list {
	struct cpu_place *places;
	unsigned count, room;
	bool by_smc; /* firmware takes PSCI calls */
};

/* A CPU that is named twice is one CPU. */
static void add(struct list *list, const struct cpu_place *place)
{
	for (unsigned i = 0; i < list->count && i < list->room; i++)
		if (list->places[i].affinity == place->affinity)
			return;
	if (list->count < list->room)
		list->places[list->count] = *place;
	list->count++;
}

static bool is_string(const void *fdt, int node, const char *property, const char *value)
{
	int length;
	const char *found = fdt_getprop(fdt, node, property, &length);

	return found && (size_t)length == strlen(value) + 1 && memcmp(found, value, (size_t)length) == 0;
}

static bool read_release(const void *fdt, int node, uint64_t *release)
{
	int length;
	const fdt64_t *found = fdt_getprop(fdt, node, "cpu-release-addr", &length);

	if (!found || length != sizeof(*found))
		return false;
	*release = fdt64_ld(found);
	return *release % sizeof(*release) == 0;
}

static void add_node(struct list *list, const void *fdt, int node)
{
	struct cpu_place place = { 0 };
	uint64_t size;

	if (!is_string(fdt, node, "device_type", "cpu") || !devicetree_is_enabled(fdt, node) ||
	    devicetree_bus_reg(fdt, node, 0, &place.affinity, &size) != ERR_OK)
		return;
	place.affinity &= MPIDR_AFFINITY;
	if (list->by_smc && is_string(fdt, node, "enable-method", "psci"))
		place.start = CPU_START_PSCI;
	else if (is_string(fdt, node, "enable-method", "spin-table") && read_release(fdt, node, &place.release))
		place.start = CPU_START_SPIN;
	add(list, &place);
}

static void read_tree(struct list *list, const void *fdt)
{
	int node, cpus = fdt_path_offset(fdt, "/cpus");

	if (cpus < 0)
		return;
	fdt_for_each_subnode(node, fdt, cpus) add_node(list, fdt, node);
}

static void visit_gicc(uint8_t type, const uint8_t *entry, size_t size, void *context)
{
	struct list *list = context;
	const struct cpu_place place = {
		.affinity = madt_field(entry, size, GICC_MPIDR, 8) & MPIDR_AFFINITY,
		.start = list->by_smc ? CPU_START_PSCI : CPU_START_NONE,
	};

	if (type == MADT_GICC && size >= GICC_MPIDR + 8 && madt_field(entry, size, GICC_FLAGS, 4) & GICC_ENABLED)
		add(list, &place);
}

unsigned cpu_tables_read(const struct platform *platform, struct cpu_place *places, unsigned room)
{
	struct list list = { .places = places, .room = room, .by_smc = psci_takes_smc() };

	if (platform->fdt)
		read_tree(&list, platform->fdt);
	if (list.count == 0 && platform->acpi_rsdp)
		(void)!madt_visit(platform->acpi_rsdp, platform->acpi_reader, visit_gicc, &list);
	return list.count;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* The entries of ACPI's table of interrupt controllers, and the CPUs that they name. */
#include "drivers/acpi_madt.h"

#include <string.h>

/* After the header of all tables: the address of the local APICs, and flags. */
#define FIRST_ENTRY 44

/* Interrupt controller structures, 5.2.12.2 and 5.2.12.12. */
enum { MADT_LOCAL_APIC = 0, MADT_LOCAL_X2APIC = 9 };

struct madt_local_apic {
	uint8_t type, length, uid, id;
	uint32_t flags;
} __attribute__((packed));

struct madt_local_x2apic {
	uint8_t type, length;
	uint16_t reserved;
	uint32_t id, flags, uid;
} __attribute__((packed));

_Static_assert(sizeof(struct madt_local_apic) == 8 && sizeof(struct madt_local_x2apic) == 16, "the layout of the specification");

/* Table 5.47. Without it, the flag "online capable" says that the CPU may come later. */
#define MADT_ENABLED BIT(0)

/* These ids mean all CPUs. Intel SDM vol. 3 "Determining IPI Destination". */
#define APIC_BROADCAST   0xff
#define X2APIC_BROADCAST UINT32_MAX

enum err madt_visit(const void *rsdp, acpi_reader reader, madt_visitor visit, void *context)
{
	const void *found;
	const uint8_t *table;
	size_t size;
	enum err err = acpi_find_table(rsdp, reader, "APIC", &found, &size);

	if (err != ERR_OK)
		return err;
	table = found;
	for (size_t at = FIRST_ENTRY; at < size; at += table[at + 1]) {
		if (size - at < 2 || table[at + 1] < 2 || table[at + 1] > size - at)
			return ERR_CORRUPT;
		visit(table[at], table + at, table[at + 1], context);
	}
	return size < FIRST_ENTRY ? ERR_CORRUPT : ERR_OK;
}

void cpu_ids_add(struct cpu_ids *list, uint64_t id)
{
	for (unsigned i = 0; i < list->count && i < list->room; i++)
		if (list->ids[i] == id)
			return;
	if (list->count < list->room)
		list->ids[list->count] = id;
	list->count++;
}

/* An entry that is too short for its type names nothing. */
static void visit_local_apic(uint8_t type, const uint8_t *entry, size_t size, void *context)
{
	struct madt_local_apic apic;
	struct madt_local_x2apic x2apic;

	if (type == MADT_LOCAL_APIC && size >= sizeof(apic)) {
		memcpy(&apic, entry, sizeof(apic));
		if ((apic.flags & MADT_ENABLED) && apic.id != APIC_BROADCAST)
			cpu_ids_add(context, apic.id);
	} else if (type == MADT_LOCAL_X2APIC && size >= sizeof(x2apic)) {
		memcpy(&x2apic, entry, sizeof(x2apic));
		if ((x2apic.flags & MADT_ENABLED) && x2apic.id != X2APIC_BROADCAST)
			cpu_ids_add(context, x2apic.id);
	}
}

enum err madt_find_local_apics(const void *rsdp, acpi_reader reader, struct cpu_ids *list)
{
	return madt_visit(rsdp, reader, visit_local_apic, list);
}

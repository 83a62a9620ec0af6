/* SPDX-License-Identifier: BSD-2-Clause */
/* ACPI's two tables about harts: who they are, and what they can. */
#include "drivers/riscv64/rintc.h"

#include <string.h>

#define MADT_RINTC    0x18
#define RINTC_ENABLED BIT(0)

/* Later versions are longer. */
struct madt_rintc {
	uint8_t type, length, version, reserved;
	uint32_t flags;
	uint64_t hart;
	uint32_t uid;
} __attribute__((packed));

_Static_assert(sizeof(struct madt_rintc) == 20, "the layout of the specification");

/* After the header of all tables, and flags. */
#define RHCT_TIMEBASE 40

/* An entry that is too short names nothing. */
static void visit(uint8_t type, const uint8_t *entry, size_t size, void *context)
{
	struct madt_rintc rintc;

	if (type != MADT_RINTC || size < sizeof(rintc))
		return;
	memcpy(&rintc, entry, sizeof(rintc));
	if (rintc.flags & RINTC_ENABLED)
		cpu_ids_add(context, rintc.hart);
}

enum err rintc_find(const void *rsdp, acpi_reader reader, struct cpu_ids *list)
{
	return madt_visit(rsdp, reader, visit, list);
}

uint64_t rhct_timebase_hz(const void *rsdp, acpi_reader reader)
{
	const void *table;
	uint64_t hz = 0;
	size_t size;

	if (acpi_find_table(rsdp, reader, "RHCT", &table, &size) == ERR_OK && size >= RHCT_TIMEBASE + sizeof(hz))
		memcpy(&hz, (const char *)table + RHCT_TIMEBASE, sizeof(hz));
	return hz;
}

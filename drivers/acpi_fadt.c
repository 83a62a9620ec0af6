/* SPDX-License-Identifier: BSD-2-Clause */
/* What is read of ACPI's fixed description table: where the power-management timer is. */
#include "drivers/acpi_fadt.h"

#include <string.h>

/* Table 5.9: offsets of PM_TMR_BLK (32 bits, a port), PM_TMR_LEN (8 bits; 0: no timer), and X_PM_TMR_BLK. */
enum { PM_TMR_BLK = 76, PM_TMR_LEN = 91, FLAGS = 112, FLAGS_END = 116, X_PM_TMR_BLK = 208, X_PM_TMR_BLK_END = 220 };

/* Table 5.10: of hardware-reduced ACPI. What fields for fixed hardware say does not count then, 5.2.9. */
#define HW_REDUCED_ACPI BIT(20)

/* Generic Address Structure, 5.2.3.2: the address space, and at offset 4 the address. */
enum { ADDRESS_SPACE_IO = 1, ADDRESS_OFFSET = 4 };

/* The 64-bit field counts if it is there and names a port. */
static uint64_t timer_port(const uint8_t *table, size_t size)
{
	uint64_t wide = 0;
	uint32_t port;

	memcpy(&port, table + PM_TMR_BLK, sizeof(port));
	if (size >= X_PM_TMR_BLK_END && table[X_PM_TMR_BLK] == ADDRESS_SPACE_IO)
		memcpy(&wide, table + X_PM_TMR_BLK + ADDRESS_OFFSET, sizeof(wide));
	return wide ? wide : port;
}

static bool is_reduced(const uint8_t *table, size_t size)
{
	uint32_t flags = 0;

	if (size >= FLAGS_END)
		memcpy(&flags, table + FLAGS, sizeof(flags));
	return flags & HW_REDUCED_ACPI;
}

enum err fadt_find_pm_timer(const void *rsdp, acpi_reader reader, uint16_t *port)
{
	const void *found;
	const uint8_t *table;
	uint64_t at;
	size_t size;
	enum err err = acpi_find_table(rsdp, reader, "FACP", &found, &size);

	if (err != ERR_OK)
		return err;
	table = found;
	if (size <= PM_TMR_LEN)
		return ERR_CORRUPT;
	at = timer_port(table, size);
	if (is_reduced(table, size) || table[PM_TMR_LEN] != sizeof(uint32_t) || at == 0 || at > UINT16_MAX - 3)
		return ERR_UNSUPPORTED;
	*port = (uint16_t)at;
	return ERR_OK;
}

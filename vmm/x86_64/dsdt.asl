/* SPDX-License-Identifier: BSD-2-Clause */
/* What a guest is told of its devices that it cannot find by itself. ACPI specification, "ACPI Source Language (ASL) Reference". */
#include "guest_ports.h"

DefinitionBlock ("", "DSDT", 2, "NSTLNG", "NESTLING", 1)
{
	/* The sleep type of "soft off": POWER_S5 in vmm/devices/acpi_power.h. */
	Name (\_S5, Package () { 5, 0, 0, 0 })

	Scope (\_SB)
	{
		Device (COM1)
		{
			Name (_HID, EisaId ("PNP0501"))
			Name (_UID, 1)
			Name (_CRS, ResourceTemplate ()
			{
				IO (Decode16, UART_PORT, UART_PORT, 1, 8)
				Interrupt (ResourceConsumer, Level, ActiveHigh, Exclusive) { UART_LINE }
			})
		}
	}
}

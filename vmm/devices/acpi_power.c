/* SPDX-License-Identifier: BSD-2-Clause */
/* Power-off and reset as ACPI has them. */
#include "vmm/devices/acpi_power.h"

#include "include/types.h"

#define SLEEP_ENABLE  BIT(5)
#define SLEEP_TYPE(v) ((v) >> 2 & 7)

static void write(struct acpi_power *power, uint64_t offset, uint8_t value)
{
	if (offset == POWER_SLEEP_CONTROL && value & SLEEP_ENABLE && SLEEP_TYPE(value) == POWER_S5)
		power->off(power);
	else if (offset == POWER_RESET && value == POWER_RESET_VALUE)
		power->reset(power);
}

/* Registers of 8 bits; all read as 0: it has not slept. */
static void access(struct io_device *device, uint64_t offset, struct io_access *io)
{
	struct acpi_power *power = CONTAINER_OF(device, struct acpi_power, device);

	if (!io->write)
		io->value = 0;
	else if (io->size == 1)
		write(power, offset, (uint8_t)io->value);
}

void acpi_power_init(struct acpi_power *power, uint64_t base, void (*off)(struct acpi_power *), void (*reset)(struct acpi_power *))
{
	*power = (struct acpi_power){
		.device = { .space = IO_PORT, .base = base, .size = POWER_REGISTERS, .access = access, .slow = true },
		.off = off,
		.reset = reset,
	};
}

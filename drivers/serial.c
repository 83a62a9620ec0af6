/* SPDX-License-Identifier: BSD-2-Clause */
/* The console's serial port. */
#include "drivers/serial.h"

#include "drivers/acpi_serial.h"
#include "drivers/devicetree.h"
#include "drivers/uart.h"
#include "include/arch/io.h"
#include "include/lock.h"

/* At 115200 baud a byte takes 87 us, at 9600 a millisecond; no bus answers a million reads in less. */
#define MAX_SPINS 1000000

static struct serial_port console_port;
static bool stuck; /* it did not get ready in time: it is not waited for again until it does */

bool serial_find(const struct platform *platform, serial_filter accepted, struct serial_port *port)
{
	if (platform->acpi_rsdp && acpi_find_serial(platform->acpi_rsdp, platform->acpi_reader, port) == ERR_OK && accepted(port))
		return true;
	if (platform->fdt && devicetree_find_serial(platform->fdt, accepted, port) == ERR_OK)
		return true;
	return arch_serial_default(port) && accepted(port);
}

bool serial_guess(const struct platform *platform, serial_filter accepted, struct serial_port *port)
{
	if (platform->acpi_rsdp && acpi_find_debug_port(platform->acpi_rsdp, platform->acpi_reader, port) == ERR_OK &&
	    accepted(port))
		return true;
	return platform->fdt && devicetree_guess_serial(platform->fdt, accepted, port) == ERR_OK;
}

static void send(uint8_t byte)
{
	unsigned spins = stuck ? 0 : MAX_SPINS;
	bool ready;

	/* A port takes milliseconds for a line: other CPUs are not to wait for this one meanwhile. */
	while (!(ready = console_port.driver->ready(&console_port)) && spins > 0) {
		if (spin_wait)
			spin_wait();
		spins--;
	}
	stuck = !ready;
	if (ready)
		console_port.driver->put(&console_port, byte);
}

static void sink(const char *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (bytes[i] == '\n')
			send('\r');
		send((uint8_t)bytes[i]);
	}
}

void serial_start(const struct serial_port *port)
{
	if (!port->driver) {
		console_set_sink(port->sink);
		return;
	}
	console_port = *port;
	stuck = false;
	console_port.driver->init(&console_port);
	console_set_sink(sink);
}

bool serial_takes_input(void)
{
	return console_port.driver != NULL;
}

bool serial_read(uint8_t *byte)
{
	return console_port.driver->take(&console_port, byte);
}

void serial_region(const struct serial_port *port, hpa_t *start, uint64_t *size)
{
	*start = HPA(align_down(port->base, PAGE_SIZE));
	*size = 0;
	if (port->driver && !port->by_io_port)
		*size = align_up(port->base + port->size, PAGE_SIZE) - start->raw;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* The devices of a VM, found by address. */
#include "vmm/devices/device.h"

#include "drivers/console.h"
#include "include/log.h"

void device_add(struct device_table *table, struct io_device *device)
{
	if (table->count == DEVICES_MAX)
		return;
	device->table = table;
	table->device[table->count++] = device;
	for (uint64_t at = 0; device->space == IO_PORT && at < device->size; at++)
		table->ports |= DEVICE_PORTS_BIT(device->base + at);
}

void device_set_line(struct io_device *device, bool level)
{
	struct device_table *table = device->table;

	if (device->level == level)
		return;
	device->level = level;
	if (device->line != 0 && table->set_line)
		table->set_line(table, device->line, level);
}

/* The last one: a console that a VM has been given besides its UART comes behind that. */
static struct io_device *find_console(const struct device_table *table)
{
	for (size_t i = table->count; i-- > 0;)
		if (table->device[i]->receive)
			return table->device[i];
	return NULL;
}

bool device_type(struct device_table *table, uint8_t byte)
{
	struct io_device *console = find_console(table);
	bool taken;

	spin_lock(&table->lock);
	taken = console && console->receive(console, byte);
	spin_unlock(&table->lock);
	return taken;
}

bool device_listens(struct device_table *table)
{
	const struct io_device *console = find_console(table);

	return console && console->line != 0 && table->set_line && __atomic_load_n(&console->listens, __ATOMIC_RELAXED);
}

static void access_unclaimed(struct device_table *table, struct io_access *io)
{
	if (!io->write)
		io->value = ~UINT64_C(0) >> (64 - 8 * io->size);
	if (table->unclaimed >= UNCLAIMED_LOGGED)
		return;
	STORE_RELAXED(table->unclaimed, table->unclaimed + 1);
	log_vm_at(LOG_WARN, table->console->name, "guest %s %s %#lx, where no device is%s", io->write ? "wrote to" : "read",
		  io->space == IO_PORT ? "port" : "address", io->addr,
		  table->unclaimed == UNCLAIMED_LOGGED ? "; further ones are not logged" : "");
}

void device_access(struct device_table *table, struct io_access *io)
{
	struct io_device *device = device_at(table, io->space, io->addr);

	if (device) {
		device_serve(device, io);
		return;
	}
	spin_lock(&table->lock);
	access_unclaimed(table, io);
	spin_unlock(&table->lock);
}

void device_want(struct io_device *device)
{
	device->wants = true;
	__atomic_store_n(&device->table->wants, true, __ATOMIC_RELAXED);
}

bool device_work(struct device_table *table)
{
	bool worked = false, more = false;

	spin_lock(&table->lock);
	for (size_t i = 0; i < table->count; i++) {
		struct io_device *device = table->device[i];

		if (device->wants && !worked) {
			worked = true;
			device->wants = device->work(device);
		}
		more |= device->wants;
	}
	__atomic_store_n(&table->wants, more, __ATOMIC_RELAXED);
	spin_unlock(&table->lock);
	return more;
}

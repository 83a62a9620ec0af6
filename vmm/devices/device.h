/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The contract between a VM and the devices that it sees: what a device is, and what an access to one is. vmm/devices/ holds what
 * guests see and touch; what the hypervisor drives itself is in drivers/.
 */
#ifndef NESTLING_VMM_DEVICES_DEVICE_H
#define NESTLING_VMM_DEVICES_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "include/lock.h"
#include "include/types.h"

enum io_space { IO_PORT, IO_MEMORY };

struct io_access {
	enum io_space space;
	uint8_t size; /* bytes: 1, 2, 4, 8 */
	bool write;
	uint8_t vcpu;   /* id of the vCPU whose access it is */
	uint64_t addr;  /* port or guest-physical address */
	uint64_t value; /* written, or to be filled in by a read; bits above `size` are 0 */
};

struct addr_space;
struct console_stream;
struct device_table;

/*
 * A device claims [base, base + size) of one space. `access` may not fail: a device answers as the real one would. It and `receive`
 * are called with the table's lock held.
 */
struct io_device {
	enum io_space space;
	uint64_t base, size;
	void (*access)(struct io_device *device, uint64_t offset, struct io_access *io);

	unsigned line; /* the input of the VM's interrupt controller that it drives; 0: none */
	bool level;    /* of that line: device_set_line changes it */

	/*
	 * Of a console: take a byte that was typed. False: it has no room now, or its driver does not receive yet and would throw
	 * it away; it is asked again later. NULL: it takes none.
	 */
	bool (*receive)(struct io_device *device, uint8_t byte);
	bool slow;    /* an access may end the VM, or have its vCPU leave the CPU: the slow path of exits serves it */
	bool listens; /* it would interrupt for such a byte: so a VM that waits for nothing else may yet go on */

	/*
	 * Of a device that works on what lies in the guest's memory: do a piece of that, some 100,000 instructions at most. True:
	 * there is more. With the lock. `wants` is set by `access` where there is something to do. NULL: it answers, and that is
	 * all.
	 */
	bool (*work)(struct io_device *device);
	bool wants;

	struct device_table *table; /* that it is in: device_add sets it */
};

#define DEVICES_MAX 24

/* The devices of a VM. All zero but for `console`: none. */
struct device_table {
	struct spinlock lock;           /* one vCPU at a time accesses a device */
	struct console_stream *console; /* what the VM prints */
	struct io_device *device[DEVICES_MAX];
	size_t count;
	struct addr_space *memory; /* the guest's, for devices that read and write it */
	unsigned unclaimed; /* accesses that no device claimed, the first few, which are logged; written with the lock; atomic */
	uint64_t ports;     /* the devices' ports: DEVICE_PORTS_BIT of each; constant once the VM runs */
	bool wants;         /* a device has something to do: device_work; atomic */

	/* The guest has given back what was there. NULL: nobody wants to know. */
	void (*discarded)(struct device_table *table, uint64_t gpa, uint64_t size);

	/* The VM's interrupt controller: its input `line` has a new level. With `lock`. NULL: the VM has none. */
	void (*set_line)(struct device_table *table, unsigned line, bool level);
};

/*
 * A driver that asks for a console's status so often, and writes nothing to it meanwhile, waits for a byte. One that sends asks
 * once for each byte, and a kernel that begins to use a UART empties it: what was typed until then would be lost.
 */
#define CONSOLE_POLLS 8

/* Attach a device, which must outlive the table's VM. */
void device_add(struct device_table *table, struct io_device *device);

/* The device that claims `addr`; NULL: none. Where that is no port, the ISA decides by this what is a fault and what is I/O. */
static inline struct io_device *device_at(const struct device_table *table, enum io_space space, uint64_t addr)
{
	for (size_t i = 0; i < table->count; i++) {
		struct io_device *device = table->device[i];

		if (addr - device->base < device->size && device->space == space)
			return device;
	}
	return NULL;
}

static inline bool device_is_at(const struct device_table *table, enum io_space space, uint64_t addr)
{
	return device_at(table, space, addr) != NULL;
}

/* A guest must not flood the console. */
#define UNCLAIMED_LOGGED 4

#define DEVICE_PORTS_BIT(port) BIT((port) / 8 % 64)

/*
 * True: no device claims the port, and there is nothing to log about it any more. Without the lock, and without looking at each
 * device: a kernel that looks for a bus asks thousands of ports where nothing is.
 */
static inline bool device_port_is_void(const struct device_table *table, uint16_t port)
{
	return !(table->ports & DEVICE_PORTS_BIT(port)) && __atomic_load_n(&table->unclaimed, __ATOMIC_RELAXED) >= UNCLAIMED_LOGGED;
}

/* Give the device's line a level. With the table's lock: from `access` and `receive`. */
void device_set_line(struct io_device *device, bool level);

/* Give the VM's console a byte that was typed. False: it has no room now, or the VM has no console that takes any. */
bool device_type(struct device_table *table, uint8_t byte);

/* Would such a byte interrupt the VM: does its console wait for one, and is there a controller? Without the lock, as a hint. */
bool device_listens(struct device_table *table);

/* Let the device, which is at the address of `io`, answer it, under its table's lock. */
static inline void device_serve(struct io_device *device, struct io_access *io)
{
	struct device_table *table = device->table;

	spin_lock(&table->lock);
	device->access(device, io->addr - device->base, io);
	spin_unlock(&table->lock);
}

/* Find the device and let it answer. A read that no device claims gives all ones; the first few of those are logged.
 */
void device_access(struct device_table *table, struct io_access *io);

/* From `access`, with the lock: have `work` called, by who has made this access, when that is over. */
void device_want(struct io_device *device);
static inline bool device_wants(const struct device_table *table)
{
	return __atomic_load_n(&table->wants, __ATOMIC_RELAXED);
}
/* Let one device do a piece of what it has to do. True: there is more. */
bool device_work(struct device_table *table);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* The devices of a VM, by the addresses that they claim. */
#ifndef NESTLING_VMM_DEVICES_DEVICE_H
#define NESTLING_VMM_DEVICES_DEVICE_H

#include "drivers/io.h"

#define DEVICES_MAX 4

struct device_table {
	struct io_device *device[DEVICES_MAX];
	size_t count;
	unsigned unclaimed; /* accesses that no device claimed; the first few are logged */
};

/* Attach a device, which must outlive the table's VM. */
void device_add(struct device_table *table, struct io_device *device);

/* Does a device claim `addr`? Where it is no port, the ISA decides by this what is a fault and what is I/O. */
bool device_is_at(const struct device_table *table, enum io_space space, uint64_t addr);

/* Let a device answer `io`. A read that no device claims gives all ones; the first few of those are logged. */
void device_access(struct device_table *table, struct io_access *io);

#endif

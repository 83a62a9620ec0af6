/* SPDX-License-Identifier: BSD-2-Clause */
/* One access of a guest to an emulated device, by port or by memory address. */
#ifndef NESTLING_DRIVERS_IO_H
#define NESTLING_DRIVERS_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum io_space { IO_PORT, IO_MEMORY };

struct io_access {
	enum io_space space;
	uint8_t size;   /* bytes: 1, 2, 4, 8 */
	bool write;
	uint64_t addr;  /* port or guest-physical address */
	uint64_t value; /* written, or to be filled in by a read; bits above `size` are 0 */
};

/* A device claims [base, base + size) of one space. `access` may not fail: a device answers as the real one would. */
struct io_device {
	enum io_space space;
	uint64_t base, size;
	void (*access)(struct io_device *device, uint64_t offset, struct io_access *io);
};

#endif

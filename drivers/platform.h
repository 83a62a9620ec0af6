/* SPDX-License-Identifier: BSD-2-Clause */
/* What the firmware left behind to describe the machine, for drivers to read. */
#ifndef NESTLING_DRIVERS_PLATFORM_H
#define NESTLING_DRIVERS_PLATFORM_H

#include "include/types.h"

struct platform {
	const void *acpi_rsdp; /* ACPI's root pointer structure, not checked yet; NULL when there is none */
	/* Returns the `size` bytes at a physical address, if the firmware's map says that they are memory; else NULL. */
	const void *(*acpi_reader)(uint64_t address, uint64_t size);
	const void *fdt;      /* flattened device tree, checked whole; NULL when there is none */
	uint64_t boot_hart;   /* RISC-V: the hart that runs us */
	bool boot_hart_known; /* the firmware has named it */
};

/*
 * Boot fills it in before it calls any arch_ function. The device tree is our own copy, and stays valid; ACPI's tables are the
 * firmware's, and must be read before the switch to the hypervisor's own map.
 */
void platform_set(const struct platform *found);
const struct platform *platform_get(void);

#endif

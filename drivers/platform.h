/* SPDX-License-Identifier: BSD-2-Clause */
/* What the firmware left behind to describe the machine, for drivers to read. */
#ifndef NESTLING_DRIVERS_PLATFORM_H
#define NESTLING_DRIVERS_PLATFORM_H

#include "include/types.h"

struct platform {
	const void *acpi_rsdp; /* ACPI's root pointer structure; NULL when there is none */
	const void *fdt;       /* flattened device tree, checked whole; NULL when there is none */
};

#endif

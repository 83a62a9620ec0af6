/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The CPUs that the firmware itself has started, where no table names them. Source: UEFI Platform Initialization specification 1.7,
 * vol. 2, "MP Services Protocol".
 */
#ifndef NESTLING_BOOT_MP_SERVICES_H
#define NESTLING_BOOT_MP_SERVICES_H

#include "drivers/acpi_madt.h"

/* Add the ids of CPUs that are enabled and healthy, while the boot services are available. False: the firmware does not say. */
bool mp_services_find(struct cpu_ids *list);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What ACPI says about harts, for machines without a device tree. Source: ACPI specification 6.6, 5.2.12.24 "RISC-V Interrupt
 * Controller (RINTC) Structure", 5.2.36 "RISC-V Hart Capabilities Table (RHCT)".
 */
#ifndef NESTLING_DRIVERS_RISCV64_RINTC_H
#define NESTLING_DRIVERS_RISCV64_RINTC_H

#include "drivers/acpi_madt.h"

/* Add the ids of the harts that are enabled. Errors: as madt_visit. */
MUST_CHECK enum err rintc_find(const void *rsdp, acpi_reader reader, struct cpu_ids *list);

/* Frequency of the `time` counter; 0 when the tables do not say. */
uint64_t rhct_timebase_hz(const void *rsdp, acpi_reader reader);

#endif

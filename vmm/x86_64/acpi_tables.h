/* SPDX-License-Identifier: BSD-2-Clause */
/* The ACPI tables that a kernel gets: those of a machine with hardware-reduced ACPI. */
#ifndef NESTLING_VMM_X86_64_ACPI_TABLES_H
#define NESTLING_VMM_X86_64_ACPI_TABLES_H

#include "include/err.h"
#include "vmm/vm.h"
#include "vmm/x86_64/guest_ports.h"

#define ACPI_TABLES_SIZE PAGE_SIZE

/* Write all tables into guest memory at `at`, the RSDP first. */
MUST_CHECK enum err acpi_tables_write(struct vm *vm, gpa_t at);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * As much of a UEFI firmware as boot/ asks before it takes the machine over: a memory map, configuration tables, memory, and
 * a boot hart.
 */
#ifndef NESTLING_TESTS_HOST_EFI_H
#define NESTLING_TESTS_HOST_EFI_H

#include "boot/firmware.h"
#include "tests/host/host.h"

/* What it does not do for a test that wants to see that. */
struct efi_faults {
	bool no_map, no_memory;
	bool no_take; /* it gives nothing that is asked for by its address */
};
extern struct efi_faults efi_faults;

/* A firmware that has nothing to say. Takes back the memory that it gave. */
void efi_reset(void);

/* Its memory map, which must describe whatever is to be read. `start` need not be aligned: this host's pages are not the
 * firmware's. */
void efi_describe(UINT32 type, const void *start, uint64_t pages);

/* What a page has been taken as; EfiConventionalMemory: it was not. */
UINT32 efi_taken(uint64_t page);
/* Pages taken up to now. */
size_t efi_taken_count(void);

/* A table for EFI_SYSTEM_TABLE.ConfigurationTable; it may be anywhere. */
void efi_add_table(EFI_GUID guid, const void *table);

/* Let RISCV_EFI_BOOT_PROTOCOL be there, with this answer. */
void efi_set_hart(EFI_STATUS status, uint64_t hart);

#endif

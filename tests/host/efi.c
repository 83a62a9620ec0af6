/* SPDX-License-Identifier: BSD-2-Clause */
/* See tests/host/efi.h. */
#include "tests/host/efi.h"

#include <efilib.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ENTRIES 16

/* RISC-V UEFI Protocol Specification, "RISCV_EFI_BOOT_PROTOCOL". */
struct boot_protocol {
	UINT64 revision;
	EFI_STATUS(EFIAPI *get_boot_hart_id)(struct boot_protocol *this, UINTN *hart);
};

/* Firmware's descriptors may be longer than the structure says. */
struct padded {
	EFI_MEMORY_DESCRIPTOR descriptor;
	char more[16];
};

struct efi_faults efi_faults;

static struct {
	struct padded map[MAX_ENTRIES];
	size_t map_count;
	EFI_CONFIGURATION_TABLE tables[MAX_ENTRIES];
	void *pages[MAX_ENTRIES];
	size_t page_count;
	bool has_hart;
	EFI_STATUS hart_status;
	uint64_t hart;
} efi;

static EFI_SYSTEM_TABLE system_table = { .ConfigurationTable = efi.tables };

EFI_SYSTEM_TABLE *ST = &system_table;

void efi_reset(void)
{
	while (efi.page_count > 0)
		free(efi.pages[--efi.page_count]);
	memset(&efi, 0, sizeof(efi));
	efi_faults = (struct efi_faults){ 0 };
	system_table.NumberOfTableEntries = 0;
}

void efi_describe(UINT32 type, const void *start, uint64_t pages)
{
	assert_true(efi.map_count < MAX_ENTRIES);
	efi.map[efi.map_count++].descriptor = (EFI_MEMORY_DESCRIPTOR){
		.Type = type, .PhysicalStart = (uintptr_t)start, .NumberOfPages = pages,
	};
}

void efi_add_table(EFI_GUID guid, const void *table)
{
	assert_true(system_table.NumberOfTableEntries < MAX_ENTRIES);
	efi.tables[system_table.NumberOfTableEntries++] = (EFI_CONFIGURATION_TABLE){
		.VendorGuid = guid, .VendorTable = (void *)(uintptr_t)table,
	};
}

void efi_set_hart(EFI_STATUS status, uint64_t hart)
{
	efi.has_hart = true;
	efi.hart_status = status;
	efi.hart = hart;
}

static EFI_STATUS EFIAPI get_boot_hart_id(struct boot_protocol *this, UINTN *hart)
{
	(void)this;
	*hart = efi.hart;
	return efi.hart_status;
}

EFI_STATUS LibLocateProtocol(EFI_GUID *guid, VOID **interface)
{
	static struct boot_protocol protocol = { .get_boot_hart_id = get_boot_hart_id };

	(void)guid;
	if (!efi.has_hart)
		return EFI_NOT_FOUND;
	*interface = &protocol;
	return EFI_SUCCESS;
}

enum err firmware_get_map(struct firmware_map *map)
{
	if (efi_faults.no_map)
		return ERR_IO;
	*map = (struct firmware_map){
		.descriptors = (const char *)efi.map,
		.size = efi.map_count * sizeof(efi.map[0]),
		.stride = sizeof(efi.map[0]),
	};
	return ERR_OK;
}

void *firmware_alloc_pages(size_t pages)
{
	assert_true(efi.page_count < MAX_ENTRIES);
	return efi_faults.no_memory ? NULL : (efi.pages[efi.page_count++] = aligned_alloc(PAGE_SIZE, pages * PAGE_SIZE));
}

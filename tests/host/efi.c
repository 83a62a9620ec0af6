/* SPDX-License-Identifier: BSD-2-Clause */
/* See tests/host/efi.h. */
#include "tests/host/efi.h"

#include <efilib.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ENTRIES 16
#define MAX_TAKEN   256
#define MAX_CURRENT 128

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
	struct padded map[MAX_ENTRIES], current[MAX_CURRENT];
	size_t map_count, current_count;
	EFI_CONFIGURATION_TABLE tables[MAX_ENTRIES];
	void *pages[MAX_ENTRIES];
	size_t page_bytes[MAX_ENTRIES];
	size_t page_count;
	struct {
		uint64_t page;
		UINT32 type;
	} taken[MAX_TAKEN];
	size_t taken_count;
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
		.Type = type,
		.PhysicalStart = (uintptr_t)start,
		.NumberOfPages = pages,
	};
}

void efi_add_table(EFI_GUID guid, const void *table)
{
	assert_true(system_table.NumberOfTableEntries < MAX_ENTRIES);
	efi.tables[system_table.NumberOfTableEntries++] = (EFI_CONFIGURATION_TABLE){
		.VendorGuid = guid,
		.VendorTable = (void *)(uintptr_t)table,
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

UINT32 efi_taken(uint64_t page)
{
	for (size_t i = 0; i < efi.taken_count; i++)
		if (efi.taken[i].page == page)
			return efi.taken[i].type;
	return EfiConventionalMemory;
}

static void list_as(EFI_MEMORY_DESCRIPTOR descriptor, UINT32 type, uint64_t first, uint64_t pages)
{
	assert_true(efi.current_count < MAX_CURRENT);
	descriptor.Type = type;
	descriptor.PhysicalStart += first * PAGE_SIZE;
	descriptor.NumberOfPages = pages;
	efi.current[efi.current_count++].descriptor = descriptor;
}

/* What has been taken of free memory is listed as what it is now. */
static void list_current(const EFI_MEMORY_DESCRIPTOR *descriptor)
{
	uint64_t first = 0;

	if (descriptor->Type != EfiConventionalMemory || efi.taken_count == 0) {
		list_as(*descriptor, descriptor->Type, 0, descriptor->NumberOfPages);
		return;
	}
	for (uint64_t page = 1; page <= descriptor->NumberOfPages; page++) {
		UINT32 type = efi_taken(descriptor->PhysicalStart + first * PAGE_SIZE);

		if (page < descriptor->NumberOfPages && efi_taken(descriptor->PhysicalStart + page * PAGE_SIZE) == type)
			continue;
		list_as(*descriptor, type, first, page - first);
		first = page;
	}
}

enum err firmware_get_map(struct firmware_map *map)
{
	if (efi_faults.no_map)
		return ERR_IO;
	efi.current_count = 0;
	for (size_t i = 0; i < efi.map_count; i++)
		list_current(&efi.map[i].descriptor);
	*map = (struct firmware_map){
		.descriptors = (const char *)efi.current,
		.size = efi.current_count * sizeof(efi.current[0]),
		.stride = sizeof(efi.current[0]),
	};
	return ERR_OK;
}

void *firmware_alloc_pages(size_t pages)
{
	assert_true(efi.page_count < MAX_ENTRIES);
	efi.page_bytes[efi.page_count] = pages * PAGE_SIZE;
	return efi_faults.no_memory ? NULL : (efi.pages[efi.page_count++] = aligned_alloc(PAGE_SIZE, pages * PAGE_SIZE));
}

bool firmware_is_ours(hpa_t start, uint64_t size)
{
	for (size_t i = 0; i < efi.page_count; i++)
		if (start.raw < (uintptr_t)efi.pages[i] + efi.page_bytes[i] && (uintptr_t)efi.pages[i] < start.raw + size)
			return true;
	return false;
}

void firmware_leave_pages(const void *pages)
{
	for (size_t i = 0; i < efi.page_count; i++)
		if (efi.pages[i] == pages)
			efi.page_bytes[i] = 0;
}

size_t efi_taken_count(void)
{
	return efi.taken_count;
}

static bool is_described(uint64_t page, uint64_t bytes)
{
	for (size_t i = 0; i < efi.map_count; i++) {
		const EFI_MEMORY_DESCRIPTOR *descriptor = &efi.map[i].descriptor;

		if (descriptor->Type == EfiConventionalMemory && page >= descriptor->PhysicalStart &&
		    page + bytes <= descriptor->PhysicalStart + descriptor->NumberOfPages * PAGE_SIZE)
			return true;
	}
	return false;
}

/* Only what is free is given, and once. */
bool firmware_take(hpa_t start, size_t pages, UINT32 type)
{
	assert_true(is_described(start.raw, pages * PAGE_SIZE));
	for (size_t i = 0; i < pages; i++)
		if (efi_faults.no_take || efi_taken(start.raw + i * PAGE_SIZE) != EfiConventionalMemory)
			return false;
	for (size_t i = 0; i < pages; i++) {
		assert_true(efi.taken_count < MAX_TAKEN);
		efi.taken[efi.taken_count].page = start.raw + i * PAGE_SIZE;
		efi.taken[efi.taken_count++].type = type;
	}
	return true;
}

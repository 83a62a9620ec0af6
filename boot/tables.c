/* SPDX-License-Identifier: BSD-2-Clause */
/* ACPI's root pointer, the device tree and the boot hart. */
#include "boot/tables.h"

#include <efilib.h>
#include <libfdt.h>
#include <string.h>

#include "include/log.h"

/* Of RISCV_EFI_BOOT_PROTOCOL; GNU-EFI has no declaration of it. */
#define RISCV_EFI_BOOT_PROTOCOL_GUID                                   \
	{                                                              \
		0xccd15fec, 0x6f73, 0x4eec,                            \
		{                                                      \
			0x83, 0x95, 0x3e, 0x69, 0xe4, 0xb9, 0x40, 0xbf \
		}                                                      \
	}

struct riscv_efi_boot_protocol {
	UINT64 revision;
	EFI_STATUS(EFIAPI *get_boot_hart_id)(struct riscv_efi_boot_protocol *this, UINTN *hart);
};

/* The memory map as it was when the tables were looked for; only grown since. */
static const struct firmware_map *memory;

/* Bytes of memory from `address` to the end of the descriptor that it is in. */
static uint64_t memory_from(uint64_t address)
{
	const EFI_MEMORY_DESCRIPTOR *descriptor;

	for (size_t i = 0; (descriptor = firmware_descriptor(memory, i)) != NULL; i++) {
		uint64_t bytes = descriptor->NumberOfPages * PAGE_SIZE, offset = address - descriptor->PhysicalStart;

		if (descriptor->Type == EfiMemoryMappedIO || descriptor->Type == EfiMemoryMappedIOPortSpace ||
		    descriptor->Type == EfiUnusableMemory)
			continue;
		if (address >= descriptor->PhysicalStart && offset < bytes)
			return bytes - offset;
	}
	return 0;
}

/* Tables are pointed to by the firmware and by each other: a wild pointer must not be followed. */
static const void *read_memory(uint64_t address, uint64_t size)
{
	uint64_t at = address;

	while (at - address < size) {
		uint64_t bytes = memory_from(at);

		if (bytes == 0)
			return NULL;
		at += min_u64(bytes, size - (at - address));
	}
	return (const void *)(uintptr_t)address;
}

static const void *configuration_table(EFI_GUID guid)
{
	for (UINTN i = 0; ST->ConfigurationTable && i < ST->NumberOfTableEntries; i++)
		if (memcmp(&ST->ConfigurationTable[i].VendorGuid, &guid, sizeof(guid)) == 0)
			return ST->ConfigurationTable[i].VendorTable;
	return NULL;
}

/* Walk the whole tree once, so that later walks meet no error. Returns a libfdt error, 0 for none. */
static int check_structure(const void *fdt)
{
	int node = 0, depth = 0, property;

	do {
		fdt_for_each_property_offset(property, fdt, node)
		{
			const char *name;
			int length;

			if (!fdt_getprop_by_offset(fdt, property, &name, &length))
				return length;
		}
		if (property != -FDT_ERR_NOTFOUND)
			return property;
		node = fdt_next_node(fdt, node, &depth);
	} while (node >= 0 && depth >= 0); /* past the root's end the depth is below zero */
	return node >= 0 || node == -FDT_ERR_NOTFOUND ? 0 : node;
}

/* Is all of a tree there, and is it of a size to copy? Returns a libfdt error, 0 for none. */
static int check_fdt(uint64_t address, uint64_t *size)
{
	const void *from = read_memory(address, sizeof(struct fdt_header));
	struct fdt_header header; /* the firmware's may lie at any address */
	int error;

	if (!from)
		return -FDT_ERR_TRUNCATED;
	memcpy(&header, from, sizeof(header));
	error = fdt_check_header(&header);
	if (error != 0)
		return error;
	*size = fdt_totalsize(&header);
	if (*size > TABLES_MAX_FDT_BYTES)
		return -FDT_ERR_NOSPACE;
	return read_memory(address, *size) ? 0 : -FDT_ERR_TRUNCATED;
}

static void *copy_bytes(const void *from, uint64_t size)
{
	void *copy = firmware_alloc_pages(align_up(size, PAGE_SIZE) / PAGE_SIZE);

	if (copy)
		memcpy(copy, from, size);
	else
		log_warn("boot: the firmware has no memory for a copy of its device tree");
	return copy;
}

const void *tables_move_fdt(const void *fdt)
{
	void *copy = copy_bytes(fdt, fdt_totalsize(fdt));

	firmware_leave_pages(fdt);
	return copy;
}

static const void *copy_fdt(const void *from)
{
	uint64_t size;
	void *copy = NULL;
	int error = check_fdt((uintptr_t)from, &size);

	if (error == 0) {
		copy = copy_bytes(from, size);
		if (!copy)
			return NULL;
		error = check_structure(copy);
	}
	if (error != 0)
		log_warn("boot: the firmware's device tree is left aside: %s", fdt_strerror(error));
	return error == 0 ? copy : NULL;
}

/* Devicetree Specification: /chosen; `boot-hartid`, of 32 or 64 bits, is what U-Boot and EDK2 leave there. */
static bool hart_of_fdt(const void *fdt, uint64_t *hart)
{
	int length = 0, chosen = fdt_path_offset(fdt, "/chosen");
	const void *value = chosen < 0 ? NULL : fdt_getprop(fdt, chosen, "boot-hartid", &length);

	if (value && length == sizeof(fdt32_t))
		*hart = fdt32_ld(value);
	else if (value && length == sizeof(fdt64_t))
		*hart = fdt64_ld(value);
	else
		return false;
	return true;
}

static bool hart_of_protocol(uint64_t *hart)
{
	EFI_GUID guid = RISCV_EFI_BOOT_PROTOCOL_GUID;
	struct riscv_efi_boot_protocol *protocol;
	UINTN id;

	if (EFI_ERROR(LibLocateProtocol(&guid, (void **)&protocol)) || EFI_ERROR(protocol->get_boot_hart_id(protocol, &id)))
		return false;
	*hart = id;
	return true;
}

static void find_descriptions(struct platform *platform)
{
	const EFI_GUID acpi_2 = ACPI_20_TABLE_GUID, acpi_1 = ACPI_TABLE_GUID, dtb = EFI_DTB_TABLE_GUID;
	const void *fdt = configuration_table(dtb);

	if (!memory) {
		log_warn("boot: without the firmware's memory map its tables cannot be read");
		return;
	}
	platform->acpi_reader = read_memory;
	platform->acpi_rsdp = configuration_table(acpi_2);
	if (!platform->acpi_rsdp)
		platform->acpi_rsdp = configuration_table(acpi_1);
	if (fdt)
		platform->fdt = copy_fdt(fdt);
}

void tables_find(struct platform *platform, const struct firmware_map *map)
{
	memory = map;
	*platform = (struct platform){ 0 };
	find_descriptions(platform);
	platform->boot_hart_known =
		hart_of_protocol(&platform->boot_hart) || (platform->fdt && hart_of_fdt(platform->fdt, &platform->boot_hart));
}

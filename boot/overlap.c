/* SPDX-License-Identifier: BSD-2-Clause */
/* Source: UEFI specification 2.10, "Memory Type Usage before ExitBootServices()". */
#include "boot/overlap.h"

#include "boot/in_use.h"
#include "boot/memory.h"
#include "include/log.h"

typedef bool (*type_filter)(UINT32 type);

static const struct firmware_map *map;

void overlap_set_map(const struct firmware_map *firmware)
{
	map = firmware;
}

/* Does a descriptor of such a type overlap these bytes? */
static bool is_described_as(type_filter wanted, hpa_t start, uint64_t size)
{
	const EFI_MEMORY_DESCRIPTOR *descriptor;

	for (size_t i = 0; map && (descriptor = firmware_descriptor(map, i)) != NULL; i++)
		if (wanted(descriptor->Type) && descriptor_overlaps(descriptor, start, size))
			return true;
	return false;
}

/* What is reserved may be anything, registers too. */
static bool is_memory(UINT32 type)
{
	return type != EfiMemoryMappedIO && type != EfiMemoryMappedIOPortSpace && type != EfiReservedMemoryType;
}

/* What the firmware works with after ExitBootServices, or nothing does. Its boot services know where the screen is. */
static bool is_kept(UINT32 type)
{
	return type == EfiRuntimeServicesCode || type == EfiRuntimeServicesData || type == EfiACPIReclaimMemory ||
	       type == EfiACPIMemoryNVS || type == EfiUnusableMemory;
}

bool overlap_registers_fit(const char *what, hpa_t start, uint64_t size)
{
	if (start.raw + size < start.raw) {
		log_warn("boot: the %s at %#lx is not used: addresses end there", what, start.raw);
		return false;
	}
	if (!is_described_as(is_memory, start, size) && !firmware_is_ours(start, size))
		return true;
	log_warn("boot: the %s at %#lx is not used: there is memory, says the firmware's map", what, start.raw);
	return false;
}

bool overlap_serial_fits(const struct serial_port *port)
{
	hpa_t start;
	uint64_t size;

	serial_region(port, &start, &size);
	return size == 0 || overlap_registers_fit("serial port", start, size);
}

bool overlap_screen_fits(const struct framebuffer *framebuffer)
{
	hpa_t start;
	uint64_t size;

	framebuffer_region(framebuffer, &start, &size);
	if (!is_described_as(is_kept, start, size) && !firmware_is_ours(start, size) && !(map && in_use_overlaps(map, start, size)))
		return true;
	log_warn("boot: the screen at %#lx is not used: there is memory that something else uses", start.raw);
	return false;
}

/* What the firmware will not give stays excluded, but it may give it to us: see overlap_check_excluded. */
static void keep(hpa_t start, uint64_t size)
{
	uint64_t taken;

	if (map)
		(void)!in_use_take(map, start, size, EfiReservedMemoryType, &taken);
}

void overlap_keep_screen(const struct framebuffer *framebuffer)
{
	hpa_t start;
	uint64_t size;

	framebuffer_region(framebuffer, &start, &size);
	keep(start, size);
}

void overlap_keep_excluded(void)
{
	struct ram_range range;

	for (size_t i = 0; memory_get_excluded(i, &range); i++)
		keep(range.start, range.size);
}

enum err overlap_check_excluded(void)
{
	struct ram_range range;

	for (size_t i = 0; memory_get_excluded(i, &range); i++) {
		if (!firmware_is_ours(range.start, range.size))
			continue;
		log_fatal("memory at %#lx to %#lx is reserved, and yet the firmware has put this program or its memory there",
			  range.start.raw, range.start.raw + range.size - 1);
		return ERR_EXISTS;
	}
	return ERR_OK;
}

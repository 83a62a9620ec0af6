/* SPDX-License-Identifier: BSD-2-Clause */
/* The firmware's memory map. Source: UEFI specification 2.10, GetMemoryMap(), "Memory Type Usage". */
#include "boot/memory.h"

#include <stdlib.h>

#include "mm/frame.h"

enum { MAX_EXTENTS = 256 };

/* RAM in ascending, disjoint, non-touching ranges. */
struct extents {
	struct ram_range range[MAX_EXTENTS];
	size_t count;
};

typedef bool (*memory_filter)(const EFI_MEMORY_DESCRIPTOR *descriptor);

static bool is_free(const EFI_MEMORY_DESCRIPTOR *descriptor)
{
	return descriptor->Type == EfiConventionalMemory;
}

static bool is_left_behind(const EFI_MEMORY_DESCRIPTOR *descriptor)
{
	return descriptor->Type == EfiBootServicesCode || descriptor->Type == EfiBootServicesData;
}

/* RAM that the hypervisor may touch: its own, what is free or will be, and the tables of the firmware. */
static bool is_ram(const EFI_MEMORY_DESCRIPTOR *descriptor)
{
	switch (descriptor->Type) {
	case EfiConventionalMemory:
	case EfiBootServicesCode:
	case EfiBootServicesData:
	case EfiLoaderCode:
	case EfiLoaderData:
	case EfiACPIReclaimMemory:
		return true;
	default:
		return false;
	}
}

static bool is_device(const EFI_MEMORY_DESCRIPTOR *descriptor)
{
	return descriptor->Type == EfiMemoryMappedIO || descriptor->Type == EfiMemoryMappedIOPortSpace;
}

static bool is_runtime(const EFI_MEMORY_DESCRIPTOR *descriptor)
{
	if (is_device(descriptor))
		return false;
	return is_ram(descriptor) || (descriptor->Attribute & EFI_MEMORY_RUNTIME) != 0 ||
	       descriptor->Type == EfiACPIMemoryNVS || descriptor->Type == EfiReservedMemoryType;
}

static bool is_runtime_device(const EFI_MEMORY_DESCRIPTOR *descriptor)
{
	return is_device(descriptor) && (descriptor->Attribute & EFI_MEMORY_RUNTIME) != 0;
}

static int compare_ranges(const void *a, const void *b)
{
	const struct ram_range *left = a, *right = b;

	return left->start.raw < right->start.raw ? -1 : left->start.raw > right->start.raw;
}

/* Sort, and join what touches or overlaps. */
static void normalise(struct extents *extents)
{
	size_t count = 0;

	qsort(extents->range, extents->count, sizeof(extents->range[0]), compare_ranges);
	for (size_t i = 0; i < extents->count; i++) {
		struct ram_range *last = count > 0 ? &extents->range[count - 1] : NULL, next = extents->range[i];

		if (last && next.start.raw <= last->start.raw + last->size)
			last->size = max_u64(last->size, next.start.raw + next.size - last->start.raw);
		else
			extents->range[count++] = next;
	}
	extents->count = count;
}

/* What memory_exclude was told. */
static struct extents excluded;

enum err memory_exclude(hpa_t start, uint64_t size)
{
	uint64_t first = align_down(start.raw, PAGE_SIZE), end = start.raw + size;

	if (size == 0)
		return ERR_OK;
	if (end < start.raw || end > UINT64_MAX - PAGE_SIZE || excluded.count == MAX_EXTENTS)
		return ERR_RANGE;
	excluded.range[excluded.count++] = (struct ram_range){ HPA(first), align_up(end, PAGE_SIZE) - first };
	normalise(&excluded);
	return ERR_OK;
}

/* Take [start, end) out of one range, which may fall apart. */
static enum err cut(struct extents *extents, size_t i, uint64_t start, uint64_t end)
{
	struct ram_range *range = &extents->range[i];
	uint64_t range_end = range->start.raw + range->size;

	if (start >= range_end || end <= range->start.raw)
		return ERR_OK;
	if (end < range_end) {
		if (extents->count == MAX_EXTENTS)
			return ERR_RANGE;
		extents->range[extents->count++] = (struct ram_range){ HPA(end), range_end - end };
	}
	range->size = start > range->start.raw ? start - range->start.raw : 0;
	return ERR_OK;
}

static enum err cut_excluded(struct extents *extents)
{
	enum err err = ERR_OK;
	size_t kept = 0;

	for (size_t i = 0; err == ERR_OK && i < extents->count; i++)
		for (size_t j = 0; err == ERR_OK && j < excluded.count; j++)
			err = cut(extents, i, excluded.range[j].start.raw,
				  excluded.range[j].start.raw + excluded.range[j].size);
	for (size_t i = 0; i < extents->count; i++)
		if (extents->range[i].size > 0)
			extents->range[kept++] = extents->range[i];
	extents->count = kept;
	normalise(extents);
	return err;
}

static enum err collect(const struct firmware_map *firmware, memory_filter wanted, struct extents *extents)
{
	const EFI_MEMORY_DESCRIPTOR *descriptor;

	extents->count = 0;
	for (size_t i = 0; (descriptor = firmware_descriptor(firmware, i)) != NULL; i++) {
		if (!wanted(descriptor) || descriptor->NumberOfPages == 0)
			continue;
		if (extents->count == MAX_EXTENTS)
			normalise(extents);
		if (extents->count == MAX_EXTENTS)
			return ERR_RANGE;
		extents->range[extents->count++] = (struct ram_range){
			.start = HPA(descriptor->PhysicalStart),
			.size = descriptor->NumberOfPages * PAGE_SIZE,
		};
	}
	normalise(extents);
	return cut_excluded(extents);
}

/*
 * Where frames can be: RAM, with small gaps taken in, since a gap costs records and a zone costs every look-up. A machine
 * with more clusters of RAM than there are zones has wider gaps taken in.
 */
static void make_span(struct extents *span)
{
	uint64_t gap = MIB(64);

	do {
		size_t count = 0;

		for (size_t i = 0; i < span->count; i++) {
			struct ram_range *last = count > 0 ? &span->range[count - 1] : NULL, next = span->range[i];

			if (last && next.start.raw - (last->start.raw + last->size) <= gap)
				last->size = next.start.raw + next.size - last->start.raw;
			else
				span->range[count++] = next;
		}
		span->count = count;
		gap *= 2;
	} while (span->count > FRAME_MAX_ZONES);
}

/* Cut the frame records out of a free range that has room for them, from its end. */
static enum err place_records(struct extents *free, uint64_t size, hpa_t *records)
{
	for (size_t i = free->count; i-- > 0;) {
		struct ram_range *range = &free->range[i];

		if (range->size <= size)
			continue;
		range->size -= size;
		*records = HPA(range->start.raw + range->size);
		return ERR_OK;
	}
	return ERR_NO_MEMORY;
}

static enum err add_frames(const struct extents *extents)
{
	enum err err = ERR_OK;

	for (size_t i = 0; err == ERR_OK && i < extents->count; i++)
		err = frame_add(extents->range[i]);
	return err;
}

enum err memory_init(const struct firmware_map *firmware)
{
	static struct extents span, free; /* too large for a boot stack */
	hpa_t records;
	enum err err = collect(firmware, is_ram, &span);

	if (err == ERR_OK)
		err = collect(firmware, is_free, &free);
	if (err != ERR_OK)
		return err;
	make_span(&span);
	err = place_records(&free, frame_records_size(span.range, span.count), &records);
	if (err == ERR_OK)
		err = frame_init(span.range, span.count, records, 0);
	return err == ERR_OK ? add_frames(&free) : err;
}

enum err memory_reclaim(const struct firmware_map *firmware)
{
	static struct extents left_behind;
	enum err err = collect(firmware, is_left_behind, &left_behind);

	return err == ERR_OK ? add_frames(&left_behind) : err;
}

static enum err map_all(struct host_map *map, const struct firmware_map *firmware, memory_filter wanted, unsigned prot)
{
	static struct extents extents;
	enum err err = collect(firmware, wanted, &extents);

	for (size_t i = 0; err == ERR_OK && i < extents.count; i++)
		err = host_map_add(map, extents.range[i].start,
				   HPA(extents.range[i].start.raw + extents.range[i].size), prot);
	return err;
}

enum err memory_add_device(struct host_map *map, hpa_t start, uint64_t size)
{
	enum err err = size ? host_map_add_device(map, start, HPA(start.raw + size)) : ERR_OK;

	if (err != ERR_EXISTS)
		return err;
	for (uint64_t at = start.raw; at - start.raw < size; at += PAGE_SIZE) {
		err = host_map_add_device(map, HPA(at), HPA(at + PAGE_SIZE));
		if (err != ERR_OK && err != ERR_EXISTS)
			return err;
	}
	return ERR_OK;
}

/* Is there memory at this address, to be accessed through the caches? */
static bool is_cached(const struct firmware_map *firmware, hpa_t at)
{
	const EFI_MEMORY_DESCRIPTOR *descriptor;

	for (size_t i = 0; (descriptor = firmware_descriptor(firmware, i)) != NULL; i++)
		if (at.raw >= descriptor->PhysicalStart &&
		    at.raw - descriptor->PhysicalStart < descriptor->NumberOfPages * PAGE_SIZE)
			return !is_device(descriptor) && (descriptor->Attribute & EFI_MEMORY_WB);
	return false;
}

enum err memory_add_screen(struct host_map *map, const struct firmware_map *firmware, hpa_t start, uint64_t size)
{
	if (is_cached(firmware, start))
		return host_map_add(map, start, HPA(start.raw + size), NPT_RW);
	return memory_add_device(map, start, size);
}

enum err memory_make_map(struct host_map *map, const struct firmware_map *firmware, const struct image_layout *image)
{
	enum err err = host_map_new(map);

	if (err == ERR_OK)
		err = map_all(map, firmware, is_ram, NPT_RW);
	if (err == ERR_OK)
		err = host_map_protect(map, image->text_start, image->text_end, NPT_RX);
	if (err == ERR_OK)
		err = host_map_protect(map, image->rodata_start, image->rodata_end, NPT_R);
	if (err == ERR_OK)
		err = host_map_protect(map, image->relro_start, image->relro_end, NPT_R);
	if (err == ERR_OK)
		err = host_map_remove(map, HPA(0), HPA(PAGE_SIZE));
	return err;
}

enum err memory_make_firmware_map(struct host_map *map, const struct firmware_map *firmware)
{
	static struct extents devices;
	enum err err = host_map_new(map);

	if (err == ERR_OK)
		err = map_all(map, firmware, is_runtime, NPT_RWX);
	if (err == ERR_OK)
		err = collect(firmware, is_runtime_device, &devices);
	for (size_t i = 0; err == ERR_OK && i < devices.count; i++)
		err = memory_add_device(map, devices.range[i].start, devices.range[i].size);
	return err;
}

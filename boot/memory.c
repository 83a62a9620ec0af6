/* SPDX-License-Identifier: BSD-2-Clause */
/* The firmware's memory map. Source: UEFI specification 2.10, GetMemoryMap(), "Memory Type Usage". */
#include "boot/memory.h"

#include "boot/extents.h"
#include "include/arch/machine.h"
#include "include/log.h"
#include "mm/frame.h"

typedef bool (*memory_filter)(const EFI_MEMORY_DESCRIPTOR *descriptor);

/* GNU-EFI has no declaration of it. */
#define EFI_MEMORY_SP UINT64_C(0x40000)

/* Is it general-purpose memory with write-back caching? EFI_MEMORY_SP and EFI_MEMORY_RUNTIME say that it is not. */
static bool is_ordinary(const EFI_MEMORY_DESCRIPTOR *descriptor)
{
	return (descriptor->Attribute & EFI_MEMORY_WB) && !(descriptor->Attribute & (EFI_MEMORY_SP | EFI_MEMORY_RUNTIME));
}

static bool is_free(const EFI_MEMORY_DESCRIPTOR *descriptor)
{
	return descriptor->Type == EfiConventionalMemory && is_ordinary(descriptor);
}

static bool is_left_behind(const EFI_MEMORY_DESCRIPTOR *descriptor)
{
	return (descriptor->Type == EfiBootServicesCode || descriptor->Type == EfiBootServicesData) && is_ordinary(descriptor);
}

/* The image and its allocations: RAM in use by us, even if another descriptor disagrees. */
static bool is_loaded(const EFI_MEMORY_DESCRIPTOR *descriptor)
{
	return descriptor->Type == EfiLoaderCode || descriptor->Type == EfiLoaderData;
}

/* RAM that the hypervisor may touch: its own, what is free or will be, and the tables of the firmware. */
static bool is_ram(const EFI_MEMORY_DESCRIPTOR *descriptor)
{
	return is_free(descriptor) || is_left_behind(descriptor) || is_loaded(descriptor) ||
	       descriptor->Type == EfiACPIReclaimMemory;
}

/* For overlapping descriptors: the types that rule out each of the uses above. */
static bool is_not_free(const EFI_MEMORY_DESCRIPTOR *descriptor)
{
	return !is_free(descriptor);
}

static bool is_not_left_behind(const EFI_MEMORY_DESCRIPTOR *descriptor)
{
	return !is_left_behind(descriptor);
}

static bool is_loaded_or_not_ram(const EFI_MEMORY_DESCRIPTOR *descriptor)
{
	return is_loaded(descriptor) || !is_ram(descriptor);
}

static bool is_device(const EFI_MEMORY_DESCRIPTOR *descriptor)
{
	return descriptor->Type == EfiMemoryMappedIO || descriptor->Type == EfiMemoryMappedIOPortSpace;
}

/* Runtime services may use their own memory, even if it is reserved elsewhere, too. */
static bool is_service(const EFI_MEMORY_DESCRIPTOR *descriptor)
{
	return !is_device(descriptor) && (descriptor->Attribute & EFI_MEMORY_RUNTIME);
}

static bool is_runtime(const EFI_MEMORY_DESCRIPTOR *descriptor)
{
	if (is_device(descriptor))
		return false;
	return is_ram(descriptor) || is_service(descriptor) || descriptor->Type == EfiACPIMemoryNVS ||
	       descriptor->Type == EfiReservedMemoryType;
}

static bool is_runtime_device(const EFI_MEMORY_DESCRIPTOR *descriptor)
{
	return is_device(descriptor) && (descriptor->Attribute & EFI_MEMORY_RUNTIME) != 0;
}

/* --- Excluded ranges: memory_exclude --- */

enum { MAX_EXCLUDED = 256 };

static struct ram_range excluded_ranges[MAX_EXCLUDED + 1];
static struct extents excluded = { excluded_ranges, 0 };

enum err memory_exclude(hpa_t start, uint64_t size)
{
	uint64_t first = align_down(start.raw, PAGE_SIZE), end = start.raw + size;
	size_t i;

	if (size == 0)
		return ERR_OK;
	if (end < start.raw || end > UINT64_MAX - PAGE_SIZE)
		return ERR_RANGE;
	excluded.range[excluded.count++] = (struct ram_range){ HPA(first), align_up(end, PAGE_SIZE) - first };
	extents_normalise(&excluded);
	if (excluded.count <= MAX_EXCLUDED)
		return ERR_OK;
	i = extents_closest(&excluded);
	log_warn("boot: more than %u ranges are reserved: %lu KiB between two of them are left out, too", MAX_EXCLUDED,
		 extents_gap_after(&excluded, i) >> 10);
	extents_join_next(&excluded, i);
	return ERR_OK;
}

bool memory_is_excluded(hpa_t start, uint64_t size)
{
	for (size_t i = 0; i < excluded.count; i++)
		if (start.raw < range_end(&excluded.range[i]) && excluded.range[i].start.raw < start.raw + size)
			return true;
	return false;
}

bool memory_get_excluded(size_t n, struct ram_range *range)
{
	if (n >= excluded.count)
		return false;
	*range = excluded.range[n];
	return true;
}

/* --- What the map says, in order --- */

/*
 * The firmware's map has work space for four lists: ranges that are wanted, ranges that rule them out, and two results, which are
 * longer, since subtraction may divide a range.
 */
enum work { WORK_WANTED, WORK_AGAINST, WORK_FIRST, WORK_SECOND };

static size_t count_descriptors(const struct firmware_map *firmware)
{
	return firmware->size / firmware->stride;
}

static struct extents work_list(const struct firmware_map *firmware, enum work work)
{
	size_t n = count_descriptors(firmware);
	const size_t offset[] = { 0, n, 2 * n + MAX_EXCLUDED, 4 * n + 2 * MAX_EXCLUDED };

	return (struct extents){ (struct ram_range *)firmware->work + offset[work], 0 };
}
_Static_assert(FIRMWARE_WORK(0) >= 3 * MAX_EXCLUDED * sizeof(struct ram_range), "work_list");
_Static_assert(FIRMWARE_WORK(1) - FIRMWARE_WORK(0) >= 6 * sizeof(struct ram_range), "work_list");

/* The first address that our own map cannot have one to one. */
static uint64_t map_limit(void)
{
	struct npt_config config;

	arch_host_map_config(&config);
	return BIT(min_u64(config.gpa_bits, config.hpa_bits));
}

/* Whole pages of a descriptor below `limit`, be it as wrong as it may. */
static struct ram_range range_of(const EFI_MEMORY_DESCRIPTOR *descriptor, uint64_t limit)
{
	uint64_t start = descriptor->PhysicalStart, pages = descriptor->NumberOfPages;
	uint64_t end = pages > (UINT64_MAX - start) >> PAGE_SHIFT ? limit : min_u64(start + pages * PAGE_SIZE, limit);

	start = start > limit ? limit : align_up(start, PAGE_SIZE);
	end = align_down(end, PAGE_SIZE);
	return (struct ram_range){ HPA(start), end > start ? end - start : 0 };
}

static struct extents list(const struct firmware_map *firmware, memory_filter wanted, uint64_t limit, enum work work)
{
	struct extents extents = work_list(firmware, work);
	const EFI_MEMORY_DESCRIPTOR *descriptor;

	for (size_t i = 0; (descriptor = firmware_descriptor(firmware, i)) != NULL; i++) {
		struct ram_range range = range_of(descriptor, limit);

		if (wanted(descriptor) && range.size > 0)
			extents.range[extents.count++] = range;
	}
	extents_normalise(&extents);
	return extents;
}

/* The wanted ranges below `limit`, without those that `against` (may be NULL) rules out and without excluded ones. */
static struct extents collect(const struct firmware_map *firmware, memory_filter wanted, memory_filter against, uint64_t limit,
			      enum work work)
{
	struct extents all = list(firmware, wanted, limit, WORK_WANTED), result = work_list(firmware, work);
	struct extents others = work_list(firmware, WORK_AGAINST);

	if (against)
		others = list(firmware, against, limit, WORK_AGAINST);
	for (size_t i = 0; i < excluded.count; i++)
		others.range[others.count++] = excluded.range[i];
	extents_normalise(&others);
	for (size_t i = 0; i < all.count; i++)
		extents_subtract(&result, all.range[i], &others);
	return result;
}

/* --- Frames --- */

/* A frame's record costs a 512th of it; more than a quarter of what a range has is too much for a gap before it. */
#define GAP_COST(gap) ((gap) / 512 * 4)

/*
 * Where frames can be: RAM, with small gaps taken in, since a gap costs records and a zone costs every look-up. With more
 * clusters of RAM than there are zones, wider gaps are taken in, or the smallest cluster is left out, whichever costs less.
 */
static void make_span(struct extents *span)
{
	extents_join(span, MIB(64));
	while (span->count > FRAME_MAX_ZONES) {
		size_t near = extents_closest(span), least = extents_smallest(span);

		if (GAP_COST(extents_gap_after(span, near)) < span->range[least].size)
			extents_join_next(span, near);
		else
			extents_remove(span, least);
	}
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

/* `*left_out` grows by what lies in no zone. */
static enum err add_frames(const struct extents *extents, uint64_t *left_out)
{
	enum err err = ERR_OK;

	for (size_t i = 0; i < extents->count && (err == ERR_OK || err == ERR_RANGE); i++) {
		err = frame_add(extents->range[i]);
		if (err == ERR_RANGE)
			*left_out += extents->range[i].size;
	}
	return err == ERR_RANGE ? ERR_OK : err;
}

static uint64_t frame_limit(void)
{
	return min_u64(map_limit(), FRAME_LIMIT);
}

static bool is_left_alone(const EFI_MEMORY_DESCRIPTOR *descriptor)
{
	return descriptor->Type == EfiConventionalMemory && !is_ordinary(descriptor);
}

/* Log the memory that exists but is not used: no figure of the report shows it. */
static void tell_left_out(const struct firmware_map *firmware, uint64_t apart)
{
	struct extents all = list(firmware, is_free, UINT64_MAX, WORK_WANTED);
	struct extents low = list(firmware, is_free, frame_limit(), WORK_AGAINST);
	uint64_t high = extents_bytes(&all) - extents_bytes(&low);
	struct extents alone = list(firmware, is_left_alone, UINT64_MAX, WORK_WANTED);

	if (high > 0)
		log_warn("boot: %lu MiB of memory from %lu GiB on are left out: our addresses end there", high >> 20,
			 frame_limit() >> 30);
	if (apart > 0)
		log_warn("boot: %lu KiB of memory are left out: they lie in more than %u places, far from each other", apart >> 10,
			 FRAME_MAX_ZONES);
	if (alone.count > 0)
		log_info("boot: %lu MiB of memory are left to others: they are for a special purpose, or not cached",
			 extents_bytes(&alone) >> 20);
}

enum err memory_init(const struct firmware_map *firmware)
{
	struct extents span = collect(firmware, is_ram, NULL, frame_limit(), WORK_FIRST);
	struct extents free = collect(firmware, is_free, is_not_free, frame_limit(), WORK_SECOND);
	uint64_t left_out = 0;
	hpa_t records;
	enum err err;

	make_span(&span);
	err = place_records(&free, frame_records_size(span.range, span.count), &records);
	if (err == ERR_OK)
		err = frame_init(span.range, span.count, records, 0);
	if (err == ERR_OK)
		err = add_frames(&free, &left_out);
	if (err == ERR_OK)
		tell_left_out(firmware, left_out);
	return err;
}

enum err memory_reclaim(const struct firmware_map *firmware)
{
	struct extents left_behind = collect(firmware, is_left_behind, is_not_left_behind, frame_limit(), WORK_FIRST);
	uint64_t left_out = 0;

	return add_frames(&left_behind, &left_out);
}

static enum err map_all(struct host_map *map, const struct extents *extents, unsigned prot)
{
	enum err err = ERR_OK;

	for (size_t i = 0; err == ERR_OK && i < extents->count; i++)
		err = host_map_add(map, extents->range[i].start, HPA(range_end(&extents->range[i])), prot);
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
	const struct extents loaded = collect(firmware, is_loaded, NULL, map_limit(), WORK_FIRST);
	const struct extents ram = collect(firmware, is_ram, is_loaded_or_not_ram, map_limit(), WORK_SECOND);
	enum err err = host_map_new(map);

	if (err == ERR_OK)
		err = map_all(map, &loaded, NPT_RW);
	if (err == ERR_OK)
		err = map_all(map, &ram, NPT_RW);
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
	const struct extents services = list(firmware, is_service, map_limit(), WORK_FIRST);
	const struct extents rest = collect(firmware, is_runtime, is_service, map_limit(), WORK_SECOND);
	enum err err = host_map_new(map);
	struct extents devices;

	if (err == ERR_OK)
		err = map_all(map, &services, NPT_RWX);
	if (err == ERR_OK)
		err = map_all(map, &rest, NPT_RWX);
	devices = collect(firmware, is_runtime_device, is_runtime, map_limit(), WORK_FIRST);
	for (size_t i = 0; err == ERR_OK && i < devices.count; i++)
		err = memory_add_device(map, devices.range[i].start, devices.range[i].size);
	return err;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Source: UEFI specification 2.10, "EFI_BOOT_SERVICES.AllocatePages()", AllocateAddress. */
#include "boot/in_use.h"

#include "include/arch/machine.h"
#include "include/log.h"

/* More tables than any firmware makes: they point to each other in circles. */
enum { MAX_REGIONS = 1 << 18 };

/* The part of a descriptor that lies in [start, end); empty where first >= last. */
struct part {
	uint64_t first, last;
};

static struct part part_of(const EFI_MEMORY_DESCRIPTOR *descriptor, uint64_t start, uint64_t end)
{
	uint64_t from = descriptor->PhysicalStart, pages = descriptor->NumberOfPages;
	uint64_t to = pages > (UINT64_MAX - from) >> PAGE_SHIFT ? UINT64_MAX : from + pages * PAGE_SIZE;

	return (struct part){ max_u64(start, align_up(from, PAGE_SIZE)), min_u64(end, align_down(to, PAGE_SIZE)) };
}

bool in_use_take(const struct firmware_map *map, hpa_t start, uint64_t size, UINT32 type, uint64_t *taken)
{
	uint64_t first = align_down(start.raw, PAGE_SIZE), last = align_up(start.raw + size, PAGE_SIZE);
	const EFI_MEMORY_DESCRIPTOR *descriptor;
	bool all = true;

	*taken = 0;
	for (size_t i = 0; (descriptor = firmware_descriptor(map, i)) != NULL; i++) {
		struct part part = part_of(descriptor, first, last);
		uint64_t pages = part.first < part.last ? (part.last - part.first) >> PAGE_SHIFT : 0;

		if (pages == 0 || descriptor->Type != EfiConventionalMemory)
			continue;
		if (firmware_take(HPA(part.first), pages, type))
			*taken += pages << PAGE_SHIFT;
		else
			all = false;
	}
	return all;
}

/* Is there memory here that the firmware has mapped, as it must map all that it describes? */
static bool is_described(const struct firmware_map *map, hpa_t at)
{
	const EFI_MEMORY_DESCRIPTOR *descriptor;

	for (size_t i = 0; (descriptor = firmware_descriptor(map, i)) != NULL; i++)
		if (descriptor->Type != EfiMemoryMappedIO && descriptor->Type != EfiMemoryMappedIOPortSpace &&
		    descriptor->Type != EfiUnusableMemory && descriptor_overlaps(descriptor, at, 1))
			return true;
	return false;
}

struct keeping {
	struct firmware_map map;
	uint64_t kept;
	unsigned regions;
	bool refused;
};

static bool keep(hpa_t start, uint64_t size, void *context)
{
	struct keeping *keeping = context;
	uint64_t taken;

	if (!in_use_take(&keeping->map, start, size, EfiBootServicesData, &taken))
		keeping->refused = true;
	keeping->kept += taken;
	return is_described(&keeping->map, start) && ++keeping->regions < MAX_REGIONS;
}

static enum err keep_all(struct keeping *keeping)
{
	enum err err = firmware_get_map(&keeping->map);

	keeping->regions = 0;
	keeping->refused = false;
	if (err != ERR_OK)
		return err;
	arch_in_use(keep, keeping);
	return keeping->regions < MAX_REGIONS ? ERR_OK : ERR_CORRUPT;
}

enum err in_use_keep(void)
{
	struct keeping keeping = { .kept = 0 };
	enum err err = keep_all(&keeping);

	/* A region that was visited twice was refused the second time. A new map tells it from a region that was really refused. */
	if (err == ERR_OK && keeping.refused)
		err = keep_all(&keeping);
	if (err == ERR_OK && keeping.refused)
		err = ERR_DENIED;
	if (keeping.kept > 0)
		log_info("boot: the CPU's own tables and stack are in or beside %lu KiB that the firmware calls free: these are "
			 "kept",
			 keeping.kept >> 10);
	return err;
}

struct search {
	const struct firmware_map *map;
	hpa_t start;
	uint64_t size;
	unsigned regions;
	bool found;
};

static bool look(hpa_t start, uint64_t size, void *context)
{
	struct search *search = context;

	if (start.raw < search->start.raw + search->size && search->start.raw < start.raw + size)
		search->found = true;
	return is_described(search->map, start) && ++search->regions < MAX_REGIONS;
}

bool in_use_overlaps(const struct firmware_map *map, hpa_t start, uint64_t size)
{
	struct search search = { .map = map, .start = start, .size = size };

	arch_in_use(look, &search);
	return search.found;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * UEFI, up to and including its last call. Source: UEFI specification 2.10: "Services - Boot Services", "Protocols -
 * Media Access", "Protocols - Console Support" (graphics output), "Services - Runtime Services".
 */
#ifndef NESTLING_BOOT_FIRMWARE_H
#define NESTLING_BOOT_FIRMWARE_H

#include <efi.h>

#include "drivers/framebuffer.h"
#include "include/err.h"
#include "include/types.h"

/* A descriptor array as GetMemoryMap returns it: entries are `stride` bytes apart. */
struct firmware_map {
	const char *descriptors;
	size_t size, stride;
	void *work; /* of firmware_exit's map: FIRMWARE_WORK(descriptors) bytes for who makes something of it */
};
#define FIRMWARE_WORK(descriptors) ((descriptors)*128 + KIB(16))

/* The n-th descriptor; NULL past the end. */
static inline const EFI_MEMORY_DESCRIPTOR *firmware_descriptor(const struct firmware_map *map, size_t n)
{
	return (n + 1) * map->stride <= map->size ?
		       (const EFI_MEMORY_DESCRIPTOR *)(const void *)(map->descriptors + n * map->stride) :
		       NULL;
}

/* Is any of the `size` bytes from `start` on, which do not wrap around, in a descriptor, be it as wrong as it may? */
static inline bool descriptor_overlaps(const EFI_MEMORY_DESCRIPTOR *descriptor, hpa_t start, uint64_t size)
{
	uint64_t from = descriptor->PhysicalStart, offset = start.raw - from;

	return start.raw >= from ? offset >> PAGE_SHIFT < descriptor->NumberOfPages && size > 0 :
				   from - start.raw < size && descriptor->NumberOfPages > 0;
}

/* To be called first: keep the firmware's handles, and use its console. */
void firmware_init(EFI_HANDLE image, EFI_SYSTEM_TABLE *system);

/*
 * Read a file that the image carries, or else one of the volume that it was started from; `path` uses '\' or '/'. The bytes stay
 * valid for good. Errors: ERR_NOT_FOUND, ERR_RANGE (larger than `max`), ERR_NO_MEMORY, ERR_IO. `*size` is the file's with
 * ERR_NO_MEMORY, too, if there was memory enough to learn it; else it is as it was.
 */
MUST_CHECK enum err firmware_read_file(const char *path, uint64_t max, const void **bytes, size_t *size);

/* The first screen that we can draw on, in the mode it is in; others are logged. False: there is none. */
bool firmware_find_framebuffer(struct framebuffer *framebuffer);

/* Fill in random bytes of the firmware's. False: it has none. UEFI, "Protocols - Random Number Generator". */
bool firmware_random(void *bytes, size_t size);

/* Switch the firmware's watchdog off, which would reset the machine after some minutes. */
void firmware_no_watchdog(void);

/* Allocate 4 KiB pages. Returns NULL when there is no memory. */
void *firmware_alloc_pages(size_t pages);

/* Bytes of memory that the firmware has free now, and in `*largest` the largest piece of that; 0 if it does not say. */
uint64_t firmware_free_memory(uint64_t *largest);

/*
 * Memory for a file of `size` bytes, where large leaves can map it; what is behind them in its last page is zero, and at least one
 * byte is. Returns NULL when there is no memory.
 */
void *firmware_alloc_file(size_t size);

/* Free what these two have returned. */
void firmware_free_pages(const void *pages);

/* The same, all of them below `limit`, and none at address 0. */
void *firmware_alloc_below(size_t pages, uint64_t limit);

/* Allocate these 4 KiB pages, which the firmware's map says are free, as memory of `type`. False: the firmware refuses. */
bool firmware_take(hpa_t start, size_t pages, UINT32 type);

/* Does the range overlap the image, or what firmware_alloc_pages has returned? */
bool firmware_is_ours(hpa_t start, uint64_t size);

/* Stop using pages that firmware_alloc_pages has returned. They are not freed: nothing else uses them either. */
void firmware_leave_pages(const void *pages);

/*
 * The memory map of this moment, good until the next call. It needs no memory of the firmware's, as long as the map is not a
 * very large one. Errors: ERR_NO_MEMORY, ERR_IO.
 */
MUST_CHECK enum err firmware_get_map(struct firmware_map *map);

/* Take the memory map and end the boot services: from here on the machine is ours. Errors: ERR_NO_MEMORY, ERR_IO. */
MUST_CHECK enum err firmware_exit(struct firmware_map *map);

/* Ask the firmware to power the machine off. The map in force must be memory_make_firmware_map's. Returns if the firmware fails. */
void firmware_power_off(void);

#endif

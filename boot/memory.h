/* SPDX-License-Identifier: BSD-2-Clause */
/* From the firmware's memory map to the frame allocator and the hypervisor's own map. */
#ifndef NESTLING_BOOT_MEMORY_H
#define NESTLING_BOOT_MEMORY_H

#include "boot/firmware.h"
#include "include/err.h"
#include "mm/frame.h"
#include "mm/host_map.h"

/* Where the parts of the image are (boot/<isa>/image.lds), all aligned to 4 KiB. What is in none of them is data. */
struct image_layout {
	hpa_t text_start, text_end;
	hpa_t rodata_start, rodata_end;
	hpa_t relro_start, relro_end; /* written by the start code, constant after it */
};

/*
 * Exclude this memory, whatever the firmware's map says of it: it is neither mapped nor given to the frame allocator. To be called
 * before the functions below. If there are very many ranges, some are joined together with what lies between them. Bytes, any
 * alignment. Errors: ERR_RANGE (beyond all addresses).
 */
MUST_CHECK enum err memory_exclude(hpa_t start, uint64_t size);

/* Is any of these bytes excluded? */
bool memory_is_excluded(hpa_t start, uint64_t size);

/* The n-th excluded range, none of which overlap. False: there are no more. */
bool memory_get_excluded(size_t n, struct ram_range *range);

/*
 * The functions below take firmware_exit's map. Memory that several descriptors describe is used only if all of them agree.
 *
 * Start the frame allocator with the memory that nothing uses any more. Memory of the boot services is not added yet: the stack,
 * page tables and descriptor tables in use may lie in it. Memory that is left out, because there is too much of it or because the
 * firmware asks for it, is logged. Errors: ERR_NO_MEMORY, ERR_RANGE.
 */
MUST_CHECK enum err memory_init(const struct firmware_map *firmware);

/* Add the memory of the boot services, once nothing of theirs is in use. Errors: as memory_init. */
MUST_CHECK enum err memory_reclaim(const struct firmware_map *firmware);

/*
 * Make the hypervisor's map: RAM readable and writable, the image by its sections (W^X), page 0 unmapped.
 * Errors: ERR_NO_MEMORY.
 */
MUST_CHECK enum err memory_make_map(struct host_map *map, const struct firmware_map *firmware, const struct image_layout *image);

/* Map device registers too, 4 KiB aligned. Pages that are mapped already stay as they are. Errors: as npt_map. */
MUST_CHECK enum err memory_add_device(struct host_map *map, hpa_t start, uint64_t size);

/*
 * Map the pixels of a screen, 4 KiB aligned, which have been given to memory_exclude: as memory if the firmware's map says that
 * they lie in some, else as a device. Errors: as npt_map.
 */
MUST_CHECK enum err memory_add_screen(struct host_map *map, const struct firmware_map *firmware, hpa_t start, uint64_t size);

/*
 * Make the map under which runtime services are called: everything the firmware describes, all permissions, since its
 * code and data share regions; device registers that they use as such. It is used for the very last call only. Errors:
 * ERR_NO_MEMORY.
 */
MUST_CHECK enum err memory_make_firmware_map(struct host_map *map, const struct firmware_map *firmware);

#endif

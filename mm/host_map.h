/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The hypervisor's own page tables: all memory mapped one to one, with permissions by page. Made by the page-table engine, in the
 * format of the CPU's own paging. A map is built by one CPU before it is activated, so there is no lock and no flush.
 */
#ifndef NESTLING_MM_HOST_MAP_H
#define NESTLING_MM_HOST_MAP_H

#include "include/err.h"
#include "include/types.h"
#include "npt/npt.h"

struct host_map {
	struct npt npt;
	struct npt_env env;
	struct npt_walk_cache cache;
};

/* Make an empty map; its tables come from the frame allocator. The structure must stay at its address. Errors: ERR_NO_MEMORY. */
MUST_CHECK enum err host_map_new(struct host_map *map);

/* Map [start, end) (4 KiB aligned; may be empty) to itself, write-back, with `prot`, a mask of enum npt_prot. Errors: as npt_map.
 */
MUST_CHECK enum err host_map_add(struct host_map *map, hpa_t start, hpa_t end, unsigned prot);

/*
 * Map [start, end) (4 KiB aligned, not empty) to itself, read and write, as device memory: uncached and in order. Where entries
 * have no memory type (config.page_memtypes false), the physical address decides the type. Errors: as npt_map.
 */
MUST_CHECK enum err host_map_add_device(struct host_map *map, hpa_t start, hpa_t end);

/* Change the permissions of what is mapped in [start, end) (4 KiB aligned; may be empty). Errors: as npt_protect. */
MUST_CHECK enum err host_map_protect(struct host_map *map, hpa_t start, hpa_t end, unsigned prot);

/* Unmap [start, end) (4 KiB aligned, not empty): a guard page, or memory that must not be accessed. Errors: as npt_unmap. */
MUST_CHECK enum err host_map_remove(struct host_map *map, hpa_t start, hpa_t end);

#endif

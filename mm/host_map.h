/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The hypervisor's own map: all memory one to one, each page with one permission. Made by the page-table engine, in the
 * format the CPU's own paging wants. Used by one CPU, before and after guests run.
 */
#ifndef NESTLING_MM_HOST_MAP_H
#define NESTLING_MM_HOST_MAP_H

#include "include/err.h"
#include "include/types.h"
#include "npt/npt.h"

struct host_map {
	struct npt npt;
	struct npt_env env;
};

/* Make an empty map; its tables come from the frame allocator. Errors: ERR_NO_MEMORY. */
MUST_CHECK enum err host_map_new(struct host_map *map);

/* Map [start, end) (4 KiB aligned) to itself, write-back, with `prot`. Errors: as npt_map. */
MUST_CHECK enum err host_map_add(struct host_map *map, hpa_t start, hpa_t end, unsigned prot);

/*
 * Map [start, end) to itself, for reads and writes, as device memory: uncached and in order. Where entries carry no
 * memory type, the physical address decides about it. Errors: as npt_map.
 */
MUST_CHECK enum err host_map_add_device(struct host_map *map, hpa_t start, hpa_t end);

/* Narrow or widen what is mapped. Errors: as npt_protect. */
MUST_CHECK enum err host_map_protect(struct host_map *map, hpa_t start, hpa_t end, unsigned prot);

/* Leave a hole: a guard page, or memory nobody may touch. Errors: as npt_unmap. */
MUST_CHECK enum err host_map_remove(struct host_map *map, hpa_t start, hpa_t end);

#endif

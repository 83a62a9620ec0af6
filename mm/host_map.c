/* SPDX-License-Identifier: BSD-2-Clause */
/* The hypervisor's own page tables, made by the engine that also makes the guests' nested tables. */
#include "mm/host_map.h"

#include "include/arch/machine.h"
#include "mm/table_frames.h"

/* No flush is needed: a map is complete before a CPU uses it, and does not change after that. */
static void env_flush(struct npt_env *env, gpa_t gpa, uint64_t size)
{
	(void)env;
	(void)gpa;
	(void)size;
}

enum err host_map_new(struct host_map *map)
{
	struct npt_config config;
	const struct npt_ops *ops = arch_host_map_config(&config);

	map->cache = (struct npt_walk_cache){ 0 };
	map->env = table_frames_env(env_flush, &map->cache);
	return npt_new(&map->npt, ops, &config, &map->env);
}

enum err host_map_add(struct host_map *map, hpa_t start, hpa_t end, unsigned prot)
{
	const struct npt_attr attr = { .prot = (uint8_t)prot, .memtype = NPT_WB };

	if (start.raw == end.raw)
		return ERR_OK;
	return npt_map(&map->npt, GPA(start.raw), start, end.raw - start.raw, attr);
}

enum err host_map_add_device(struct host_map *map, hpa_t start, hpa_t end)
{
	const struct npt_attr attr = {
		.prot = NPT_RW,
		.memtype = map->npt.config.page_memtypes ? NPT_UC : NPT_WB,
	};

	return npt_map(&map->npt, GPA(start.raw), start, end.raw - start.raw, attr);
}

enum err host_map_protect(struct host_map *map, hpa_t start, hpa_t end, unsigned prot)
{
	struct npt_gather gather;
	enum err err;

	if (start.raw == end.raw)
		return ERR_OK;
	npt_gather_init(&gather, &map->npt);
	err = npt_protect(&map->npt, GPA(start.raw), end.raw - start.raw, prot, &gather);
	npt_gather_finish(&gather);
	return err;
}

enum err host_map_remove(struct host_map *map, hpa_t start, hpa_t end)
{
	struct npt_gather gather;
	enum err err;

	npt_gather_init(&gather, &map->npt);
	err = npt_unmap(&map->npt, GPA(start.raw), end.raw - start.raw, &gather);
	npt_gather_finish(&gather);
	return err;
}

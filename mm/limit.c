/* SPDX-License-Identifier: BSD-2-Clause */
/* The limit of what a space costs: what would exceed it fails as if the host had no more memory. */
#include "mm/space.h"

bool cost_fits_limit(struct addr_space *as, uint64_t bytes)
{
	as->cost.exceeded = cost_room(as) < bytes && (!held_drop(as) || cost_room(as) < bytes);
	return !as->cost.exceeded;
}

enum err addr_space_set_limit(struct addr_space *as, uint64_t max)
{
	uint64_t before = as->cost.max;
	enum err err;

	space_lock(as);
	as->cost.max = max;
	as->cost.exceeded = false;
	err = cost_room(as) > 0 || max == space_resident(as) + space_overhead(as) ? ERR_OK : ERR_NO_MEMORY;
	if (err != ERR_OK)
		as->cost.max = before;
	space_unlock(as);
	return err;
}

enum err addr_space_charge(struct addr_space *as, uint64_t bytes)
{
	bool charged;

	space_lock(as);
	charged = cost_charge(as, bytes);
	space_unlock(as);
	return charged ? ERR_OK : ERR_NO_MEMORY;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* The limit of what a space and its forks cost together, as it is set and asked for; mm/cost.c counts. */
#include "mm/space.h"

bool cost_fits_limit(struct addr_space *as, uint64_t bytes)
{
	as->cost.exceeded = !limit_reserve(as, bytes) && (!held_drop(as) || !limit_reserve(as, bytes));
	return !as->cost.exceeded;
}

void limit_leave(struct addr_space *as)
{
	if (as->cost.limit)
		limit_charge_nothing(as);
	as->cost.limit = NULL;
}

enum err addr_space_set_limit(struct addr_space *as, struct addr_space_limit *limit)
{
	struct addr_space_limit *before = as->cost.limit;
	enum err err = ERR_OK;

	space_lock(as);
	limit_leave(as);
	as->cost.limit = limit;
	if (limit && !cost_fits_limit(as, 0)) {
		as->cost.limit = before;
		limit_settle(as);
		err = ERR_NO_MEMORY;
	}
	as->cost.exceeded = false;
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

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a space costs the host, and how much that may be.
 *
 * Resident memory is counted where leaves come and go, as ever. All else is `overhead`, which changes seldom: so a fault pays
 * nothing for a limit. It is asked about where a run of frames is taken, and counts all of that run then.
 */
#include "mm/space.h"

void cost_settle(struct addr_space *as)
{
	uint64_t high = max_u64(as->cost.high, as->stats.resident);

	as->stats.resident_peak = max_u64(as->stats.resident_peak, high);
	as->stats.memory_peak = max_u64(as->stats.memory_peak, high + as->cost.overhead);
	as->cost.high = as->stats.resident;
}

uint64_t cost_room(const struct addr_space *as)
{
	uint64_t taken = as->stats.resident + as->cost.overhead + as->cost.in_hand + (as->run.end - as->run.next);

	return as->cost.max > taken ? as->cost.max - taken : 0;
}

bool cost_fits(struct addr_space *as, uint64_t bytes)
{
	as->cost.exceeded = cost_room(as) < bytes && (!held_drop(as) || cost_room(as) < bytes);
	return !as->cost.exceeded;
}

void cost_hold(struct addr_space *as, uint64_t bytes)
{
	cost_settle(as);
	as->cost.overhead += bytes;
}

bool cost_charge(struct addr_space *as, uint64_t bytes)
{
	if (!cost_fits(as, bytes))
		return false;
	cost_hold(as, bytes);
	return true;
}

void cost_uncharge(struct addr_space *as, uint64_t bytes)
{
	cost_settle(as);
	as->cost.overhead -= bytes;
}

enum err addr_space_set_limit(struct addr_space *as, uint64_t max)
{
	uint64_t before = as->cost.max;
	enum err err;

	spin_lock(&as->lock);
	as->cost.max = max;
	err = cost_room(as) > 0 || max == as->stats.resident + as->cost.overhead ? ERR_OK : ERR_NO_MEMORY;
	if (err != ERR_OK)
		as->cost.max = before;
	spin_unlock(&as->lock);
	return err;
}

enum err addr_space_charge(struct addr_space *as, uint64_t bytes)
{
	bool charged;

	spin_lock(&as->lock);
	charged = cost_charge(as, bytes);
	spin_unlock(&as->lock);
	return charged ? ERR_OK : ERR_NO_MEMORY;
}

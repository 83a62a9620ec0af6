/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a space costs the host, and how much that may be.
 *
 * Resident memory is counted where leaves come and go, as ever. All else is `overhead`, which changes seldom: so a fault pays
 * nothing for a limit. It is asked about where a run of frames is taken, and counts all of that run then.
 */
#include "mm/space.h"

uint64_t cost_room(const struct addr_space *as)
{
	uint64_t taken = as->stats.resident + as->cost.overhead + as->cost.in_hand + (as->run.end - as->run.next);

	return as->cost.max > taken ? as->cost.max - taken : 0;
}

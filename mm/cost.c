/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a space costs the host.
 *
 * Resident memory is counted where leaves are mapped and unmapped. All else is `overhead`, which changes rarely. A fault pays
 * nothing for a limit: it is checked where a run of frames is taken, and all of the run counts from then on.
 */
#include "mm/space.h"

uint64_t cost_room(const struct addr_space *as)
{
	uint64_t taken = as->stats.resident + as->cost.overhead + as->cost.in_hand + (as->run.end - as->run.next);

	return as->cost.max > taken ? as->cost.max - taken : 0;
}

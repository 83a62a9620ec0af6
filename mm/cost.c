/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a space costs the host.
 *
 * Resident memory is counted where leaves are mapped and unmapped. Everything else is `overhead`, which changes rarely. The fault
 * fast path does not check the limit: it is checked when a run of frames is allocated, and all of the run counts from then on.
 */
#include "mm/space.h"

uint64_t cost_room(const struct addr_space *as)
{
	uint64_t taken = as->stats.resident + as->cost.overhead + as->cost.in_hand + (as->run.end - as->run.next);

	return as->cost.max > taken ? as->cost.max - taken : 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls that take as long as any can, one after the other and for ever: memory populated, protected, tracked and given back. */
#include "guest/rt/work.h"

int guest_main(void)
{
	struct rt_range room = rt_take(64ul << 20);

	rt_printf("long_calls: %s at a time\n", rt_size_text(room.size).text);
	for (;;) {
		rt_must(RT_CALL_SET_POLICY, room.start, room.size, RT_POLICY_4K);
		rt_must(RT_CALL_SET_POLICY, room.start, room.size, RT_POLICY_POPULATE);
		rt_must(RT_CALL_PROTECT, room.start, room.size, RT_READ);
		rt_hypercall(RT_CALL_TRACK, room.start, room.size, RT_TRACK_DIRTY_EXACT, ~0ul);
		rt_must(RT_CALL_PROTECT, room.start, room.size, RT_READ | RT_WRITE | RT_EXECUTE);
		rt_must(RT_CALL_DISCARD, room.start, room.size, 0);
	}
}

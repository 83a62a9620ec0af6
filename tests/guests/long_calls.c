/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Calls that take as long as any can, one after the other and for ever: memory populated, protected, tracked, forked and given
 * back, "mb=N" of the command line at a time, and text for the console.
 */
#include "command_line.h"
#include "guest/rt/work.h"
#include "tests/guests/check.h"
#include "tests/guests/option.h"

static char text[RT_CONSOLE_MAX];

/* In pages of 4 KiB, which take the longest. */
static void in_pages(struct rt_range room)
{
	for (uint64_t at = 0; at < room.size; at += RT_TRACK_MAX) {
		uint64_t size = room.size - at < RT_TRACK_MAX ? room.size - at : RT_TRACK_MAX;

		rt_hypercall(RT_CALL_TRACK, room.start + at, size, RT_TRACK_DIRTY_EXACT, ~0ul);
	}
}

int guest_main(void)
{
	struct rt_range room = rt_take(option(command_line(), "mb=", 64) << 20);

	rt_printf("long_calls: %s at a time\n", rt_size_text(room.size).text);
	for (unsigned round = 0;; round++) {
		uint64_t child;

		rt_must(RT_CALL_SET_POLICY, room.start, room.size, RT_POLICY_4K);
		rt_must(RT_CALL_SET_POLICY, room.start, room.size, RT_POLICY_POPULATE);
		in_pages(room);
		rt_must(RT_CALL_PROTECT, room.start, room.size, RT_READ);
		rt_must(RT_CALL_PROTECT, room.start, room.size, RT_READ | RT_WRITE | RT_EXECUTE);
		child = rt_fork();
		if (child == 0)
			return 0;
		rt_hypercall(RT_CALL_VM_WAIT, child, 0, 0, 0);
		if (round % 16 == 0)
			rt_hypercall(RT_CALL_CONSOLE_WRITE, (uint64_t)text, sizeof(text), 0, 0);
		rt_must(RT_CALL_DISCARD, room.start, room.size, 0);
	}
}

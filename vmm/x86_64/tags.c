/* SPDX-License-Identifier: BSD-2-Clause */
/* TLB tags: given one after the other, until there are no more. */
#include "vmm/x86_64/tags.h"

#define FIRST_TAG 1

void tags_init(struct tag_space *space, uint32_t end)
{
	*space = (struct tag_space){ .next = end, .end = end };
}

enum tag_state tags_take(struct tag_space *space, struct tag *tag)
{
	enum tag_state state = TAG_NEW;

	if (tag->space == space && tag->generation == space->generation)
		return TAG_KEPT;
	if (space->next == space->end) {
		space->generation++;
		space->next = FIRST_TAG;
		state = TAG_NEW_GENERATION;
	}
	*tag = (struct tag){ space, space->generation, space->next++ };
	return state;
}

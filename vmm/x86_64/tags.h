/* SPDX-License-Identifier: BSD-2-Clause */
/* The numbers by which a CPU's TLB tells vCPUs apart: ASIDs of SVM, VPIDs of VMX. */
#ifndef NESTLING_VMM_X86_64_TAGS_H
#define NESTLING_VMM_X86_64_TAGS_H

#include "include/types.h"

/* The tags of one CPU. When all have been given, a new generation begins: those of the old one are void. */
struct tag_space {
	uint64_t generation; /* from 1 on; 0: no tag has been given yet */
	uint32_t next, end;
};

/* The tag that a vCPU had last. All zero: none. */
struct tag {
	const struct tag_space *space; /* of the CPU that it ran on */
	uint64_t generation;           /* of the space */
	uint32_t number;
};

/* What the CPU may have cached for the tag that a vCPU has got. */
enum tag_state {
	TAG_KEPT,          /* what was cached when the vCPU left */
	TAG_NEW,           /* nothing */
	TAG_NEW_GENERATION /* anything, and so for every other tag: all are to be flushed before any is used */
};

/* The tags from 1 to `end` - 1, at least one. 0 is the host's. What was cached before for any of them is not known. */
void tags_init(struct tag_space *space, uint32_t end);

/* A vCPU comes to the CPU: give it a tag, its old one if that is still its own. */
enum tag_state tags_take(struct tag_space *space, struct tag *tag);

#endif

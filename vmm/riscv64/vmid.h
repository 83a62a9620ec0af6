/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VMIDs, by which a hart tells its cached translations of one vCPU from those of others. "Hypervisor Guest Address Translation and
 * Protection (hgatp) Register"; caches are a hart's own, so each hart gives out its VMIDs by itself.
 *
 * A vCPU has one of the hart that it ran on last. Two vCPUs of one VM have two, since their guest's own translations must not mix.
 * When a hart has given all of them, it begins again from the first one with a new generation: what vCPUs have of the generation
 * before is void.
 */
#ifndef NESTLING_VMM_RISCV64_VMID_H
#define NESTLING_VMM_RISCV64_VMID_H

#include "include/types.h"

/* A hart's. */
struct vmid_space {
	uint64_t generation; /* of no other hart, ever; not 0 */
	uint64_t next, size; /* VMIDs from `next` up to `size` have not been given in this generation */
};

/* A vCPU's. Zeros: it has none. */
struct vmid {
	uint64_t generation;
	uint64_t number;
};

/* VMID 0 is what firmware has left behind, and what hgatp holds while no guest is there: it is given only if there is no other. */
static inline uint64_t vmid_first(uint64_t size)
{
	return size > 1;
}

/* `hart`, below `harts`, numbers the space among all. */
static inline void vmid_space_init(struct vmid_space *space, unsigned hart, uint64_t size)
{
	*space = (struct vmid_space){ .generation = hart + 1, .next = vmid_first(size), .size = size };
}

/*
 * See that the vCPU has a VMID of this hart, on which it is about to run. True: it is a new one, and the hart may have cached
 * translations by it, which are another vCPU's: they must be flushed.
 */
static inline bool vmid_take(struct vmid_space *space, unsigned harts, struct vmid *vmid)
{
	if (vmid->generation == space->generation)
		return false;
	if (space->next == space->size) {
		space->generation += harts;
		space->next = vmid_first(space->size);
	}
	*vmid = (struct vmid){ .generation = space->generation, .number = space->next++ };
	return true;
}

#endif

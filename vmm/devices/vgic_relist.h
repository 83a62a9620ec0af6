/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The change of list registers that nearly all are, and what it has in common with all others (vgic_lists.c). In line, since it is
 * most of what an interrupt costs.
 */
#ifndef NESTLING_VMM_DEVICES_VGIC_RELIST_H
#define NESTLING_VMM_DEVICES_VGIC_RELIST_H

#include "vmm/devices/vgic_lists.h"

/* Nothing that is active, and nothing at all of the devices that all CPUs share. */
static inline bool vgic_is_plain(const struct vgic *gic, const struct vgic_bank *own)
{
	const struct vgic_bank *a = &gic->shared[0], *b = &gic->shared[1];

	return (own->active | a->active | b->active | (a->enabled & (a->latched | a->level)) |
		(b->enabled & (b->latched | b->level))) == 0;
}
_Static_assert(VGIC_BANKS == 3, "vgic_is_plain");

/*
 * An SGI of a GICv2 is of one sender at a time. While there are others, it stays pending, too, and its end is told of: their turn
 * comes then.
 */
static inline uint64_t vgic_sender_of(struct vgic_senders *sgis, struct vgic_bank *bank, unsigned id, uint64_t state)
{
	if (state & LR_PENDING) {
		sgis->listed[id] = (uint8_t)__builtin_ctz(sgis->pending[id] | 1u << VGIC_SGIS);
		sgis->pending[id] &= (uint8_t)(sgis->pending[id] - 1);
	}
	if (sgis->pending[id] != 0) {
		bank->latched |= 1u << id;
		state |= LR_EOI;
	}
	return state | (uint64_t)(sgis->listed[id] & 7) << LR_SENDER_SHIFT;
}

/* The end of a level is told of, since it may be high yet; a linked one interrupts again by itself. */
static inline uint64_t vgic_link_of(const struct vgic_bank *bank, unsigned id, uint32_t lines, const struct vgic_links *links)
{
	if (id < VGIC_PRIVATE && (lines & links->linkable) >> id & 1)
		return LR_LINKED | (uint64_t)links->physical[id - VGIC_SGIS] << LR_PINTID_SHIFT;
	return bank->edge >> id % 32 & 1 ? 0 : LR_EOI;
}

/* One of the CPU's own, of which none is active or listed. Compare list_pending. */
static inline void vgic_list_own(struct vgic *gic, unsigned n, unsigned id, uint32_t lines, const struct vgic_links *links)
{
	struct vgic_bank *own = &gic->own[n];
	struct vgic_cpu *cpu = &gic->cpu[n];
	uint32_t bit = 1u << id, latched = own->latched;
	uint64_t lr = LR_PENDING | vgic_link_of(own, id, lines, links);

	own->latched = latched & ~bit;
	if (id < VGIC_SGIS && gic->senders)
		lr = vgic_sender_of(&gic->sgis[n], own, id, lr);
	own->listed = bit;
	cpu->latched = (latched & bit) != 0;
	cpu->used = 1;
	cpu->lr[0] = lr | id | (uint64_t)own->priority[id] << LR_PRIORITY_SHIFT | (own->group1 & bit ? LR_GROUP_1 : 0);
}

/* Of a CPU's own, of which one was listed at most, none is any more. */
static inline void vgic_unlist_own(struct vgic_bank *own, struct vgic_cpu *cpu)
{
	own->listed = 0;
	own->dropped_pending = 0;
	own->dropped_active = 0;
	cpu->used = 0;
	cpu->latched = 0;
}

/*
 * Both at once, with the new lines of its own devices in between, for what is most frequent: one interrupt was listed at most, of
 * the CPU's own, and has been ended, as its register `lr` says; and one is to be, or none. RELIST_NOT: it is not so, and nothing
 * has changed. RELIST_TAKEN: what was listed is no more, and `lines` are in force, but vgic_list is to be called. The lines are
 * linked, if they can be. `*ended`: what vgic_unlist returns.
 */
enum relist { RELIST_NOT, RELIST_TAKEN, RELIST_DONE };
static inline __attribute__((always_inline)) enum relist vgic_relist(struct vgic *gic, unsigned n, uint64_t lr, uint32_t mask,
								     uint32_t lines, const struct vgic_links *links,
								     uint32_t *ended)
{
	struct vgic_cpu *cpu = &gic->cpu[n];
	struct vgic_bank *own = &gic->own[n];
	uint32_t ready;

	if (cpu->used > 1 || cpu->more || !vgic_is_plain(gic, own))
		return RELIST_NOT;
	*ended = 0;
	if (cpu->used == 1) {
		if (lr & (LR_PENDING | LR_ACTIVE) || LR_VINTID(lr) >= VGIC_PRIVATE)
			return RELIST_NOT;
		*ended = lr & LR_LINKED ? 1u << LR_VINTID(lr) : 0;
	}
	vgic_unlist_own(own, cpu);
	vgic_set_private(gic, n, mask, lines);
	ready = vgic_pending(gic, own);
	if (ready & (ready - 1))
		return RELIST_TAKEN;
	if (ready != 0)
		vgic_list_own(gic, n, (unsigned)__builtin_ctz(ready), lines, links);
	return RELIST_DONE;
}

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* What a virtual GIC puts into list registers, and what it reads from them. */
#include "vmm/devices/vgic_lists.h"

#include "vmm/devices/vgic_relist.h"

bool vgic_has_to_list(const struct vgic *gic, unsigned cpu)
{
	if (gic->cpu[cpu].used != 0 || vgic_ready(gic, &gic->own[cpu]) != 0)
		return true;
	for (unsigned i = 0; i < ARRAY_LEN(gic->shared); i++)
		if (vgic_ready(gic, &gic->shared[i]) != 0)
			return true;
	return false;
}

bool vgic_is_idle(const struct vgic *gic, unsigned cpu)
{
	return vgic_is_plain(gic, &gic->own[cpu]) && vgic_ready(gic, &gic->own[cpu]) == 0 && gic->cpu[cpu].used == 0;
}

/* --- List ------------------------------------------------------------------------------------------------------------ */

static inline __attribute__((always_inline)) void put(struct vgic *gic, unsigned n, unsigned id, uint64_t state)
{
	struct vgic_cpu *cpu = &gic->cpu[n];
	struct vgic_bank *bank = vgic_bank(gic, n, id);
	uint32_t bit = 1u << id % 32;

	if (state & LR_PENDING && bank->latched & bit)
		cpu->latched |= (uint16_t)(1u << cpu->used);
	if (state & LR_PENDING)
		bank->latched &= ~bit;
	if (id < VGIC_SGIS && gic->senders)
		state = vgic_sender_of(&gic->sgis[n], bank, id, state);
	bank->active &= ~bit;
	bank->listed |= bit;
	if (id >= VGIC_PRIVATE)
		gic->holder[id - VGIC_PRIVATE] = (uint8_t)n;
	cpu->lr[cpu->used++] =
		state | id | (uint64_t)bank->priority[id % 32] << LR_PRIORITY_SHIFT | (bank->group1 & bit ? LR_GROUP_1 : 0);
}

/* What the CPU has taken and not ended: it is to be found when that comes. */
static void list_active(struct vgic *gic, unsigned n, uint32_t lines, const struct vgic_links *links)
{
	struct vgic_cpu *cpu = &gic->cpu[n];

	for (unsigned i = 0; i < VGIC_BANKS; i++) {
		struct vgic_bank *bank = vgic_bank(gic, n, 32 * i);

		for (uint32_t left = bank->active & ~bank->listed; left != 0; left &= left - 1) {
			unsigned id = 32 * i + (unsigned)__builtin_ctz(left);
			uint32_t again = i == 0 && gic->senders ? 0 : bank->latched & bank->enabled & bank->edge;
			uint64_t link = vgic_link_of(bank, id, lines, links);

			if (i > 0 && gic->holder[id - VGIC_PRIVATE] != n)
				continue;
			if (cpu->used == gic->lists - 1) { /* the last one is for what is pending */
				cpu->more = true;
				return;
			}
			put(gic, n, id, LR_ACTIVE | link | (!(link & LR_LINKED) && again >> id % 32 & 1 ? LR_PENDING : 0));
		}
	}
}

static inline __attribute__((always_inline)) void list_pending(struct vgic *gic, unsigned n, unsigned id, uint32_t lines,
							       const struct vgic_links *links)
{
	put(gic, n, id, LR_PENDING | vgic_link_of(vgic_bank(gic, n, id), id, lines, links));
}

/* One by one in the order of their priorities, as many as there is room for. */
static void list_best(struct vgic *gic, unsigned n, uint32_t lines, const struct vgic_links *links)
{
	unsigned id, priority;

	while ((id = vgic_best(gic, n, &priority)) != VGIC_NONE && gic->cpu[n].used < gic->lists)
		list_pending(gic, n, id, lines, links);
	gic->cpu[n].more |= id != VGIC_NONE;
}

/* Mostly there is nothing, or one of the CPU's own. */
static bool list_only_one(struct vgic *gic, unsigned n, uint32_t lines, const struct vgic_links *links)
{
	uint32_t left = vgic_ready(gic, &gic->own[n]);

	for (unsigned i = 0; i < ARRAY_LEN(gic->shared); i++)
		if (vgic_ready(gic, &gic->shared[i]) != 0)
			return false;
	if (left & (left - 1) || gic->cpu[n].used == gic->lists)
		return false;
	if (left != 0)
		list_pending(gic, n, (unsigned)__builtin_ctz(left), lines, links);
	return true;
}

_Static_assert(VGIC_BANKS == 3, "vgic_list");

void vgic_list(struct vgic *gic, unsigned n, uint32_t lines, const struct vgic_links *links)
{
	struct vgic_cpu *cpu = &gic->cpu[n];
	cpu->used = 0;
	cpu->latched = 0;
	cpu->more = false;
	if (gic->own[n].active | gic->shared[0].active | gic->shared[1].active)
		list_active(gic, n, lines, links);
	if (!list_only_one(gic, n, lines, links))
		list_best(gic, n, lines, links);
	/* The next one's turn may come with any end. */
	for (unsigned i = 0; i < cpu->used && cpu->more; i++)
		cpu->lr[i] |= cpu->lr[i] & LR_LINKED ? 0 : LR_EOI;
}

/* --- Unlist ---------------------------------------------------------------------------------------------------------- */

/* True: it was linked, and has been ended. */
static bool take_back(struct vgic *gic, unsigned n, uint64_t lr, bool latched)
{
	unsigned id = LR_VINTID(lr);
	struct vgic_bank *bank = vgic_bank(gic, n, id);
	bool ended = lr & LR_LINKED && !(lr & (LR_PENDING | LR_ACTIVE));
	uint32_t bit = 1u << id % 32;

	if (lr & LR_PENDING && latched)
		bank->latched |= bit & ~bank->dropped_pending;
	if (lr & LR_PENDING && id < VGIC_SGIS && gic->senders)
		gic->sgis[n].pending[id] |= (uint8_t)(1u << (lr >> LR_SENDER_SHIFT & 7));
	if (lr & LR_ACTIVE)
		bank->active |= bit & ~bank->dropped_active;
	bank->listed &= ~bit;
	bank->dropped_pending &= ~bit;
	bank->dropped_active &= ~bit;
	/* It has been given to another one meanwhile. */
	if (id >= VGIC_PRIVATE && !(gic->targets[id - VGIC_PRIVATE] >> n & 1))
		vgic_changed(gic, gic->targets[id - VGIC_PRIVATE]);
	return ended;
}

uint32_t vgic_unlist(struct vgic *gic, unsigned n)
{
	struct vgic_cpu *cpu = &gic->cpu[n];
	uint32_t ended = 0;

	for (unsigned i = 0; i < cpu->used; i++)
		if (take_back(gic, n, cpu->lr[i], cpu->latched >> i & 1))
			ended |= 1u << LR_VINTID(cpu->lr[i]);
	cpu->used = 0;
	return ended;
}

/* --- Ends --------------------------------------------------------------------------------------------------------------- */

/* Of what the CPU has taken and not ended, the one of the highest priority. */
static unsigned first_active(struct vgic *gic, unsigned n)
{
	unsigned best = VGIC_NONE, priority = VGIC_PRIORITY_IDLE;

	for (unsigned id = 0; id < VGIC_INTERRUPTS; id++) {
		const struct vgic_bank *bank = vgic_bank(gic, n, id);

		if (!(bank->active >> id % 32 & 1) || bank->priority[id % 32] >= priority ||
		    (id >= VGIC_PRIVATE && gic->holder[id - VGIC_PRIVATE] != n))
			continue;
		best = id;
		priority = bank->priority[id % 32];
	}
	return best;
}

void vgic_end_unlisted(struct vgic *gic, unsigned n, unsigned count)
{
	unsigned id;

	while (count-- > 0 && (id = first_active(gic, n)) != VGIC_NONE)
		vgic_bank(gic, n, id)->active &= ~(1u << id % 32);
}

void vgic_deactivate(struct vgic *gic, unsigned n, unsigned id)
{
	struct vgic_bank *bank;

	if (id >= VGIC_INTERRUPTS)
		return;
	bank = vgic_bank(gic, n, id);
	if (bank->listed >> id % 32 & 1) { /* by another CPU */
		bank->dropped_active |= 1u << id % 32;
		gic->changed(gic, gic->holder[id - VGIC_PRIVATE]);
		return;
	}
	bank->active &= ~(1u << id % 32);
	vgic_changed(gic, id < VGIC_PRIVATE ? 1u << n : gic->targets[id - VGIC_PRIVATE]);
}

void vgic_offer(struct vgic *gic, unsigned n)
{
	for (unsigned i = 0; i < ARRAY_LEN(gic->shared); i++)
		for (uint32_t left = vgic_ready(gic, &gic->shared[i]); left != 0; left &= left - 1)
			vgic_changed(gic, gic->targets[32 * i + (unsigned)__builtin_ctz(left)] & ~(1u << n));
}

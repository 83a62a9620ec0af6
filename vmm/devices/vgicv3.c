/* SPDX-License-Identifier: BSD-2-Clause */
/* What a virtual GICv3 puts into list registers, and what it reads from them. */
#include "vmm/devices/vgicv3.h"

#include "vmm/devices/vgicv3_registers.h"

#define INTID_MASK       0xffffffu
#define SGI_ID(value)    ((unsigned)((value) >> 24 & 0xf))
#define SGI_AFF1(value)  ((value) >> 16 & 0xff)
#define SGI_AFF2(value)  ((value) >> 32 & 0xff)
#define SGI_AFF3(value)  ((value) >> 48 & 0xff)
#define SGI_RS(value)    ((value) >> 44 & 0xf)
#define SGI_ALL_BUT_SELF BIT(40)

static struct vgicv3 *of(struct vgic *gic)
{
	return CONTAINER_OF(gic, struct vgicv3, gic);
}

/* Where nothing is listed, and nothing is to be, there is nothing to do. */
static void changed(struct vgic *gic, unsigned cpu)
{
	uint32_t ready = vgic_ready(gic, &gic->own[cpu]);

	for (unsigned i = 0; i < ARRAY_LEN(gic->shared); i++)
		ready |= vgic_ready(gic, &gic->shared[i]);
	if (ready != 0 || of(gic)->cpu[cpu].used != 0)
		of(gic)->notify(of(gic), cpu);
}

/* --- List ------------------------------------------------------------------------------------------------------------ */

static inline __attribute__((always_inline)) void put(struct vgicv3 *gic, unsigned n, unsigned id, uint64_t state)
{
	struct vgicv3_cpu *cpu = &gic->cpu[n];
	struct vgic_bank *bank = vgic_bank(&gic->gic, n, id);
	uint32_t bit = 1u << id % 32;

	if (state & LR_PENDING && bank->latched & bit)
		cpu->latched |= (uint16_t)(1u << cpu->used);
	if (state & LR_PENDING)
		bank->latched &= ~bit;
	bank->active &= ~bit;
	bank->listed |= bit;
	if (id >= VGIC_PRIVATE)
		gic->gic.holder[id - VGIC_PRIVATE] = (uint8_t)n;
	cpu->lr[cpu->used++] =
		state | id | (uint64_t)bank->priority[id % 32] << LR_PRIORITY_SHIFT | (bank->group1 & bit ? LR_GROUP_1 : 0);
}

/* The end of a level is told of, since it may be high yet; a linked one interrupts again by itself. */
static inline uint64_t link_of(const struct vgic_bank *bank, unsigned id, uint32_t linked, const uint16_t *physical)
{
	if (id < VGIC_PRIVATE && linked >> id & 1)
		return LR_LINKED | (uint64_t)physical[id - VGIC_SGIS] << LR_PINTID_SHIFT;
	return bank->edge >> id % 32 & 1 ? 0 : LR_EOI;
}

/* What the CPU has taken and not ended: it is to be found when that comes. */
static void list_active(struct vgicv3 *gic, unsigned n, uint32_t linked, const uint16_t *physical)
{
	struct vgicv3_cpu *cpu = &gic->cpu[n];

	for (unsigned i = 0; i < VGIC_BANKS; i++) {
		struct vgic_bank *bank = vgic_bank(&gic->gic, n, 32 * i);

		for (uint32_t left = bank->active & ~bank->listed; left != 0; left &= left - 1) {
			unsigned id = 32 * i + (unsigned)__builtin_ctz(left);
			uint32_t again = bank->latched & bank->enabled & bank->edge;
			uint64_t link = link_of(bank, id, linked, physical);

			if (i > 0 && gic->gic.holder[id - VGIC_PRIVATE] != n)
				continue;
			if (cpu->used == gic->lists - 1) { /* the last one is for what is pending */
				cpu->more = true;
				return;
			}
			put(gic, n, id, LR_ACTIVE | link | (!(link & LR_LINKED) && again >> id % 32 & 1 ? LR_PENDING : 0));
		}
	}
}

static inline __attribute__((always_inline)) void list_pending(struct vgicv3 *gic, unsigned n, unsigned id, uint32_t linked,
							       const uint16_t *physical)
{
	put(gic, n, id, LR_PENDING | link_of(vgic_bank(&gic->gic, n, id), id, linked, physical));
}

/* One by one in the order of their priorities, as many as there is room for. */
static void list_best(struct vgicv3 *gic, unsigned n, uint32_t linked, const uint16_t *physical)
{
	unsigned id, priority;

	while ((id = vgic_best(&gic->gic, n, &priority)) != VGIC_NONE && gic->cpu[n].used < gic->lists)
		list_pending(gic, n, id, linked, physical);
	gic->cpu[n].more |= id != VGIC_NONE;
}

/* Mostly there is nothing, or one of the CPU's own. */
static bool list_only_one(struct vgicv3 *gic, unsigned n, uint32_t linked, const uint16_t *physical)
{
	uint32_t left = vgic_ready(&gic->gic, &gic->gic.own[n]);

	for (unsigned i = 0; i < ARRAY_LEN(gic->gic.shared); i++)
		if (vgic_ready(&gic->gic, &gic->gic.shared[i]) != 0)
			return false;
	if (left & (left - 1) || gic->cpu[n].used == gic->lists)
		return false;
	if (left != 0)
		list_pending(gic, n, (unsigned)__builtin_ctz(left), linked, physical);
	return true;
}

_Static_assert(VGIC_BANKS == 3, "vgicv3_list");

void vgicv3_list(struct vgicv3 *gic, unsigned n, uint32_t linked, const uint16_t physical[])
{
	struct vgicv3_cpu *cpu = &gic->cpu[n];
	cpu->used = 0;
	cpu->latched = 0;
	cpu->more = false;
	if (gic->gic.own[n].active | gic->gic.shared[0].active | gic->gic.shared[1].active)
		list_active(gic, n, linked, physical);
	if (!list_only_one(gic, n, linked, physical))
		list_best(gic, n, linked, physical);
	/* The next one's turn may come with any end. */
	for (unsigned i = 0; i < cpu->used && cpu->more; i++)
		cpu->lr[i] |= cpu->lr[i] & LR_LINKED ? 0 : LR_EOI;
}

/* --- Unlist ---------------------------------------------------------------------------------------------------------- */

/* True: it was linked, and has been ended. */
static bool take_back(struct vgicv3 *gic, unsigned n, uint64_t lr, bool latched)
{
	unsigned id = LR_VINTID(lr);
	struct vgic_bank *bank = vgic_bank(&gic->gic, n, id);
	bool ended = lr & LR_LINKED && !(lr & (LR_PENDING | LR_ACTIVE));
	uint32_t bit = 1u << id % 32;

	if (lr & LR_PENDING && latched)
		bank->latched |= bit & ~bank->dropped_pending;
	if (lr & LR_ACTIVE)
		bank->active |= bit & ~bank->dropped_active;
	bank->listed &= ~bit;
	bank->dropped_pending &= ~bit;
	bank->dropped_active &= ~bit;
	/* It has been given to another one meanwhile. */
	if (id >= VGIC_PRIVATE && !(gic->gic.targets[id - VGIC_PRIVATE] >> n & 1))
		vgic_changed(&gic->gic, gic->gic.targets[id - VGIC_PRIVATE]);
	return ended;
}

uint32_t vgicv3_unlist(struct vgicv3 *gic, unsigned n)
{
	struct vgicv3_cpu *cpu = &gic->cpu[n];
	uint32_t ended = 0;

	for (unsigned i = 0; i < cpu->used; i++)
		if (take_back(gic, n, cpu->lr[i], cpu->latched >> i & 1))
			ended |= 1u << LR_VINTID(cpu->lr[i]);
	cpu->used = 0;
	return ended;
}

/* --- Both ------------------------------------------------------------------------------------------------------------- */

/* Nothing that is active, and nothing at all of the devices that all CPUs share. */
static inline bool is_plain(const struct vgic *gic, const struct vgic_bank *own)
{
	const struct vgic_bank *a = &gic->shared[0], *b = &gic->shared[1];

	return (own->active | a->active | b->active | (a->enabled & (a->latched | a->level)) |
		(b->enabled & (b->latched | b->level))) == 0;
}
_Static_assert(VGIC_BANKS == 3, "is_plain");

enum relist vgicv3_relist(struct vgicv3 *gic, unsigned n, uint64_t lr, uint32_t mask, uint32_t lines, const uint16_t physical[],
			  uint32_t *ended)
{
	struct vgicv3_cpu *cpu = &gic->cpu[n];
	struct vgic_bank *own = &gic->gic.own[n];
	uint32_t ready;

	if (cpu->used > 1 || cpu->more || !is_plain(&gic->gic, own))
		return RELIST_NOT;
	*ended = 0;
	if (cpu->used == 1) {
		uint32_t bit = 1u << LR_VINTID(lr) % 32;

		if (lr & (LR_PENDING | LR_ACTIVE) || LR_VINTID(lr) >= VGIC_PRIVATE)
			return RELIST_NOT;
		own->listed &= ~bit;
		own->dropped_pending &= ~bit;
		own->dropped_active &= ~bit;
		*ended = lr & LR_LINKED ? bit : 0;
		cpu->used = 0;
	}
	cpu->latched = 0;
	vgic_set_private(&gic->gic, n, mask, lines);
	ready = vgic_ready(&gic->gic, own);
	if (ready & (ready - 1))
		return RELIST_TAKEN;
	if (ready != 0)
		list_pending(gic, n, (unsigned)__builtin_ctz(ready), lines, physical);
	return RELIST_DONE;
}

/* --- Ends --------------------------------------------------------------------------------------------------------------- */

/* Of what the CPU has taken and not ended, the one of the highest priority. */
static unsigned first_active(struct vgicv3 *gic, unsigned n)
{
	unsigned best = VGIC_NONE, priority = VGIC_PRIORITY_IDLE;

	for (unsigned id = 0; id < VGIC_INTERRUPTS; id++) {
		const struct vgic_bank *bank = vgic_bank(&gic->gic, n, id);

		if (!(bank->active >> id % 32 & 1) || bank->priority[id % 32] >= priority ||
		    (id >= VGIC_PRIVATE && gic->gic.holder[id - VGIC_PRIVATE] != n))
			continue;
		best = id;
		priority = bank->priority[id % 32];
	}
	return best;
}

void vgicv3_end_unlisted(struct vgicv3 *gic, unsigned n, unsigned count)
{
	unsigned id;

	while (count-- > 0 && (id = first_active(gic, n)) != VGIC_NONE)
		vgic_bank(&gic->gic, n, id)->active &= ~(1u << id % 32);
}

/* --- System registers ------------------------------------------------------------------------------------------------- */

void vgicv3_deactivate(struct vgicv3 *gic, unsigned n, uint64_t value)
{
	unsigned id = (unsigned)(value & INTID_MASK);
	struct vgic_bank *bank;

	if (id >= VGIC_INTERRUPTS)
		return;
	bank = vgic_bank(&gic->gic, n, id);
	if (bank->listed >> id % 32 & 1) { /* by another CPU */
		bank->dropped_active |= 1u << id % 32;
		changed(&gic->gic, gic->gic.holder[id - VGIC_PRIVATE]);
		return;
	}
	bank->active &= ~(1u << id % 32);
	vgic_changed(&gic->gic, id < VGIC_PRIVATE ? 1u << n : gic->gic.targets[id - VGIC_PRIVATE]);
}

/* "ICC_SGI1R_EL1". A CPU's affinity is its number. */
void vgicv3_send(struct vgicv3 *gic, unsigned n, unsigned group, uint64_t value)
{
	unsigned all = (1u << gic->gic.cpus) - 1, bit = 1u << SGI_ID(value), targets;

	if (value & SGI_ALL_BUT_SELF)
		targets = all & ~(1u << n);
	else if (SGI_AFF1(value) || SGI_AFF2(value) || SGI_AFF3(value) || SGI_RS(value))
		return;
	else
		targets = all & (unsigned)(value & 0xffff);
	for (unsigned left = targets; left != 0; left &= left - 1) {
		struct vgic_bank *bank = &gic->gic.own[__builtin_ctz(left)];

		if (((bank->group1 & bit) != 0) == (group == 1))
			bank->latched |= bit;
		else
			targets &= ~(left & -left);
	}
	vgic_changed(&gic->gic, targets);
}

/* --- Made -------------------------------------------------------------------------------------------------------------- */

void vgicv3_init(struct vgicv3 *gic, unsigned cpus, unsigned lists, uint64_t gicd, uint64_t gicr)
{
	*gic = (struct vgicv3){ .lists = lists };
	vgic_init(&gic->gic, cpus);
	gic->gic.changed = changed;
	gic->gic.groups = true;
	for (unsigned i = 0; i < ARRAY_LEN(gic->gic.targets); i++)
		gic->gic.targets[i] = 1; /* GICD_IROUTER is 0: the first CPU */
	vgicv3_attach(gic, gicd, gicr);
}

void vgicv3_fork(struct vgicv3 *child, const struct vgicv3 *parent)
{
	*child = *parent;
	vgicv3_attach(child, parent->distributor.base, parent->redistributors.base);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* A virtual GICv3, and its system registers that trap. */
#include "vmm/devices/vgicv3.h"

#include "vmm/devices/vgic_lists.h"
#include "vmm/devices/vgicv3_registers.h"

#define INTID_MASK       0xffffffu
#define SGI_ID(value)    ((unsigned)((value) >> 24 & 0xf))
#define SGI_AFF1(value)  ((value) >> 16 & 0xff)
#define SGI_AFF2(value)  ((value) >> 32 & 0xff)
#define SGI_AFF3(value)  ((value) >> 48 & 0xff)
#define SGI_RS(value)    ((value) >> 44 & 0xf)
#define SGI_ALL_BUT_SELF BIT(40)

static void changed(struct vgic *gic, unsigned cpu)
{
	if (vgic_has_to_list(gic, cpu))
		gic->notify(gic, cpu);
}

/* --- System registers ------------------------------------------------------------------------------------------------- */

void vgicv3_deactivate(struct vgicv3 *gic, unsigned n, uint64_t value)
{
	vgic_deactivate(&gic->gic, n, (unsigned)(value & INTID_MASK));
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
	*gic = (struct vgicv3){ 0 };
	vgic_init(&gic->gic, cpus, lists);
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

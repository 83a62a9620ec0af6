/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * List registers: what they hold the CPU delivers by itself, and the guest takes and ends it, without an exit. A CPU has them with
 * its GICv3, as system registers, or with its GICv2, in memory; what they say is the same. Sources: GIC Architecture
 * Specification, versions 3 and 4 (IHI 0069), 6.3 "Operation of the virtual CPU interface", "ICH_LR<n>_EL2"; version 2.0 (IHI
 * 0048), 5.2 "Managing the GIC virtual CPU interface", 5.3.8 "List Registers, GICH_LRn".
 *
 * Between vgic_list and vgic_unlist some of a CPU's interrupts are *listed*: their state is in list registers and what is in
 * memory may be out of date. Who changes one of them meanwhile notes it, and has the CPU unlist them and list them again.
 *
 * All of this is under the lock of the VM's devices.
 */
#ifndef NESTLING_VMM_DEVICES_VGIC_LISTS_H
#define NESTLING_VMM_DEVICES_VGIC_LISTS_H

#include "include/types.h"
#include "vmm/devices/vgic.h"

/* "ICH_LR<n>_EL2"; in memory a GICv2's are in this format, too. */
#define LR_VINTID(lr)     ((unsigned)((lr)&0xffffffff))
#define LR_PINTID_SHIFT   32
#define LR_SENDER_SHIFT   32      /* of an SGI of a GICv2: the CPU that sent it */
#define LR_EOI            BIT(41) /* of one that is not linked: its end is to be told of */
#define LR_PRIORITY_SHIFT 48
#define LR_GROUP_1        BIT(60)
#define LR_LINKED         BIT(61) /* its end ends a physical interrupt, too */
#define LR_PENDING        BIT(62)
#define LR_ACTIVE         BIT(63)

/*
 * The same in the 32 bits of "GICH_LRn", where priorities are the five bits that count. The physical interrupt's number, or of one
 * that is not linked the sender and LR_EOI, has the same ten bits in both.
 */
static inline uint32_t lr_to_gich(uint64_t lr)
{
	return (uint32_t)((lr & 0x3ff) | (lr >> LR_PINTID_SHIFT & 0x3ff) << 10 | (lr >> (LR_PRIORITY_SHIFT + 3) & 0x1f) << 23 |
			  (lr >> 62 & 3) << 28 | (lr >> 60 & 1) << 30 | (lr >> 61 & 1) << 31);
}

/* What has become of one that was written as `lr`: but for the state, the CPU leaves all as it is. */
static inline uint64_t lr_after_gich(uint64_t lr, uint32_t gich)
{
	return (lr & ~(LR_PENDING | LR_ACTIVE)) | (uint64_t)(gich >> 28 & 3) << 62;
}

/* Which of a CPU's own interrupts, from 16 on, can be linked to physical ones. */
struct vgic_links {
	uint32_t linkable;            /* a bit for each */
	uint16_t physical[VGIC_SGIS]; /* the physical one's number, by id - 16 */
};

/* Is something listed for this CPU, or to be? */
bool vgic_has_to_list(const struct vgic *gic, unsigned cpu);
/* There is nothing of the kind, and no interrupt is active. As a hint without the lock. */
bool vgic_is_idle(const struct vgic *gic, unsigned cpu);

/*
 * Choose what is to be in the list registers of a CPU: cpu[n].lr. Of its own interrupts those in `lines` are linked, if they can
 * be.
 */
void vgic_list(struct vgic *gic, unsigned cpu, uint32_t lines, const struct vgic_links *links);

/*
 * The CPU's list registers hold now what is in cpu[n].lr; what they say becomes the interrupts' state. Returns those of its own
 * interrupts that were linked and are no more: their physical one has been ended.
 */
uint32_t vgic_unlist(struct vgic *gic, unsigned cpu);

/* So many interrupts that are in no list register were ended (EOIcount of the CPU): those of the highest priority. */
void vgic_end_unlisted(struct vgic *gic, unsigned cpu, unsigned count);

/* ICC_DIR_EL1 or GICC_DIR, written by a CPU of which nothing is listed: the interrupt, any number, is not active any more. */
void vgic_deactivate(struct vgic *gic, unsigned cpu, unsigned id);

/* A CPU of which nothing is listed is away for a while: tell the others that may have what is pending for several. */
void vgic_offer(struct vgic *gic, unsigned cpu);

#endif

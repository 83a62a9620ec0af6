/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Arm's Generic Interrupt Controller, version 3: distributor and redistributors in software, for CPUs whose own GICv3 has list
 * registers. What those hold the CPU delivers by itself, and the guest takes and ends it, without an exit. Sources: GIC
 * Architecture Specification, versions 3 and 4 (IHI 0069), chapters 4, 6.3 "Operation of the virtual CPU interface", 12.9 "The GIC
 * Distributor register descriptions", 12.11 "The GIC Redistributor register descriptions"; "ICH_LR<n>_EL2".
 *
 * Between vgicv3_list and vgicv3_unlist some of a CPU's interrupts are *listed*: their state is in list registers and what is in
 * memory may be out of date. Who changes one of them meanwhile notes it, and has the CPU unlist them and list them again.
 */
#ifndef NESTLING_VMM_DEVICES_VGICV3_H
#define NESTLING_VMM_DEVICES_VGICV3_H

#include "include/types.h"
#include "vmm/devices/vgic.h"

#define VGICV3_GICD_BYTES 0x10000
#define VGICV3_GICR_BYTES 0x20000 /* of each CPU */
#define VGICV3_LISTS      16

/* "ICH_LR<n>_EL2" */
#define LR_VINTID(lr)     ((unsigned)((lr)&0xffffffff))
#define LR_PINTID_SHIFT   32
#define LR_EOI            BIT(41) /* of one that is not linked: its end is to be told of */
#define LR_PRIORITY_SHIFT 48
#define LR_GROUP_1        BIT(60)
#define LR_LINKED         BIT(61) /* its end ends a physical interrupt, too */
#define LR_PENDING        BIT(62)
#define LR_ACTIVE         BIT(63)

struct vgicv3_cpu {
	uint64_t lr[VGICV3_LISTS]; /* what the list registers hold, or are to hold */
	uint16_t latched;          /* list registers whose interrupt was pending for more than its level */
	uint8_t used;              /* so many, from the first one on; the others hold nothing that counts */
	bool more;                 /* more is pending or active than they hold */
	bool awake;                /* GICR_WAKER */
};

struct vgicv3 {
	struct vgic gic;
	struct io_device distributor, redistributors;
	unsigned lists; /* list registers that the CPUs have */
	struct vgicv3_cpu cpu[VGIC_CPUS];
	uint64_t router[VGIC_INTERRUPTS - VGIC_PRIVATE]; /* GICD_IROUTER<n> */

	/* What a CPU has listed is about to be read: have vgicv3_unlist called, and vgicv3_list before it goes on. May be NULL. */
	void (*sample)(struct vgicv3 *gic, unsigned cpu);
	/* What is to be listed for a CPU has perhaps changed. */
	void (*notify)(struct vgicv3 *gic, unsigned cpu);
};

void vgicv3_init(struct vgicv3 *gic, unsigned cpus, unsigned lists, uint64_t gicd, uint64_t gicr);

/* The same state as another one, of which nothing is listed. The devices are in no table. */
void vgicv3_fork(struct vgicv3 *child, const struct vgicv3 *parent);

/*
 * Choose what is to be in the list registers of a CPU: cpu[n].lr. Of its own interrupts those in `linked` are linked to a physical
 * one, by the number of physical[id - 16].
 */
void vgicv3_list(struct vgicv3 *gic, unsigned cpu, uint32_t linked, const uint16_t physical[]);

/*
 * The CPU's list registers hold now what is in cpu[n].lr; what they say becomes the interrupts' state. Returns those of its own
 * interrupts that were linked and are no more: their physical one has been ended.
 */
uint32_t vgicv3_unlist(struct vgicv3 *gic, unsigned cpu);

/*
 * Both at once, with the new lines of its own devices in between, for what is most frequent: one interrupt was listed at most, of
 * the CPU's own, and has been ended, as its register `lr` says; and one is to be, or none. RELIST_NOT: it is not so, and nothing
 * has changed. RELIST_TAKEN: what was listed is no more, and `lines` are in force, but vgicv3_list is to be called. The lines are
 * all linked. `*ended`: what vgicv3_unlist returns.
 */
enum relist { RELIST_NOT, RELIST_TAKEN, RELIST_DONE };
enum relist vgicv3_relist(struct vgicv3 *gic, unsigned cpu, uint64_t lr, uint32_t mask, uint32_t lines, const uint16_t physical[],
			  uint32_t *ended);

/* So many interrupts that are in no list register were ended (ICH_HCR_EL2.EOIcount): those of the highest priority. */
void vgicv3_end_unlisted(struct vgicv3 *gic, unsigned cpu, unsigned count);

/* ICC_DIR_EL1, ICC_SGI0R_EL1 (group 0) and ICC_SGI1R_EL1, written by a CPU of which nothing is listed. */
void vgicv3_deactivate(struct vgicv3 *gic, unsigned cpu, uint64_t value);
void vgicv3_send(struct vgicv3 *gic, unsigned cpu, unsigned group, uint64_t value);

#endif

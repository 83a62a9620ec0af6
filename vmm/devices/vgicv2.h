/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Arm's Generic Interrupt Controller, version 2, in software: distributor and CPU interfaces, without Security Extensions, grouping
 * and virtualization. Source: GIC Architecture Specification, version 2.0 (IHI 0048), chapters 3 and 4.
 */
#ifndef NESTLING_VMM_DEVICES_VGICV2_H
#define NESTLING_VMM_DEVICES_VGICV2_H

#include "include/types.h"
#include "vmm/devices/vgic.h"

#define VGICV2_CPUS       8 /* the architecture has no more */
#define VGICV2_GICD_BYTES 0x10000
#define VGICV2_GICC_BYTES 0x10000

struct vgicv2_cpu {
	uint8_t sources[VGIC_SGIS]; /* of each SGI that is pending, who has sent it, one bit each */
	uint32_t ctlr, pmr, bpr, abpr;
	uint32_t apr;   /* GICC_APR0: group priorities of what has been taken and not ended, one bit each; 0 is the highest */
	bool signalled; /* the CPU's interrupt request is raised, for this interrupt, of this priority: */
	unsigned next, priority;
};

struct vgicv2 {
	struct vgic gic;
	struct io_device distributor, interface;
	struct vgicv2_cpu cpu[VGICV2_CPUS];

	/* Before an access of a CPU is served: have vgic_set_private called for what may have changed. May be NULL. */
	void (*sample)(struct vgicv2 *gic, unsigned cpu);
	/* A CPU's request has been raised, or taken back. */
	void (*notify)(struct vgicv2 *gic, unsigned cpu);
};

/* With one to VGICV2_CPUS CPUs, its registers at these addresses. `sample` and `notify` are the caller's to set. */
void vgicv2_init(struct vgicv2 *gic, unsigned cpus, uint64_t gicd, uint64_t gicc);

/* Registers of the CPU interface that are accessed for each interrupt: an acknowledgement, and an end. */
enum { GICC_IAR = 0x0c, GICC_EOIR = 0x10 };

/*
 * These two by a CPU, of which all has been looked at anew. `notify` is not called for itself: see what is signalled to it then.
 */
uint32_t vgicv2_acknowledge(struct vgicv2 *gic, unsigned cpu);
void vgicv2_end(struct vgicv2 *gic, unsigned cpu, uint32_t value);

/* Look anew whether a CPU's request is raised; `notify` is not called. */
bool vgicv2_update(struct vgicv2 *gic, unsigned cpu);

/* The same state as another one, which stays where it is. The devices are in no table. */
void vgicv2_fork(struct vgicv2 *child, const struct vgicv2 *parent);

static inline struct vgicv2 *vgicv2_of(struct vgic *gic)
{
	return CONTAINER_OF(gic, struct vgicv2, gic);
}

#endif

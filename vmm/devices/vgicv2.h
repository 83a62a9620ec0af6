/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Arm's Generic Interrupt Controller, version 2: a distributor in software, without Security Extensions, grouping and
 * virtualization. The CPU interfaces are in software, too, or the CPUs' own: where those have list registers (vgic_lists.h), the
 * guest's registers are the GIC virtual CPU interface (GICV), which is mapped for it, and only GICC_DIR, in the page behind, is
 * here. Source: GIC Architecture Specification, version 2.0 (IHI 0048), chapters 3, 4 and 5.
 */
#ifndef NESTLING_VMM_DEVICES_VGICV2_H
#define NESTLING_VMM_DEVICES_VGICV2_H

#include "include/types.h"
#include "vmm/devices/vgic.h"

#define VGICV2_CPUS       8 /* the architecture has no more */
#define VGICV2_GICD_BYTES 0x10000
#define VGICV2_GICC_BYTES 0x10000

struct vgicv2_cpu {
	uint32_t ctlr, pmr, bpr, abpr;
	uint32_t apr;   /* GICC_APR0: group priorities of what has been taken and not ended, one bit each; 0 is the highest */
	bool signalled; /* the CPU's interrupt request is raised, for this interrupt, of this priority: */
	unsigned next, priority;
};

struct vgicv2 {
	struct vgic gic;
	struct io_device distributor, interface;
	struct vgicv2_cpu cpu[VGICV2_CPUS]; /* without list registers */
};

/* With one to VGICV2_CPUS CPUs, which have so many list registers, its registers at these addresses. */
void vgicv2_init(struct vgicv2 *gic, unsigned cpus, unsigned lists, uint64_t gicd, uint64_t gicc);

/* Registers that are accessed for each interrupt: of the CPU interface an acknowledgement, and an end; of the distributor, to send
 * one. */
enum { GICC_IAR = 0x0c, GICC_EOIR = 0x10, GICD_SGIR = 0xf00 };

/* A CPU, one of those that there are, writes GICD_SGIR. */
void vgicv2_send(struct vgicv2 *gic, unsigned cpu, uint32_t value);

/*
 * Without list registers, these two by a CPU, of which all has been looked at anew. `notify` is not called for itself: see what is
 * signalled to it then.
 */
uint32_t vgicv2_acknowledge(struct vgicv2 *gic, unsigned cpu);
void vgicv2_end(struct vgicv2 *gic, unsigned cpu, uint32_t value);

/* Without list registers: look anew whether a CPU's request is raised; `notify` is not called. */
bool vgicv2_update(struct vgicv2 *gic, unsigned cpu);

/* The same state as another one, of which nothing is listed. The devices are in no table. */
void vgicv2_fork(struct vgicv2 *child, const struct vgicv2 *parent);

static inline struct vgicv2 *vgicv2_of(struct vgic *gic)
{
	return CONTAINER_OF(gic, struct vgicv2, gic);
}

#endif

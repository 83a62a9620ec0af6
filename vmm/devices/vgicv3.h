/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Arm's Generic Interrupt Controller, version 3: distributor and redistributors in software, for CPUs whose own GICv3 has list
 * registers (vgic_lists.h), and with them the CPU interface. Sources: GIC Architecture Specification, versions 3 and 4 (IHI 0069),
 * chapters 4, 12.9 "The GIC Distributor register descriptions", 12.11 "The GIC Redistributor register descriptions".
 */
#ifndef NESTLING_VMM_DEVICES_VGICV3_H
#define NESTLING_VMM_DEVICES_VGICV3_H

#include "include/types.h"
#include "vmm/devices/vgic.h"

#define VGICV3_GICD_BYTES 0x10000
#define VGICV3_GICR_BYTES 0x20000 /* of each CPU */

struct vgicv3 {
	struct vgic gic;
	struct io_device distributor, redistributors;
	bool awake[VGIC_CPUS];                           /* GICR_WAKER */
	uint64_t router[VGIC_INTERRUPTS - VGIC_PRIVATE]; /* GICD_IROUTER<n> */
};

/* `lists`: list registers that the CPUs have; one at least. */
void vgicv3_init(struct vgicv3 *gic, unsigned cpus, unsigned lists, uint64_t gicd, uint64_t gicr);

/* The same state as another one, of which nothing is listed. The devices are in no table. */
void vgicv3_fork(struct vgicv3 *child, const struct vgicv3 *parent);

/* ICC_DIR_EL1, ICC_SGI0R_EL1 (group 0) and ICC_SGI1R_EL1, written by a CPU of which nothing is listed. */
void vgicv3_deactivate(struct vgicv3 *gic, unsigned cpu, uint64_t value);
void vgicv3_send(struct vgicv3 *gic, unsigned cpu, unsigned group, uint64_t value);

#endif

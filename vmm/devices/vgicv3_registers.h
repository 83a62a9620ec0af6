/* SPDX-License-Identifier: BSD-2-Clause */
/* The registers of a virtual GICv3 that are in memory. */
#ifndef NESTLING_VMM_DEVICES_VGICV3_REGISTERS_H
#define NESTLING_VMM_DEVICES_VGICV3_REGISTERS_H

#include "vmm/devices/vgicv3.h"

/* Fill in both devices: the distributor and the redistributors of all CPUs, one behind the other. */
void vgicv3_attach(struct vgicv3 *gic, uint64_t gicd, uint64_t gicr);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The paravirtual panic device: one register of 8 bits, to which a kernel that has panicked writes so. Reading it tells which
 * events it takes.
 * Sources: QEMU docs/specs/pvpanic.rst; Linux Documentation/devicetree/bindings/misc/pvpanic-mmio.txt.
 */
#ifndef NESTLING_VMM_DEVICES_PVPANIC_H
#define NESTLING_VMM_DEVICES_PVPANIC_H

#include "vmm/devices/device.h"

#define PVPANIC_PANICKED 1 /* the event that is taken; a crash kernel that goes on by itself is none */

struct pvpanic {
	struct io_device device;
	void (*panicked)(struct pvpanic *pvpanic, unsigned vcpu); /* with the lock of the device's table */
};

/* `size` bytes are the device's, of which the first is the register; the others read 0. */
void pvpanic_init(struct pvpanic *pvpanic, enum io_space space, uint64_t base, uint64_t size);

#endif

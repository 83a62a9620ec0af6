/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An emulated I/O APIC: the levels of devices' lines become messages to local APICs.
 * Sources: Intel 82093AA data sheet, "Register Description"; the EOI register: Intel I/O Controller Hub data sheets, "APIC
 * (D31:F0)".
 */
#ifndef NESTLING_VMM_DEVICES_IOAPIC_H
#define NESTLING_VMM_DEVICES_IOAPIC_H

#include "vmm/devices/device.h"

#define IOAPIC_INPUTS 24
#define IOAPIC_SIZE   0x1000 /* of its registers in memory */

/* Delivery modes, of local APICs' messages too. Intel SDM vol. 3 "Interrupt Command Register (ICR)". */
enum delivery_mode {
	DELIVER_FIXED = 0,
	DELIVER_LOWEST = 1,
	DELIVER_SMI = 2,
	DELIVER_NMI = 4,
	DELIVER_INIT = 5,
	DELIVER_STARTUP = 6,
	DELIVER_EXTINT = 7,
};

struct ioapic_message {
	uint8_t destination, vector;
	bool logical, level;
	enum delivery_mode mode;
};

struct ioapic {
	struct io_device device;
	uint8_t index; /* the register that the window shows */
	uint8_t id;
	uint64_t entry[IOAPIC_INPUTS]; /* "I/O Redirection Table Registers" */
	uint32_t asserted;             /* inputs, a bit each */
	/* Hand a message to the local APICs, with the lock of the device's table. False: none has taken it. */
	bool (*deliver)(struct ioapic *ioapic, const struct ioapic_message *message);
};

/* Set up at `base`, in its reset state: all inputs masked. */
void ioapic_init(struct ioapic *ioapic, uint64_t base, bool (*deliver)(struct ioapic *, const struct ioapic_message *));

/* An input has a new level; a local APIC has ended the interrupt of a level with this vector. With the table's lock. */
void ioapic_set_line(struct ioapic *ioapic, unsigned input, bool level);
void ioapic_end(struct ioapic *ioapic, uint8_t vector);

#endif

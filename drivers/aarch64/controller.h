/* SPDX-License-Identifier: BSD-2-Clause */
/* The machine's interrupt controller: what the firmware's tables say of it, and the drivers. */
#ifndef NESTLING_DRIVERS_AARCH64_CONTROLLER_H
#define NESTLING_DRIVERS_AARCH64_CONTROLLER_H

#include "drivers/platform.h"
#include "include/err.h"

struct cpu;

/* Of a GICv3 one for each CPU and the distributor, if the table lists the redistributors so. */
#define CONTROLLER_REGIONS 80

/* Registers, bytes. */
struct controller_region {
	uint64_t start, size;
};

struct controller {
	const struct controller_driver *driver; /* NULL: there is none that has one */
	unsigned timer;                         /* the number of the interrupt of EL2's physical timer */
	uint64_t stride;                        /* GICv3: from one CPU's redistributor to the next; 0: as GICR_TYPER says */
	uint64_t offset;                        /* bcm2836: of the peripherals' controller in its page */
	unsigned regions;
	struct controller_region region[CONTROLLER_REGIONS]; /* in the order of the driver's own */
};

/* All on the CPU that calls. */
struct controller_driver {
	const char *name;
	/* Deliver EL2's timer and what other CPUs send, and nothing else. Errors: ERR_UNSUPPORTED, with `why`. */
	enum err (*start)(const struct controller *controller, struct cpu *cpu, const char **why);
	/* Take all that is pending: a mask of enum controller_event. */
	unsigned (*take)(const struct controller *controller, struct cpu *cpu);
	void (*send)(const struct controller *controller, const struct cpu *to);
	/* Send to all others that they are to stop. */
	void (*stop)(const struct controller *controller, const struct cpu *cpu);
};

enum controller_event { CONTROLLER_TIMER = 1, CONTROLLER_IPI = 2, CONTROLLER_STOP = 4 };

extern const struct controller_driver gicv2, gicv3, bcm2836;

/* Order of each driver's regions. */
enum { GIC_DISTRIBUTOR, GICV2_CPU_INTERFACE, GICV3_REDISTRIBUTORS = 1 };
enum { BCM2836_LOCAL, BCM2836_PERIPHERALS };

/* What CPUs send each other, as numbers of interrupts: software generated ones of a GIC. */
enum { SGI_IPI, SGI_STOP };

/* Find it. The firmware's map is in force. False: the tables name none that has a driver. */
bool controller_find(const struct platform *platform, struct controller *controller);

#endif

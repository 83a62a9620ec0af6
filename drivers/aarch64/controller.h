/* SPDX-License-Identifier: BSD-2-Clause */
/* The machine's interrupt controller: what the firmware's tables say of it, and the drivers. */
#ifndef NESTLING_DRIVERS_AARCH64_CONTROLLER_H
#define NESTLING_DRIVERS_AARCH64_CONTROLLER_H

#include "drivers/aarch64/interrupts.h"
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
	unsigned guest_timer[GUEST_TIMERS];     /* the same of EL1's */
	unsigned maintenance;                   /* the same of what list registers tell of; 0: not said */
	uint64_t stride;                        /* GICv3: from one CPU's redistributor to the next; 0: as GICR_TYPER says */
	uint64_t offset;                        /* bcm2836: of the peripherals' controller in its page */
	bool lists;                             /* GICv2: its list registers are in use. Constant once the first CPU is enabled */
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
	/* Let interrupts of EL1's timers come to this CPU: those of the mask `open`, of BIT(enum guest_timer). One that comes is
	 * closed by `take`, which takes its bit out of cpu->arch.open_timers. */
	void (*open_timers)(const struct controller *controller, const struct cpu *cpu, unsigned open);
	/* Send to all others that they are to stop. */
	void (*stop)(const struct controller *controller, const struct cpu *cpu);
	/* Has it list registers for guests (vmm/devices/vgic_lists.h)? The hypervisor's own map is in force. NULL: no. */
	bool (*has_lists)(const struct controller *controller);
};

/* Which of EL1's timers the interrupt of this number is, as a mask; 0: none. */
static inline uint8_t controller_timer_of(const struct controller *controller, uint32_t id)
{
	unsigned timers = 0;

	for (unsigned i = 0; i < GUEST_TIMERS; i++)
		timers |= controller->guest_timer[i] == id ? 1u << i : 0;
	return (uint8_t)timers;
}

/* CONTROLLER_GUEST: one of EL1's timers, or list registers. */
enum controller_event { CONTROLLER_TIMER = 1, CONTROLLER_IPI = 2, CONTROLLER_GUEST = 4, CONTROLLER_STOP = 8 };

extern const struct controller_driver gicv2, gicv3, bcm2836;

/* interrupts_listen_to_lists */
void gicv2_listen_to_lists(const struct controller *controller, bool listen);

/* Order of each driver's regions. Of a GICv2 the last two, for list registers, are there both or not at all. */
enum { GIC_DISTRIBUTOR, GICV2_CPU_INTERFACE, GICV2_CONTROL, GICV2_GUEST_INTERFACE, GICV3_REDISTRIBUTORS = 1 };
enum { BCM2836_LOCAL, BCM2836_PERIPHERALS };

/* What CPUs send each other, as numbers of interrupts: software generated ones of a GIC. */
enum { SGI_IPI, SGI_STOP };

/* Find it. The firmware's map is in force. False: the tables name none that has a driver. */
bool controller_find(const struct platform *platform, struct controller *controller);

#endif

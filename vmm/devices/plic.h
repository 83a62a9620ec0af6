/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An emulated platform-level interrupt controller (PLIC): it takes the lines of a VM's devices to its harts. Each hart has one
 * context, that of supervisor mode; context and hart have the same number.
 * Source: RISC-V Platform-Level Interrupt Controller Specification 1.0.0; the sections that comments name are its.
 */
#ifndef NESTLING_VMM_DEVICES_PLIC_H
#define NESTLING_VMM_DEVICES_PLIC_H

#include "vmm/devices/device.h"

#define PLIC_SIZE     UINT64_C(0x600000)
#define PLIC_SOURCES  32 /* numbers of lines; 0 is none */
#define PLIC_CONTEXTS 16
#define PLIC_LEVELS   8 /* of priority; 0 never interrupts */

struct plic_context {
	uint32_t enabled; /* of the sources, one bit each, as in all words here */
	uint8_t threshold;
};

struct plic {
	struct io_device device;
	unsigned contexts;
	uint32_t level;   /* the lines as they are */
	uint32_t pending; /* requests that no context has claimed */
	uint32_t claimed; /* and those that one has, and not completed: no request of the source comes through before */
	uint8_t priority[PLIC_SOURCES];
	struct plic_context context[PLIC_CONTEXTS];
	uint32_t asserted; /* contexts for which an interrupt is pending; atomic: plic_is_asserted */
	void (*changed)(struct plic *plic, unsigned context);
};

/*
 * Set up at `base`, in its reset state, with contexts 0 to `contexts` - 1. `changed` is called, with the lock of the device's
 * table, when plic_is_asserted has a new answer for a context.
 */
void plic_init(struct plic *plic, uint64_t base, unsigned contexts, void (*changed)(struct plic *plic, unsigned context));

/* A source has a new level. With the lock of the device's table: for its `set_line`. */
void plic_set_line(struct plic *plic, unsigned line, bool level);

/* Is an external interrupt pending for the context's hart? Any CPU, without a lock. */
static inline bool plic_is_asserted(const struct plic *plic, unsigned context)
{
	return __atomic_load_n(&plic->asserted, __ATOMIC_ACQUIRE) >> context & 1;
}

#endif

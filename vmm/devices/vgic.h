/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the versions of Arm's Generic Interrupt Controller have in common: the state of each interrupt, and the registers of the
 * distributor that hold it. Sources: GIC Architecture Specification, version 2.0 (IHI 0048), chapter 4.3; versions 3 and 4 (IHI
 * 0069), chapters 4 and 12, "GICD_ISENABLER<n>" and those like it.
 *
 * Interrupts 0 to 15 are software generated (SGI), 16 to 31 private ones of a CPU (PPI): each CPU has its own. From 32 on they are
 * shared (SPI), the lines of devices. All of this is under the lock of the VM's devices.
 */
#ifndef NESTLING_VMM_DEVICES_VGIC_H
#define NESTLING_VMM_DEVICES_VGIC_H

#include "include/types.h"
#include "vmm/devices/device.h"

#define VGIC_CPUS       16
#define VGIC_SGIS       16
#define VGIC_PRIVATE    32
#define VGIC_BANKS      3 /* of 32 interrupts; the first one is each CPU's own */
#define VGIC_INTERRUPTS (32 * VGIC_BANKS)
#define VGIC_NONE       1023u /* no interrupt */
#define VGIC_LISTS      16    /* list registers of a CPU that are used: vgic_lists.h */

/* Priorities have five bits, as many as list registers have at least. 0 is the highest. */
#define VGIC_PRIORITY_BITS 5
#define VGIC_PRIORITY_MASK 0xf8u
#define VGIC_PRIORITY_IDLE 0x100u /* lower than all */

/* 32 interrupts, one bit each. */
struct vgic_bank {
	uint32_t enabled;
	uint32_t group1;
	uint32_t latched; /* pending until taken: by an edge, by another CPU, or by GICD_ISPENDR */
	uint32_t level;   /* the line of a device is high */
	uint32_t edge;    /* of the line its rise counts, else its level */
	uint32_t active;
	/* In a list register of a CPU (vgic_lists.h): `latched` and `active` say only what was added since, and these what was
	 * taken away. */
	uint32_t listed, dropped_pending, dropped_active;
	uint8_t priority[32];
};

/* What a CPU has besides its bank. */
struct vgic_cpu {
	uint64_t lr[VGIC_LISTS]; /* what the list registers hold, or are to hold */
	uint16_t latched;        /* list registers whose interrupt was pending for more than its level */
	uint8_t used;            /* so many, from the first one on; the others hold nothing that counts */
	bool more;               /* more is pending or active than they hold */
};

/* GICv2: of each SGI of a CPU. */
struct vgic_senders {
	uint8_t pending[VGIC_SGIS]; /* who has sent it, while it is pending; one bit each */
	uint8_t listed[VGIC_SGIS];  /* who has sent the one that is in a list register, or was and is active */
};

struct vgic {
	unsigned cpus;
	unsigned lists; /* list registers that the CPUs have; 0: interrupts are delivered without them */
	uint32_t ctlr;  /* GICD_CTLR: bit 0 enables group 0, bit 1 group 1 */
	struct vgic_bank own[VGIC_CPUS];
	struct vgic_bank shared[VGIC_BANKS - 1];
	uint16_t targets[VGIC_INTERRUPTS - VGIC_PRIVATE]; /* CPUs that an SPI may go to, one bit each */
	uint8_t holder[VGIC_INTERRUPTS - VGIC_PRIVATE];   /* the CPU that has it listed, or had last */
	struct vgic_cpu cpu[VGIC_CPUS];
	struct vgic_senders sgis[VGIC_CPUS];
	bool senders;           /* GICv2: an SGI comes with the CPU that sent it */
	bool groups;            /* GICD_IGROUPR can be written */
	uint32_t fixed_pending; /* of the first bank, what GICD_ISPENDR and GICD_ICPENDR do not change */

	/* What is pending for a CPU has perhaps changed. */
	void (*changed)(struct vgic *gic, unsigned cpu);

	/*
	 * The owner's, to set. `sample`, which may be NULL: an access of this CPU is about to be served that depends on what is in
	 * the CPU. With list registers vgic_unlist is to be called, and vgic_list before it goes on; without, vgic_set_private for
	 * what may have changed. `notify`: with list registers, what is to be listed for a CPU has perhaps changed; without, its
	 * request has been raised, or taken back.
	 */
	void (*sample)(struct vgic *gic, unsigned cpu);
	void (*notify)(struct vgic *gic, unsigned cpu);
};

/* `sample` and `notify` are set later. */
void vgic_init(struct vgic *gic, unsigned cpus, unsigned lists);

/* The bank that an interrupt is in, for a CPU. */
static inline struct vgic_bank *vgic_bank(struct vgic *gic, unsigned cpu, unsigned id)
{
	return id < VGIC_PRIVATE ? &gic->own[cpu] : &gic->shared[id / 32 - 1];
}

static inline bool vgic_is_pending(const struct vgic_bank *bank, unsigned id)
{
	return (bank->latched | (bank->level & ~bank->edge)) >> id % 32 & 1;
}

/* Call `changed` for all CPUs of a mask. */
void vgic_changed(struct vgic *gic, unsigned cpus);

/* A device's line, of an SPI, has a new level. */
void vgic_set_line(struct vgic *gic, unsigned id, bool level);

/* The lines that `mask` names are as `level` says; nobody is told. */
static inline void vgic_set_level(struct vgic_bank *bank, uint32_t mask, uint32_t level)
{
	uint32_t rises = mask & level & ~bank->level;

	bank->latched |= rises & bank->edge;
	bank->level = (bank->level & ~mask) | (level & mask);
}

/* The lines of a CPU's own devices, those that `mask` names, are as `level` says. Returns what has changed; `changed` is not
 * called. */
static inline uint32_t vgic_set_private(struct vgic *gic, unsigned cpu, uint32_t mask, uint32_t level)
{
	struct vgic_bank *bank = &gic->own[cpu];
	uint32_t change = (bank->level ^ level) & mask;

	if (change != 0)
		vgic_set_level(bank, mask, level);
	return change;
}

/* Of a bank, those that are pending and enabled. Most banks have none. */
static inline uint32_t vgic_pending(const struct vgic *gic, const struct vgic_bank *bank)
{
	uint32_t pending = bank->enabled & (bank->latched | (bank->level & ~bank->edge));

	if (pending == 0)
		return 0;
	return pending & ((gic->ctlr & BIT(0) ? ~bank->group1 : 0) | (gic->ctlr & BIT(1) ? bank->group1 : 0));
}

/* And that are not active, and in no list register. */
static inline uint32_t vgic_ready(const struct vgic *gic, const struct vgic_bank *bank)
{
	uint32_t pending = vgic_pending(gic, bank);

	return pending == 0 ? 0 : pending & ~(bank->active | bank->listed);
}

/*
 * The pending interrupt of the highest priority that is enabled, not active, and in no list register; of several the one with the
 * lowest number. VGIC_NONE: there is none, and `*priority` is VGIC_PRIORITY_IDLE.
 */
unsigned vgic_best(const struct vgic *gic, unsigned cpu, unsigned *priority);

/*
 * An access by a CPU to the registers of each interrupt: GICD_IGROUPR to GICD_IPRIORITYR, and GICD_ICFGR. They are words, but for
 * priorities, which are bytes, too. Only the banks from `first` on, and before `end`, are there. False: it is another register.
 */
bool vgic_access(struct vgic *gic, unsigned cpu, unsigned first, unsigned end, uint64_t offset, struct io_access *io);

/* Of a register whose bytes are separate: byte n of what is written; and put byte n into what is read. */
static inline uint8_t vgic_byte_of(const struct io_access *io, unsigned n)
{
	return (uint8_t)(io->value >> 8 * n);
}

static inline void vgic_put_byte(struct io_access *io, unsigned n, uint8_t byte)
{
	io->value |= (uint64_t)byte << 8 * n;
}

/* Give the accessed part of the word at `offset` (rounded down to one) to a read. */
void vgic_give_word(struct io_access *io, uint64_t offset, uint32_t word);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Arm's Generic Interrupt Controller, versions 3 and 4: the CPU's end by system registers, a redistributor for each CPU in memory.
 * Source: GIC Architecture Specification, versions 3 and 4 (IHI 0069), "Programmers' Model".
 *
 * All is group 1 of the Non-secure state. Where there is but one security state, bits of the distributor's control register have
 * other names, but those that are written here are at the same places.
 */
#include "drivers/aarch64/controller.h"

#include "drivers/aarch64/timer.h"
#include "include/arch/aarch64/guarded.h"
#include "include/arch/cpu.h"
#include "include/mmio.h"

enum {
	GICD_CTLR = 0x000,
	GICD_TYPER = 0x004,
	GICD_ICENABLER = 0x180,
};
/* In a redistributor's first frame, and in its second one. */
enum {
	GICR_CTLR = 0x00000,
	GICR_TYPER = 0x00008,
	GICR_WAKER = 0x00014,
	GICR_IGROUPR = 0x10080,
	GICR_ISENABLER = 0x10100,
	GICR_ICENABLER = 0x10180,
	GICR_ISACTIVER = 0x10300,
	GICR_ICACTIVER = 0x10380,
	GICR_IPRIORITYR = 0x10400,
	GICR_IGRPMODR = 0x10d00,
};

#define GICD_CTLR_GROUP_1 BIT(1)
#define GICD_CTLR_ARE     BIT(4)  /* CPUs are named by their affinity */
#define GICD_CTLR_RWP     BIT(31) /* the last write is not in effect yet */
#define GICR_CTLR_RWP     BIT(3)
#define GICR_TYPER_VLPIS  BIT(1) /* two more frames */
#define GICR_TYPER_LAST   BIT(4)
#define GICR_WAKER_SLEEP  BIT(1)
#define GICR_WAKER_ASLEEP BIT(2)
#define GICR_FRAMES       KIB(128)

#define TYPER_LINES(typer) ((typer)&0x1f)
#define IAR_ID             0xffffffu
#define IAR_NOTHING        1020u
#define PRIORITY           0x80u
#define PRIORITY_ALL       0xffu

#define SGI_ID_SHIFT     24
#define SGI_ALL_BUT_SELF BIT(40)

/* Reads of a register whose bit is to change; far more than any controller takes. */
#define PATIENCE 1000000

static bool wait_for_zero(uint64_t address, uint64_t bits)
{
	for (unsigned i = 0; i < PATIENCE; i++)
		if (!(mmio_read32(address) & bits))
			return true;
	return false;
}

/* As GICR_TYPER[63:32] has it. */
static uint32_t packed_affinity(uint64_t mpidr)
{
	return (uint32_t)(mpidr >> 32 & 0xff) << 24 | (uint32_t)(mpidr & 0xffffff);
}

/* In one range of redistributors; 0: it is not there. */
static uint64_t find_in(const struct controller_region *region, uint64_t stride, uint32_t affinity)
{
	uint64_t at = region->start, left = region->size, step;

	for (; left >= GICR_FRAMES; at += step, left -= step) {
		uint32_t typer = mmio_read32(at + GICR_TYPER);

		if (mmio_read32(at + GICR_TYPER + 4) == affinity)
			return at;
		step = max_u64(stride, typer & GICR_TYPER_VLPIS ? 2 * GICR_FRAMES : GICR_FRAMES);
		if (typer & GICR_TYPER_LAST || step > left)
			break;
	}
	return 0;
}

static uint64_t find_redistributor(const struct controller *controller, const struct cpu *cpu)
{
	uint32_t affinity = packed_affinity(cpu->hw_id);
	uint64_t found = 0;

	for (unsigned i = GICV3_REDISTRIBUTORS; i < controller->regions && found == 0; i++)
		found = find_in(&controller->region[i], controller->stride, affinity);
	return found;
}

/* Nobody takes the interrupts of devices. ARE must not change while a group is enabled. */
static bool start_distributor(uint64_t gicd)
{
	uint32_t lines = TYPER_LINES(mmio_read32(gicd + GICD_TYPER));
	uint32_t are = mmio_read32(gicd + GICD_CTLR) & GICD_CTLR_ARE;

	mmio_write32(gicd + GICD_CTLR, are);
	if (!wait_for_zero(gicd + GICD_CTLR, GICD_CTLR_RWP))
		return false;
	mmio_write32(gicd + GICD_CTLR, GICD_CTLR_ARE);
	for (uint32_t i = 1; i <= lines; i++)
		mmio_write32(gicd + GICD_ICENABLER + 4 * i, UINT32_MAX);
	if (!wait_for_zero(gicd + GICD_CTLR, GICD_CTLR_RWP))
		return false;
	mmio_write32(gicd + GICD_CTLR, GICD_CTLR_ARE | GICD_CTLR_GROUP_1);
	return wait_for_zero(gicd + GICD_CTLR, GICD_CTLR_RWP);
}

static bool start_redistributor(uint64_t gicr, const struct controller *controller)
{
	const unsigned ours[] = {
		SGI_IPI,
		SGI_STOP,
		controller->timer,
		controller->maintenance,
		controller->guest_timer[GUEST_TIMER_VIRTUAL],
		controller->guest_timer[GUEST_TIMER_PHYSICAL],
	};

	mmio_write32(gicr + GICR_WAKER, mmio_read32(gicr + GICR_WAKER) & ~(uint32_t)GICR_WAKER_SLEEP);
	if (!wait_for_zero(gicr + GICR_WAKER, GICR_WAKER_ASLEEP))
		return false;
	mmio_write32(gicr + GICR_ICENABLER, UINT32_MAX);
	if (!wait_for_zero(gicr + GICR_CTLR, GICR_CTLR_RWP))
		return false;
	mmio_write32(gicr + GICR_IGROUPR, UINT32_MAX);
	mmio_write32(gicr + GICR_IGRPMODR, 0);
	mmio_write32(gicr + GICR_ICACTIVER, UINT32_MAX);
	for (size_t i = 0; i < GUEST_TIMERS; i++)
		mmio_write32(gicr + GICR_ISACTIVER, 1u << controller->guest_timer[i]); /* closed */
	for (size_t i = 0; i < ARRAY_LEN(ours); i++) {
		mmio_write8(gicr + GICR_IPRIORITYR + ours[i], PRIORITY);
		mmio_write32(gicr + GICR_ISENABLER, 1u << ours[i]);
	}
	return true;
}

/* Only the hypervisor has the registers: see reset_gic (vmm/aarch64/boot_state.c) for what guests find. */
static bool start_cpu_interface(void)
{
	uint64_t sre;

	if (!sysreg_try_read(ICC_SRE_EL2, &sre))
		return false;
	write_sysreg(ICC_SRE_EL2, (sre | ICC_SRE_SRE) & ~ICC_SRE_ENABLE);
	isb();
	if (!(read_sysreg(ICC_SRE_EL2) & ICC_SRE_SRE))
		return false;
	write_sysreg(ICC_PMR_EL1, PRIORITY_ALL);
	write_sysreg(ICC_BPR1_EL1, 0);
	write_sysreg(ICC_CTLR_EL1, read_sysreg(ICC_CTLR_EL1) | ICC_CTLR_EOIMODE);
	write_sysreg(ICC_IGRPEN1_EL1, 1);
	isb();
	return true;
}

static enum err start(const struct controller *controller, struct cpu *cpu, const char **why)
{
	uint64_t gicr = find_redistributor(controller, cpu);

	*why = NULL;
	if (gicr == 0)
		*why = "the GIC has no redistributor for it";
	else if (cpu->id == 0 && !start_distributor(controller->region[GIC_DISTRIBUTOR].start))
		*why = "the GIC's distributor does not answer";
	else if (!start_redistributor(gicr, controller))
		*why = "its GIC redistributor does not wake up";
	else if (!start_cpu_interface())
		*why = "it has no system registers for its GIC, or firmware withholds them";
	cpu->arch.redistributor = gicr;
	return *why ? ERR_UNSUPPORTED : ERR_OK;
}

static void silence(const struct controller *controller, const struct cpu *cpu, uint32_t id)
{
	if (id < 32)
		mmio_write32(cpu->arch.redistributor + GICR_ICENABLER, 1u << id);
	else if (id < IAR_NOTHING)
		mmio_write32(controller->region[GIC_DISTRIBUTOR].start + GICD_ICENABLER + id / 32 * 4, 1u << id % 32);
}

static unsigned take(const struct controller *controller, struct cpu *cpu)
{
	unsigned events = 0;
	uint64_t iar;
	uint32_t id;

	while ((id = (uint32_t)(iar = read_sysreg(ICC_IAR1_EL1)) & IAR_ID) < IAR_NOTHING) {
		uint8_t timers = controller_timer_of(controller, id);

		if (timers != 0) {
			cpu->arch.open_timers &= (uint8_t)~timers;
			cpu->arch.taken_timers |= timers;
			events |= CONTROLLER_GUEST;
		} else if (id == controller->timer) {
			timer_stop();
			events |= CONTROLLER_TIMER;
		} else if (id == controller->maintenance) {
			write_sysreg(ICH_HCR_EL2,
				     read_sysreg(ICH_HCR_EL2) &
					     ~ICH_HCR_EN); /* until the list registers are written anew: see arch_vcpu_deliver */
			isb();
			events |= CONTROLLER_GUEST;
		} else if (id == SGI_IPI) {
			events |= CONTROLLER_IPI;
		} else if (id == SGI_STOP) {
			events |= CONTROLLER_STOP;
		} else {
			silence(controller, cpu, id);
		}
		write_sysreg(ICC_EOIR1_EL1, iar);
		isb();
		if (timers == 0)
			write_sysreg(ICC_DIR_EL1, iar);
	}
	return events;
}

/* One that is active interrupts no more, until it is deactivated: by us, or by the guest that a linked one was given to. */
static void open_timers(const struct controller *controller, const struct cpu *cpu, unsigned open)
{
	uint64_t gicr = cpu->arch.redistributor;

	for (unsigned i = 0; i < GUEST_TIMERS; i++)
		mmio_write32(gicr + (open >> i & 1 ? GICR_ICACTIVER : GICR_ISACTIVER), 1u << controller->guest_timer[i]);
}

/* "ICC_SGI1R_EL1": Aff3, RS, Aff2, the interrupt, Aff1, and a bit for each of 16 of Aff0. */
static void send(const struct controller *controller, const struct cpu *to)
{
	uint64_t aff0 = to->hw_id & 0xff, aff1 = to->hw_id >> 8 & 0xff, aff2 = to->hw_id >> 16 & 0xff,
		 aff3 = to->hw_id >> 32 & 0xff;

	(void)controller;
	write_sysreg(ICC_SGI1R_EL1,
		     aff3 << 48 | aff0 / 16 << 44 | aff2 << 32 | (uint64_t)SGI_IPI << SGI_ID_SHIFT | aff1 << 16 | BIT(aff0 % 16));
	isb();
}

static void stop(const struct controller *controller, const struct cpu *cpu)
{
	(void)controller;
	(void)cpu;
	write_sysreg(ICC_SGI1R_EL1, SGI_ALL_BUT_SELF | (uint64_t)SGI_STOP << SGI_ID_SHIFT);
	isb();
}

/* Where the CPU's end is used by system registers, these are there, too. */
static bool has_lists(const struct controller *controller)
{
	(void)controller;
	return true;
}

const struct controller_driver gicv3 = { "GICv3", start, take, send, open_timers, stop, has_lists };

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Arm's Generic Interrupt Controller, versions 1 and 2: distributor and CPU interfaces in memory, for up to 8 CPUs.
 * Source: GIC Architecture Specification, version 2.0 (IHI 0048), chapters 3 and 4.
 *
 * What is written is right in both views. With the Security Extensions, all that we see is group 1, and bit 0 of the control
 * registers enables it; without them all is group 0, and that bit enables that.
 */
#include "drivers/aarch64/controller.h"

#include "drivers/aarch64/timer.h"
#include "include/arch/cpu.h"
#include "include/mmio.h"

enum {
	GICD_CTLR = 0x000,
	GICD_TYPER = 0x004,
	GICD_ISENABLER = 0x100,
	GICD_ICENABLER = 0x180,
	GICD_ISACTIVER = 0x300,
	GICD_ICACTIVER = 0x380,
	GICD_IPRIORITYR = 0x400,
	GICD_ITARGETSR = 0x800,
	GICD_SGIR = 0xf00,
};
/* Of the virtual interface control, GICH. */
enum {
	GICH_HCR = 0x00,
	GICH_VTR = 0x04,
};
enum {
	GICC_CTLR = 0x00,
	GICC_PMR = 0x04,
	GICC_BPR = 0x08,
	GICC_IAR = 0x0c,
	GICC_EOIR = 0x10,
};

#define CTLR_ENABLE        1u
#define GICH_HCR_EN        1u
#define TYPER_LINES(typer) ((typer)&0x1f) /* words of 32 interrupts behind the first one */
#define IAR_ID             0x3ffu
#define IAR_NOTHING        1020u /* from here on no number is an interrupt's */
#define PRIORITY           0x80u
#define PRIORITY_ALL       0xffu
#define SGIR_ALL_BUT_SELF  (1u << 24)
#define SGIR_TARGETS_SHIFT 16

static uint64_t distributor(const struct controller *controller)
{
	return controller->region[GIC_DISTRIBUTOR].start;
}

static uint64_t cpu_interface(const struct controller *controller)
{
	return controller->region[GICV2_CPU_INTERFACE].start;
}

static uint64_t control(const struct controller *controller)
{
	return controller->region[GICV2_CONTROL].start;
}

static bool has_lists(const struct controller *controller)
{
	uint32_t vtr;

	if (controller->regions <= GICV2_GUEST_INTERFACE)
		return false;
	vtr = mmio_read32(control(controller) + GICH_VTR);
	return vtr != 0 && vtr != UINT32_MAX;
}

/* List registers tell of nothing yet. EL1's timers are closed: see open_timers. */
static void start_lists(const struct controller *controller)
{
	uint64_t gicd = distributor(controller);

	mmio_write32(control(controller) + GICH_HCR, 0);
	mmio_write8(gicd + GICD_IPRIORITYR + controller->maintenance, PRIORITY);
	mmio_write32(gicd + GICD_ICACTIVER, UINT32_MAX);
	for (size_t i = 0; i < GUEST_TIMERS; i++) {
		mmio_write32(gicd + GICD_ISACTIVER, 1u << controller->guest_timer[i]);
		mmio_write32(gicd + GICD_ISENABLER, 1u << controller->guest_timer[i]);
	}
}

void gicv2_listen_to_lists(const struct controller *controller, bool listen)
{
	mmio_write32(distributor(controller) + (listen ? GICD_ISENABLER : GICD_ICENABLER), 1u << controller->maintenance);
}

/* Until they are written anew: see arch_vcpu_deliver. */
static void stop_lists(const struct controller *controller)
{
	uint64_t hcr = control(controller) + GICH_HCR;

	mmio_write32(hcr, mmio_read32(hcr) & ~GICH_HCR_EN);
}

/* Nobody takes the interrupts of devices. */
static void start_distributor(uint64_t gicd)
{
	uint32_t lines = TYPER_LINES(mmio_read32(gicd + GICD_TYPER));

	for (uint32_t i = 1; i <= lines; i++)
		mmio_write32(gicd + GICD_ICENABLER + 4 * i, UINT32_MAX);
	mmio_write32(gicd + GICD_CTLR, CTLR_ENABLE);
}

static enum err start(const struct controller *controller, struct cpu *cpu, const char **why)
{
	uint64_t gicd = distributor(controller), gicc = cpu_interface(controller);
	const unsigned ours[] = { SGI_IPI, SGI_STOP, controller->timer };

	(void)why;
	if (cpu->id == 0)
		start_distributor(gicd);
	/* These registers are each CPU's own. */
	mmio_write32(gicd + GICD_ICENABLER, UINT32_MAX);
	for (size_t i = 0; i < GUEST_TIMERS; i++)
		mmio_write8(gicd + GICD_IPRIORITYR + controller->guest_timer[i], PRIORITY);
	for (size_t i = 0; i < ARRAY_LEN(ours); i++) {
		mmio_write8(gicd + GICD_IPRIORITYR + ours[i], PRIORITY);
		mmio_write32(gicd + GICD_ISENABLER, 1u << ours[i]);
	}
	if (controller->lists)
		start_lists(controller);
	/* Of an interrupt of its own a CPU reads which interface it has; 0 where there is but one. */
	cpu->arch.gic_target = mmio_read8(gicd + GICD_ITARGETSR);
	mmio_write32(gicc + GICC_PMR, PRIORITY_ALL);
	mmio_write32(gicc + GICC_BPR, 0);
	mmio_write32(gicc + GICC_CTLR, CTLR_ENABLE);
	return ERR_OK;
}

/* One of a guest's timers, or one that nobody has asked for, is to interrupt no more: see open_timers. */
static void close(const struct controller *controller, struct cpu *cpu, uint32_t id)
{
	uint8_t timers = controller_timer_of(controller, id);
	unsigned by = timers != 0 && controller->lists ? GICD_ISACTIVER : GICD_ICENABLER;

	cpu->arch.open_timers &= (uint8_t)~timers;
	cpu->arch.taken_timers |= timers;
	mmio_write32(distributor(controller) + by + id / 32 * 4, 1u << id % 32);
}

/* An interrupt is closed when it has been ended, since that makes it inactive. */
static unsigned take(const struct controller *controller, struct cpu *cpu)
{
	uint64_t gicc = cpu_interface(controller);
	unsigned events = 0;
	uint32_t iar, id;

	while ((id = (iar = mmio_read32(gicc + GICC_IAR)) & IAR_ID) < IAR_NOTHING) {
		if (id == controller->timer) {
			timer_stop();
			events |= CONTROLLER_TIMER;
		} else if (id == SGI_IPI) {
			events |= CONTROLLER_IPI;
		} else if (id == SGI_STOP) {
			events |= CONTROLLER_STOP;
		} else if (id == controller->maintenance && controller->lists) {
			stop_lists(controller);
			events |= CONTROLLER_GUEST;
		} else {
			mmio_write32(gicc + GICC_EOIR, iar);
			close(controller, cpu, id);
			events |= CONTROLLER_GUEST;
			continue;
		}
		mmio_write32(gicc + GICC_EOIR, iar);
	}
	return events;
}

/*
 * They are of the same priority as all else, and only one bit each: an interrupt that is not open stays pending. Where there are
 * list registers one that is active interrupts no more, until it is deactivated: by us, or by the guest that a linked one was given
 * to.
 */
static void open_timers(const struct controller *controller, const struct cpu *cpu, unsigned open)
{
	unsigned close_by = controller->lists ? GICD_ISACTIVER : GICD_ICENABLER;
	unsigned open_by = controller->lists ? GICD_ICACTIVER : GICD_ISENABLER;
	uint64_t gicd = distributor(controller);

	(void)cpu;
	for (unsigned i = 0; i < GUEST_TIMERS; i++)
		mmio_write32(gicd + (open >> i & 1 ? open_by : close_by), 1u << controller->guest_timer[i]);
}

static void send(const struct controller *controller, const struct cpu *to)
{
	mmio_write32(distributor(controller) + GICD_SGIR, (uint32_t)to->arch.gic_target << SGIR_TARGETS_SHIFT | SGI_IPI);
}

static void stop(const struct controller *controller, const struct cpu *cpu)
{
	(void)cpu;
	mmio_write32(distributor(controller) + GICD_SGIR, SGIR_ALL_BUT_SELF | SGI_STOP);
}

const struct controller_driver gicv2 = { "GICv2", start, take, send, open_timers, stop, has_lists };

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The interrupt controller at the CPUs of Raspberry Pi 2 and 3. Sources: Broadcom, "BCM2836 ARM-local peripherals" (QA7 rev. 3.4),
 * chapters 4.5 "GPU interrupts routing" to 4.10 "Core interrupt sources"; of the peripherals' one behind it, "BCM2835 ARM
 * Peripherals", chapter 7.
 */
#include "drivers/aarch64/controller.h"

#include "drivers/aarch64/timer.h"
#include "include/arch/cpu.h"
#include "include/mmio.h"

/* Those from CORE_TIMERS to CORE_SOURCES are a word for each core, mailboxes 16 bytes, of which the first of four is used. */
enum {
	PMU_ROUTING_CLEAR = 0x14,
	LOCAL_TIMER_CONTROL = 0x34,
	CORE_TIMERS = 0x40,
	CORE_MAILBOXES = 0x50,
	CORE_SOURCES = 0x60,
	MAILBOX_SET = 0x80,
	MAILBOX_CLEAR = 0xc0, /* reads as it is */
	MAILBOX_BYTES = 16,
};
/* Of the peripherals' controller. */
enum { FIQ_CONTROL = 0x0c, DISABLE_FIRST = 0x1c, DISABLE_LAST = 0x24 };

#define CORES           4
#define SOURCE_CNTPNS   BIT(1)
#define SOURCE_CNTHP    BIT(2)
#define SOURCE_CNTV     BIT(3)
#define SOURCE_MAILBOX  BIT(4)
#define SOURCE_DEVICES  BIT(8)
#define MAILBOX_ENABLED 1u

static uint64_t local(const struct controller *controller)
{
	return controller->region[BCM2836_LOCAL].start;
}

/* Which core, by MPIDR_EL1's Aff0. */
static unsigned core_of(const struct cpu *cpu)
{
	return (unsigned)(cpu->hw_id % CORES);
}

/* Interrupts of the peripherals, which come to one of the cores. */
static void silence_devices(const struct controller *controller)
{
	uint64_t devices;

	if (controller->regions <= BCM2836_PERIPHERALS)
		return;
	devices = controller->region[BCM2836_PERIPHERALS].start + controller->offset;
	for (uint64_t at = DISABLE_FIRST; at <= DISABLE_LAST; at += 4)
		mmio_write32(devices + at, UINT32_MAX);
	mmio_write32(devices + FIQ_CONTROL, 0);
}

static enum err start(const struct controller *controller, struct cpu *cpu, const char **why)
{
	uint64_t base = local(controller);
	unsigned core = core_of(cpu);

	(void)why;
	if (cpu->id == 0) {
		silence_devices(controller);
		mmio_write32(base + LOCAL_TIMER_CONTROL, 0);
	}
	mmio_write32(base + PMU_ROUTING_CLEAR, 0x11u << core);
	mmio_write32(base + MAILBOX_CLEAR + core * MAILBOX_BYTES, UINT32_MAX);
	mmio_write32(base + CORE_TIMERS + core * 4, SOURCE_CNTHP);
	mmio_write32(base + CORE_MAILBOXES + core * 4, MAILBOX_ENABLED);
	return ERR_OK;
}

/* Bits of CORE_TIMERS and of CORE_SOURCES alike. */
static const uint8_t timer_source[GUEST_TIMERS] = {
	[GUEST_TIMER_VIRTUAL] = SOURCE_CNTV,
	[GUEST_TIMER_PHYSICAL] = SOURCE_CNTPNS,
};

static void open_timers(const struct controller *controller, const struct cpu *cpu, unsigned open)
{
	uint32_t sources = SOURCE_CNTHP;

	for (unsigned i = 0; i < GUEST_TIMERS; i++)
		sources |= open >> i & 1 ? timer_source[i] : 0;
	mmio_write32(local(controller) + CORE_TIMERS + core_of(cpu) * 4, sources);
}

static void close_timers(const struct controller *controller, struct cpu *cpu, uint32_t sources)
{
	for (unsigned i = 0; i < GUEST_TIMERS; i++)
		if (sources & timer_source[i])
			cpu->arch.open_timers &= (uint8_t)~BIT(i);
	open_timers(controller, cpu, cpu->arch.open_timers);
}

static unsigned take_mailbox(uint64_t mailbox)
{
	uint32_t sent = mmio_read32(mailbox);

	mmio_write32(mailbox, sent);
	return (sent & 1u << SGI_IPI ? CONTROLLER_IPI : 0) | (sent & 1u << SGI_STOP ? CONTROLLER_STOP : 0);
}

static unsigned take(const struct controller *controller, struct cpu *cpu)
{
	uint64_t base = local(controller);
	unsigned core = core_of(cpu), events = 0;
	uint32_t sources = mmio_read32(base + CORE_SOURCES + core * 4);

	if (sources & SOURCE_CNTHP) {
		timer_stop();
		events |= CONTROLLER_TIMER;
	}
	if (sources & (SOURCE_CNTV | SOURCE_CNTPNS)) {
		close_timers(controller, cpu, sources);
		events |= CONTROLLER_GUEST;
	}
	if (sources & SOURCE_MAILBOX)
		events |= take_mailbox(base + MAILBOX_CLEAR + core * MAILBOX_BYTES);
	if (sources & SOURCE_DEVICES)
		silence_devices(controller);
	return events;
}

static void send_to(const struct controller *controller, unsigned core, unsigned what)
{
	mmio_write32(local(controller) + MAILBOX_SET + core * MAILBOX_BYTES, 1u << what);
}

static void send(const struct controller *controller, const struct cpu *to)
{
	send_to(controller, core_of(to), SGI_IPI);
}

static void stop(const struct controller *controller, const struct cpu *cpu)
{
	for (unsigned core = 0; core < CORES; core++)
		if (core != core_of(cpu))
			send_to(controller, core, SGI_STOP);
}

const struct controller_driver bcm2836 = { "bcm2836", start, take, send, open_timers, stop, NULL };

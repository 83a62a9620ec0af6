/* SPDX-License-Identifier: BSD-2-Clause */
/* How fast the time-stamp counter counts. It is measured: what CPUID says is not true of every emulator (not of Bochs). */
#include "drivers/x86_64/tsc.h"

#include "include/arch/x86_64/insn.h"

#define PM_TIMER_HZ   3579545
#define PM_TIMER_MASK 0xffffff

/* The 8254's channel 2, which drives the speaker, and the port with its gate. */
#define PIT_HZ         1193182
#define PIT_CHANNEL_2  0x42
#define PIT_COMMAND    0x43
#define PIT_LATCH_2    0x80
#define PIT_2_ONCE     0xb0 /* channel 2, low byte then high byte, mode 0: counts down, and on from 0 */
#define PORT_B         0x61
#define PORT_B_GATE    0x01
#define PORT_B_SPEAKER 0x02

/* Reads that may pass without a tick. */
#define STANDSTILL 100000

/* What comes between the reads of a pair, as others do where an outer hypervisor runs us, makes them differ: try again. */
#define PAIRS 8

static uint16_t pm_timer_port;

static uint32_t pm_timer_read(void)
{
	return inl(pm_timer_port) & PM_TIMER_MASK;
}

static uint32_t pit_read(void)
{
	uint32_t low;

	outb(PIT_COMMAND, PIT_LATCH_2);
	low = inb(PIT_CHANNEL_2);
	return 0x10000 - (low | (uint32_t)inb(PIT_CHANNEL_2) << 8);
}

static void pit_start(void)
{
	outb(PORT_B, (uint8_t)((inb(PORT_B) & ~PORT_B_SPEAKER) | PORT_B_GATE));
	outb(PIT_COMMAND, PIT_2_ONCE);
	outb(PIT_CHANNEL_2, 0);
	outb(PIT_CHANNEL_2, 0);
}

/* Both counters at about the same time. */
static void read_pair(const struct counter *counter, uint64_t *tsc, uint32_t *ticks)
{
	uint64_t least = UINT64_MAX;

	for (unsigned i = 0; i < PAIRS; i++) {
		uint64_t before = rdtsc(), after;
		uint32_t now = counter->read();

		after = rdtsc();
		if (after - before >= least)
			continue;
		least = after - before;
		*tsc = before + least / 2;
		*ticks = now;
	}
}

enum err tsc_compare(const struct counter *counter, uint32_t ticks, uint64_t *made, uint64_t *tsc)
{
	uint32_t start_ticks, end_ticks, last, now;
	uint64_t start_tsc, end_tsc;

	read_pair(counter, &start_tsc, &start_ticks);
	last = start_ticks;
	for (unsigned still = 0; ((last - start_ticks) & counter->mask) < ticks; last = now) {
		now = counter->read();
		still = now == last ? still + 1 : 0;
		if (still > STANDSTILL)
			return ERR_UNSUPPORTED;
	}
	read_pair(counter, &end_tsc, &end_ticks);
	*made = (end_ticks - start_ticks) & counter->mask;
	*tsc = end_tsc - start_tsc;
	return *made >= ticks && *tsc > 0 ? ERR_OK : ERR_UNSUPPORTED;
}

/* A fifth of a millisecond: one tick more or less is 0.4% of it at most. */
static enum err measure_by(const struct counter *counter, uint32_t counter_hz, uint64_t *hz)
{
	uint64_t made, tsc;
	enum err err = tsc_compare(counter, counter_hz / 5000, &made, &tsc);

	if (err == ERR_OK)
		*hz = tsc * counter_hz / made;
	return err;
}

enum err tsc_measure(uint16_t port, uint64_t *hz)
{
	static const struct counter pm_timer = { pm_timer_read, PM_TIMER_MASK }, pit = { pit_read, 0xffff };

	pm_timer_port = port;
	if (port != 0 && measure_by(&pm_timer, PM_TIMER_HZ, hz) == ERR_OK)
		return ERR_OK;
	pit_start();
	return measure_by(&pit, PIT_HZ, hz);
}

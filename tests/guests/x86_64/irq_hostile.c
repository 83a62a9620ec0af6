/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The local APIC, its timer and the IOAPIC, used by one that is up to no good: accesses of every size and anywhere, interrupts that
 * come again at once, times in the past and never, messages to nobody. Afterwards all works as at first.
 */
#include "tests/guests/x86_64/cpu.h"
#include "tests/guests/x86_64/local_apic.h"

enum { ACCESSES = 4000, STORM = 1000 };

#define APIC_ICR 0x300

static uint64_t seed = 0x9e3779b97f4a7c15;

static uint64_t random(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

/* It must not reset itself: INIT and start-up IPIs are sent to nobody only, below. */
static uint64_t pick_value(uint64_t at)
{
	uint64_t value = random() & random();

	return (at & ~15ul) == APIC_PAGE + APIC_ICR ? value & ~0x400ul : value;
}

static void access_any(void)
{
	uint64_t page = random() % 2 ? APIC_PAGE : IOAPIC_PAGE, at = page + random() % 4096, value;

	if (random() % 2) /* where registers are */
		at = page + (page == APIC_PAGE ? random() % 64 * 16 : random() % 5 * 16);
	value = pick_value(at);
	switch (random() % 9) {
	case 0:
		(void)*(volatile uint8_t *)at;
		break;
	case 1:
		(void)*(volatile uint16_t *)(at & ~1ul);
		break;
	case 2:
		(void)*(volatile uint32_t *)(at & ~3ul);
		break;
	case 3:
		(void)*(volatile uint64_t *)(at & ~7ul);
		break;
	case 4:
		*(volatile uint8_t *)at = (uint8_t)value;
		break;
	case 5:
		*(volatile uint16_t *)(at & ~1ul) = (uint16_t)value;
		break;
	case 6:
		*(volatile uint64_t *)(at & ~7ul) = value;
		break;
	default:
		*(volatile uint32_t *)(at & ~3ul) = (uint32_t)value;
		break;
	}
}

/* With interrupts off, but for NMIs. */
static void wild_accesses(void)
{
	load_interrupt_table();
	for (unsigned i = 0; i < ACCESSES; i++)
		access_any();
	for (uint64_t input = 0; input < 24; input++) { /* masked again */
		*(volatile uint32_t *)IOAPIC_PAGE = (uint32_t)(0x10 + 2 * input);
		*(volatile uint32_t *)(IOAPIC_PAGE + 0x10) = 0x10000;
	}
	/* Off and on: nothing of that is left. */
	write_msr(APIC_BASE_MSR, read_msr(APIC_BASE_MSR) & ~APIC_ENABLED);
	write_msr(APIC_BASE_MSR, read_msr(APIC_BASE_MSR) | APIC_ENABLED);
	apic_begin();
	CHECK(read_msr(X2_SVR) == 0x1ff && read_msr(X2_LVT_TIMER) == LVT_MASKED && read_msr(X2_TPR) == 0);
	for (unsigned i = 0; i < 8; i++)
		CHECK(read_msr(X2_IRR + i) == 0 && read_msr(X2_ISR + i) == 0);
}

static void again(void)
{
	if (taken[0x41] < STORM)
		write_msr(X2_SELF, 0x41);
	write_msr(X2_EOI, 0);
}

/* Each is requested in the handler of the one before; then by a timer that is faster than any handler. */
static void storms(void)
{
	volatile uint64_t steps = 0;

	on_vector[0x41] = again;
	write_msr(X2_SELF, 0x41);
	__asm__ volatile("sti");
	while (taken[0x41] < STORM)
		__asm__ volatile("pause");
	__asm__ volatile("cli");
	CHECK(taken[0x41] == STORM);
	write_msr(X2_DIVIDE, 0xb);
	write_msr(X2_LVT_TIMER, LVT_PERIODIC | 0x42);
	write_msr(X2_INITIAL, 1);
	while (steps < 100000) /* nobody takes it, and this goes on */
		steps++;
	__asm__ volatile("sti");
	while (taken[0x42] < STORM)
		__asm__ volatile("hlt");
	__asm__ volatile("cli");
	write_msr(X2_INITIAL, 0);
	let_in();
}

static void odd_times(void)
{
	static const uint64_t times[] = { 1, ~0ul, 1ul << 63, ~0ul >> 1, 2 };
	uint64_t before, tsc = read_tsc();

	write_msr(X2_LVT_TIMER, LVT_DEADLINE | 0x43);
	for (unsigned i = 0; i < 5; i++) {
		before = taken[0x43];
		write_msr(TSC_DEADLINE_MSR, times[i]);
		let_in();
		CHECK(taken[0x43] - before == (times[i] < 3) && read_msr(TSC_DEADLINE_MSR) == (times[i] < 3 ? 0 : times[i]));
	}
	/* Armed, and then it is the clock that goes there. */
	before = taken[0x43];
	write_msr(TSC_DEADLINE_MSR, 1ul << 62);
	write_msr(0x10, (1ul << 62) + 1);
	let_in();
	CHECK(taken[0x43] == before + 1);
	write_msr(0x10, tsc);
}

static void to_nobody(void)
{
	for (uint64_t mode = 0; mode < 8; mode++)
		for (uint64_t id = 1; id < 300; id += 13) {
			write_msr(X2_ICR, id << 32 | mode << 8 | ICR_ASSERT | 0x44);
			write_msr(X2_ICR, id << 48 | 0x800 | mode << 8 | ICR_ASSERT | 0x44);
			write_msr(X2_ICR, ICR_OTHERS | mode << 8 | ICR_ASSERT | 0x44);
		}
	let_in();
	CHECK(taken[0x44] == 0);
}

int guest_main(void)
{
	wild_accesses();
	storms();
	odd_times();
	to_nobody();
	/* As at first. */
	write_msr(X2_LVT_TIMER, LVT_DEADLINE | 0x45);
	write_msr(TSC_DEADLINE_MSR, read_tsc() + 100000);
	while (taken[0x45] == 0)
		halt_once();
	write_msr(X2_SELF, 0x46);
	let_in();
	CHECK(taken[0x45] == 1 && taken[0x46] == 1);
	return check_status("irq_hostile");
}

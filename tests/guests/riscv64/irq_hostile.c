/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The interrupt controller, timer and IPIs of a hart, used by one that is up to no good: accesses of every size and anywhere,
 * interrupts that come again at once, sources, contexts and harts that are not there. Afterwards all works as at first.
 */
#include "guest/rt/irq.h"
#include "tests/guests/check.h"
#include "tests/guests/riscv64/csr.h"

#define PLIC      0x0c000000ul
#define PLIC_SIZE 0x600000ul
#define CLAIM(n)  (0x200004 + 0x1000ul * (n))
#define TIME      0x54494d45
#define IPI       0x735049
#define RFENCE    0x52464e43

enum { ACCESSES = 3000, STORM = 2000, CONTEXTS = 16, SOURCES = 32 };

static uint64_t seed = 0x9e3779b97f4a7c15;
static uint64_t storm; /* so many more */

static uint64_t random(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static volatile uint32_t *plic(uint64_t offset)
{
	return (volatile uint32_t *)(PLIC + offset);
}

static void access_any(void)
{
	uint64_t value = random(), at = PLIC + random() % PLIC_SIZE;

	if (random() % 2) /* where registers are */
		at = PLIC + (random() % 3 == 0 ? random() % 0x2800 : 0x200000 + random() % 0x11000);
	switch (random() % 8) {
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
		*(volatile uint32_t *)(at & ~3ul) = (uint32_t)value;
		break;
	default:
		*(volatile uint64_t *)(at & ~7ul) = value;
	}
}

/* Everything is of the highest priority, and enabled everywhere; or nothing is. */
static void set_all(bool on)
{
	for (uint64_t source = 0; source < SOURCES + 4; source++)
		*plic(4 * source) = on ? ~0u : 0;
	for (uint64_t context = 0; context < CONTEXTS + 2; context++) {
		*plic(0x2000 + 0x80 * context) = on ? ~0u : 0;
		*plic(0x2004 + 0x80 * context) = ~0u;
		*plic(0x200000 + 0x1000 * context) = on ? 0 : ~0u;
	}
}

/* Of nothing, and of what others have claimed, by every context. */
static void claim_and_complete(void)
{
	for (uint64_t context = 0; context < CONTEXTS + 2; context++) {
		(void)*plic(CLAIM(context));
		for (uint32_t source = 0; source < SOURCES + 4; source++)
			*plic(CLAIM(context)) = source;
		*plic(CLAIM(context)) = ~0u;
	}
}

/* What is taken is there again before its end. */
static void again(enum rt_irq irq)
{
	if (storm == 0)
		return;
	storm--;
	switch (irq) {
	case RT_IRQ_TIMER:
		rt_irq_timer(0);
		break;
	case RT_IRQ_IPI:
		rt_irq_send(0);
		break;
	default:
		rt_irq_uart();
	}
}

/* Each kind is taken as often as it was raised, storm or not. */
static void take_storm(enum rt_irq irq)
{
	uint64_t before = rt_irq_count(irq);

	storm = STORM;
	again(irq);
	while (storm > 0)
		rt_irq_take();
	rt_irq_take();
	CHECK(rt_irq_count(irq) - before == STORM);
}

/* Harts and times that are not there. */
static void senseless_calls(void)
{
	for (unsigned i = 0; i < 64; i++) {
		uint64_t base = random() >> i, mask = random() | 1;

		if (base == UINT64_MAX || base < CONTEXTS)
			continue;
		CHECK(sbi(IPI, 0, mask, base, 0).error != 0);
		CHECK(sbi(RFENCE, random() % 3, mask, base, random()).error != 0);
	}
	CHECK(sbi(IPI, 0, ~1ul << 15, 0, 0).error != 0);
	CHECK(sbi(IPI, 0, 0, 0, 0).error == 0);
	for (unsigned i = 0; i < STORM; i++)
		sbi(TIME, 0, random() >> (i & 63), 0, 0);
	sbi(TIME, 0, UINT64_MAX, 0, 0);
	sbi(TIME, 0, UINT64_MAX - 1, 0, 0); /* the day after never */
	rt_irq_take();
	sbi(TIME, 0, UINT64_MAX, 0, 0);
	rt_irq_take();
}

int guest_main(void)
{
	rt_irq_init(again);
	for (unsigned i = 0; i < ACCESSES; i++)
		access_any();
	set_all(true);
	claim_and_complete();
	rt_irq_uart();
	claim_and_complete();
	rt_irq_take();
	set_all(false);
	claim_and_complete();
	senseless_calls();
	/* All contexts' enables and all sources are off. */
	rt_irq_init(again);
	for (enum rt_irq irq = 0; irq < RT_IRQS; irq++)
		take_storm(irq);
	return check_status("irq_hostile");
}

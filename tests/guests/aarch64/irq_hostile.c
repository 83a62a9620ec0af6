/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The interrupt controller and timers of a CPU, used by one that is up to no good: accesses of every size and anywhere, interrupts
 * that come again at once, SGIs to CPUs that are not there, timers in the past and never. Afterwards all works as at first.
 */
#include "guest/rt/irq.h"
#include "guest/rt/smp.h"
#include "tests/guests/aarch64/el1.h"
#include "tests/guests/check.h"

#define GICD   0x08000000ul
#define GICC   0x08010000ul
#define GICR   0x080a0000ul
#define FRAMES 0x10000ul

enum { ACCESSES = 6000, STORM = 2000, INTERRUPTS = 1024 };

static uint64_t seed = 0x9e3779b97f4a7c15;
static uint64_t storm; /* so many more */

static uint64_t random(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static bool has_v3(void)
{
	return MRS("id_aa64pfr0_el1") >> 24 & 0xf;
}

/* A register of any of the controller's parts, near the beginning mostly. */
static uint64_t anywhere(void)
{
	uint64_t part = GICD, offset = random() % (random() % 2 ? 0x1100 : FRAMES);

	if (random() % 2)
		part = has_v3() ? GICR + random() % (2 * rt_cpu_count()) * FRAMES : GICC;
	return part + offset;
}

#define ACCESS(insn, address) __asm__ volatile(insn : "+r"(value) : "r"(address) : "memory")

static void access_any(void)
{
	uint64_t value = random(), at = anywhere();

	switch (random() % 8) {
	case 0:
		ACCESS("ldrb %w0, [%1]", at);
		break;
	case 1:
		ACCESS("ldrh %w0, [%1]", at & ~1ul);
		break;
	case 2:
		ACCESS("ldr %w0, [%1]", at & ~3ul);
		break;
	case 3:
		ACCESS("ldr %0, [%1]", at & ~7ul);
		break;
	case 4:
		ACCESS("strb %w0, [%1]", at);
		break;
	case 5:
		ACCESS("strh %w0, [%1]", at & ~1ul);
		break;
	case 6:
		ACCESS("str %w0, [%1]", at & ~3ul);
		break;
	default:
		ACCESS("str %0, [%1]", at & ~7ul);
	}
}

static void write_word(uint64_t at, uint32_t value)
{
	ACCESS("str %w0, [%1]", at);
}

static void read_word(uint64_t at)
{
	uint64_t value;

	__asm__ volatile("ldr %w0, [%1]" : "=r"(value) : "r"(at) : "memory");
}

/* What a CPU may write of its interface, with numbers that there are not, too. */
static void interface_any(void)
{
	uint64_t value = random() % 4 ? random() % INTERRUPTS : random();

	if (!has_v3())
		return;
	switch (random() % 8) {
	case 0:
		MSR("S3_0_C12_C11_5", random()); /* ICC_SGI1R_EL1 */
		break;
	case 1:
		MSR("S3_0_C12_C11_7", random()); /* ICC_SGI0R_EL1 */
		break;
	case 2:
		MSR("S3_0_C12_C11_6", random()); /* ICC_ASGI1R_EL1 */
		break;
	case 3:
		MSR("S3_0_C12_C11_1", value); /* ICC_DIR_EL1 */
		break;
	case 4:
		MSR("S3_0_C12_C12_1", value); /* ICC_EOIR1_EL1 */
		break;
	case 5:
		MSR("S3_0_C12_C12_4", value); /* ICC_CTLR_EL1 */
		break;
	case 6:
		(void)MRS("S3_0_C12_C12_0"); /* ICC_IAR1_EL1 */
		break;
	default:
		MSR("S3_0_C12_C12_5", value); /* ICC_SRE_EL1 */
	}
	isb();
}

/* Everything is pending, enabled, of the highest priority, and taken; what is left is ended. */
static void take_everything(void)
{
	for (uint64_t at = 0; at < 12; at += 4) {
		write_word(GICD + 0x100 + at, ~0u);
		write_word(GICD + 0x200 + at, ~0u);
	}
	for (uint64_t at = 0; at < 96; at += 4)
		write_word(GICD + 0x400 + at, 0);
	for (unsigned i = 0; i < INTERRUPTS; i++) {
		if (has_v3()) {
			(void)MRS("S3_0_C12_C12_0");
			MSR("S3_0_C12_C12_1", i % 4 ? i / 4 : ~0ul);
			MSR("S3_0_C12_C11_1", i);
		} else {
			read_word(GICC + 0xc);
			write_word(GICC + 0x10, i % 4 ? i / 4 : ~0u);
			write_word(GICC + 0x1000, i);
		}
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

/* Both timers, as far away as they go, and long ago; on and off while they are due. */
static void senseless_times(void)
{
	for (unsigned i = 0; i < STORM; i++) {
		uint64_t when = random() >> (i & 63);

		MSR("cntv_cval_el0", i % 2 ? when : ~when);
		MSR("cntp_cval_el0", i % 2 ? ~when : when);
		MSR("cntv_ctl_el0", i % 4 == 3 ? 3 : 1);
		MSR("cntp_ctl_el0", i % 3);
		isb();
	}
	MSR("cntv_ctl_el0", 0);
	MSR("cntp_ctl_el0", 0);
	isb();
}

int guest_main(void)
{
	rt_irq_init(again);
	for (unsigned i = 0; i < ACCESSES; i++) {
		access_any();
		interface_any();
	}
	take_everything();
	senseless_times();
	rt_irq_init(again);
	for (enum rt_irq irq = 0; irq < RT_IRQS; irq++)
		take_storm(irq);
	return check_status("irq_hostile");
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interrupts of an AArch64 guest: the virtual timer's, an SGI, and the PL011's, by a GICv3 where ID_AA64PFR0_EL1 names one, else by
 * a GICv2. Sources: GIC Architecture Specification, version 2.0 (IHI 0048), versions 3 and 4 (IHI 0069).
 */
#include "guest/rt/irq.h"

#include "guest/rt/clock.h"
#include "guest/rt/smp.h"

#define GICD 0x08000000ul
#define GICC 0x08010000ul
#define GICR 0x080a0000ul
#define UART 0x09000000ul

enum { SGI = 1, TIMER = 27, UART_LINE = 33, LAST = 96, NONE = 1020 };

/* Of a distributor, and in a redistributor's second frame. */
enum {
	CTLR = 0x000,
	IGROUPR = 0x080,
	ISENABLER = 0x100,
	ICENABLER = 0x180,
	ICPENDR = 0x280,
	ICACTIVER = 0x380,
	IPRIORITYR = 0x400,
	ITARGETSR = 0x800,
	SGIR = 0xf00,
	CPENDSGIR = 0xf10,
	IROUTER = 0x6000,
	GICR_WAKER = 0x14,
	GICR_SECOND = 0x10000,
	GICR_BYTES = 0x20000,
};
enum { GICC_CTLR = 0x00, GICC_PMR = 0x04, GICC_BPR = 0x08, GICC_IAR = 0x0c, GICC_EOIR = 0x10, GICC_APR0 = 0xd0 };
enum { UARTDR = 0x00, UARTCR = 0x30, UARTIMSC = 0x38, UARTICR = 0x44 };
enum { UARTCR_LOOP = 0x381, UARTCR_USUAL = 0x301, UARTINT_TIMEOUT = 0x40 };

#define ICC_PMR_EL1     "S3_0_C4_C6_0"
#define ICC_AP0R0_EL1   "S3_0_C12_C8_4"
#define ICC_AP1R0_EL1   "S3_0_C12_C9_0"
#define ICC_SGI1R_EL1   "S3_0_C12_C11_5"
#define ICC_IAR1_EL1    "S3_0_C12_C12_0"
#define ICC_EOIR1_EL1   "S3_0_C12_C12_1"
#define ICC_BPR1_EL1    "S3_0_C12_C12_3"
#define ICC_CTLR_EL1    "S3_0_C12_C12_4"
#define ICC_IGRPEN1_EL1 "S3_0_C12_C12_7"

extern char rt_irq_vectors[];
void rt_irq_taken(void);

static bool is_v3;
static void (*taken)(enum rt_irq irq);
static uint64_t counts[RT_CPUS][RT_IRQS];

#define read_register(name)                                       \
	({                                                        \
		uint64_t value_;                                  \
		__asm__ volatile("mrs %0, " name : "=r"(value_)); \
		value_;                                           \
	})
#define write_register(name, value) __asm__ volatile("msr " name ", %0\n\tisb" : : "r"((uint64_t)(value)) : "memory")

/* It is read once: each read of an identification register leaves the guest. */
static bool has_v3(void)
{
	return is_v3;
}

/* A store or load with write-back, as the compiler may choose in a loop, cannot be carried out on a device. */
static void write_at(uint64_t address, uint32_t value)
{
	__asm__ volatile("str %w0, [%1]" : : "r"(value), "r"(address) : "memory");
}

static uint32_t read_at(uint64_t address)
{
	uint32_t value;

	__asm__ volatile("ldr %w0, [%1]" : "=r"(value) : "r"(address) : "memory");
	return value;
}

/* Where this CPU's own interrupts are. */
static uint64_t own(void)
{
	return has_v3() ? GICR + GICR_BYTES * rt_cpu_id() + GICR_SECOND : GICD;
}

uint64_t rt_irq_count(enum rt_irq irq)
{
	return __atomic_load_n(&counts[rt_cpu_id()][irq], __ATOMIC_RELAXED);
}

static void tell(enum rt_irq irq)
{
	counts[rt_cpu_id()][irq]++;
	if (taken)
		taken(irq);
}

/* 32 interrupts, nothing of them pending or active, all of one priority; those of `enabled` may come. */
static void reset_bank(uint64_t base, unsigned n, uint32_t enabled)
{
	write_at(base + ICENABLER + 4 * n, ~0u);
	write_at(base + IGROUPR + 4 * n, ~0u);
	write_at(base + ICACTIVER + 4 * n, ~0u);
	write_at(base + ICPENDR + 4 * n, ~0u);
	for (unsigned i = 0; i < 32; i += 4)
		write_at(base + IPRIORITYR + 32 * n + i, 0x80808080);
	write_at(base + ISENABLER + 4 * n, enabled);
}

static void start_v3(void)
{
	write_at(GICR + GICR_BYTES * rt_cpu_id() + GICR_WAKER, 0);
	while (read_at(GICR + GICR_BYTES * rt_cpu_id() + GICR_WAKER) & 4)
		;
	write_register(ICC_AP0R0_EL1, 0);
	write_register(ICC_AP1R0_EL1, 0);
	write_register(ICC_CTLR_EL1, 0);
	write_register(ICC_BPR1_EL1, 0);
	write_register(ICC_PMR_EL1, 0xf0);
	write_register(ICC_IGRPEN1_EL1, 1);
}

static void start_v2(void)
{
	for (unsigned i = 0; i < 16; i += 4)
		write_at(GICD + CPENDSGIR + i, ~0u);
	write_at(GICC + GICC_APR0, 0);
	write_at(GICC + GICC_BPR, 0);
	write_at(GICC + GICC_PMR, 0xf0);
	write_at(GICC + GICC_CTLR, 1);
}

void rt_irq_init(void (*function)(enum rt_irq irq))
{
	taken = function;
	is_v3 = read_register("id_aa64pfr0_el1") >> 24 & 0xf;
	write_register("vbar_el1", (uintptr_t)rt_irq_vectors);
	rt_irq_timer(RT_NEVER);
	write_at(UART + UARTIMSC, 0);
	write_at(UART + UARTCR, UARTCR_USUAL);
	for (unsigned n = 1; n < LAST / 32; n++)
		reset_bank(GICD, n, 0);
	reset_bank(own(), 0, 1u << SGI | 1u << TIMER);
	write_at(GICD + CTLR, has_v3() ? 2 : 1);
	if (has_v3())
		start_v3();
	else
		start_v2();
}

/* It has sent itself a byte, by its loop back mode. */
static void quiet_uart(void)
{
	write_at(UART + UARTIMSC, 0);
	(void)read_at(UART + UARTDR);
	write_at(UART + UARTCR, UARTCR_USUAL);
}

static void take(uint32_t id)
{
	if (id == TIMER) {
		rt_irq_timer(RT_NEVER);
		tell(RT_IRQ_TIMER);
	} else if (id == SGI) {
		tell(RT_IRQ_IPI);
	} else if (id == UART_LINE) {
		quiet_uart();
		tell(RT_IRQ_UART);
	}
}

void rt_irq_taken(void)
{
	uint32_t iar = has_v3() ? (uint32_t)read_register(ICC_IAR1_EL1) : read_at(GICC + GICC_IAR), id = iar & 0x3ff;

	if (id >= NONE)
		return;
	take(id);
	if (has_v3())
		write_register(ICC_EOIR1_EL1, iar);
	else
		write_at(GICC + GICC_EOIR, iar);
}

/* Each is taken before the next instruction as long as there is one. */
void rt_irq_take(void)
{
	__asm__ volatile("dsb sy\n\tmsr daifclr, #2\n\tisb\n\tnop\n\tmsr daifset, #2\n\tisb" : : : "memory");
}

static uint64_t all_taken(void)
{
	return rt_irq_count(RT_IRQ_TIMER) + rt_irq_count(RT_IRQ_IPI) + rt_irq_count(RT_IRQ_UART);
}

/* WFI looks at what is pending also while it is masked; and it may end for nothing. */
void rt_irq_wait(void)
{
	uint64_t before = all_taken();

	do {
		__asm__ volatile("dsb sy\n\twfi" : : : "memory");
		rt_irq_take();
	} while (all_taken() == before);
}

/* rt_arch_ticks are those of CNTVCT_EL0. */
void rt_irq_timer(uint64_t ticks)
{
	if (ticks == RT_NEVER) {
		write_register("cntv_ctl_el0", 0);
		return;
	}
	write_register("cntv_cval_el0", read_register("cntvct_el0") + ticks);
	write_register("cntv_ctl_el0", 1);
}

void rt_irq_send(unsigned id)
{
	__asm__ volatile("dsb sy" : : : "memory");
	if (has_v3())
		write_register(ICC_SGI1R_EL1, (uint64_t)SGI << 24 | 1ul << id);
	else
		write_at(GICD + SGIR, 1u << (16 + id) | SGI);
}

void rt_irq_uart(void)
{
	if (has_v3())
		*(volatile uint64_t *)(GICD + IROUTER + 8 * UART_LINE) = rt_cpu_id();
	else
		*(volatile uint8_t *)(GICD + ITARGETSR + UART_LINE) = (uint8_t)(1u << rt_cpu_id());
	write_at(GICD + ISENABLER + UART_LINE / 32 * 4, 1u << UART_LINE % 32);
	write_at(UART + UARTCR, UARTCR_LOOP);
	write_at(UART + UARTDR, 0);
	write_at(UART + UARTIMSC, UARTINT_TIMEOUT);
}

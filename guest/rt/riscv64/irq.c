/* SPDX-License-Identifier: BSD-2-Clause */
/* Interrupts of a RISC-V guest: its timer and IPIs by the SBI, the UART by the PLIC's context of this hart. */
#include "guest/rt/irq.h"

#include "guest/rt/clock.h"
#include "guest/rt/fault.h"
#include "guest/rt/riscv64/sbi.h"
#include "guest/rt/smp.h"

#define SBI_TIME 0x54494d45
#define SBI_IPI  0x735049

/* RISC-V Privileged, "Supervisor Interrupt (sip and sie) Registers". */
enum { SSI = 1, STI = 5, SEI = 9, SSTATUS_SIE = 2 };

#define UART      0x10000000ul
#define UART_LINE 10
enum { UART_IER = 1, UART_IIR = 2, UART_MCR = 4, IER_THRE = 2, MCR_OUT2 = 8 };

#define PLIC 0x0c000000ul

extern char rt_irq_vector[];
void rt_irq_taken(uint64_t cause);

#define NOBODY ~0u

static void (*taken)(enum rt_irq irq);
static bool has_stimecmp;
static unsigned routed = NOBODY; /* whom the UART's interrupt comes to */
static uint64_t counts[RT_CPUS][RT_IRQS];

static volatile uint8_t *uart(unsigned offset)
{
	return (volatile uint8_t *)(UART + offset);
}

static volatile uint32_t *plic(uint64_t offset)
{
	return (volatile uint32_t *)(PLIC + offset);
}

static volatile uint32_t *plic_enable(unsigned hart)
{
	return plic(0x2000 + 0x80 * hart);
}

static volatile uint32_t *plic_threshold(unsigned hart)
{
	return plic(0x200000 + 0x1000 * hart);
}

static volatile uint32_t *plic_claim(unsigned hart)
{
	return plic(0x200004 + 0x1000 * hart);
}

uint64_t rt_irq_count(enum rt_irq irq)
{
	return __atomic_load_n(&counts[rt_cpu_id()][irq], __ATOMIC_RELAXED);
}

static void tell(enum rt_irq irq)
{
	__atomic_fetch_add(&counts[rt_cpu_id()][irq], 1, __ATOMIC_RELAXED);
	if (taken)
		taken(irq);
}

/* RISC-V Privileged, "Sstc". */
static void write_stimecmp(volatile uint64_t *when)
{
	__asm__ volatile("csrw 0x14d, %0" : : "r"(when));
}

void rt_irq_init(void (*function)(enum rt_irq irq))
{
	taken = function;
	routed = NOBODY;
	rt_fault_init();
	has_stimecmp = rt_attempt(write_stimecmp, (volatile uint64_t *)RT_NEVER);
	__asm__ volatile("csrw stvec, %0" : : "r"(rt_irq_vector) : "memory");
	__asm__ volatile("csrs sie, %0" : : "r"(1ul << SSI | 1ul << STI | 1ul << SEI) : "memory");
	*uart(UART_IER) = 0;
	*uart(UART_MCR) = MCR_OUT2;
	*plic(4 * UART_LINE) = 1;
	*plic_threshold(rt_cpu_id()) = 0;
}

/* Another hart may have taken it first: then there is none. Reading what it was clears it. */
static void take_external(unsigned hart)
{
	uint32_t line = *plic_claim(hart);

	if (line == 0)
		return;
	(void)*uart(UART_IIR);
	tell(RT_IRQ_UART);
	*plic_claim(hart) = line;
}

void rt_irq_taken(uint64_t cause)
{
	switch (cause & 0xff) {
	case STI:
		rt_irq_timer(RT_NEVER);
		tell(RT_IRQ_TIMER);
		break;
	case SSI:
		__asm__ volatile("csrc sip, %0" : : "r"(1ul << SSI) : "memory");
		tell(RT_IRQ_IPI);
		break;
	default:
		take_external(rt_cpu_id());
	}
}

/* One is taken before the next instruction as long as there is one. */
void rt_irq_take(void)
{
	__asm__ volatile("csrsi sstatus, %0\n\t"
			 "nop\n\t"
			 "csrci sstatus, %0"
			 :
			 : "i"(SSTATUS_SIE)
			 : "memory");
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
		__asm__ volatile("wfi" : : : "memory");
		rt_irq_take();
	} while (all_taken() == before);
}

void rt_irq_timer(uint64_t ticks)
{
	uint64_t arg[4] = { ticks == RT_NEVER ? RT_NEVER : rt_arch_ticks() + ticks }, value;

	if (has_stimecmp)
		write_stimecmp((volatile uint64_t *)arg[0]);
	else
		sbi_call(SBI_TIME, 0, arg, &value);
}

void rt_irq_send(unsigned id)
{
	uint64_t arg[4] = { 1, id }, value;

	sbi_call(SBI_IPI, 0, arg, &value);
}

/* Only where it is to come is it enabled. That the transmitter is empty is an interrupt once it is asked for. */
void rt_irq_uart(void)
{
	unsigned self = rt_cpu_id();

	if (routed != self) {
		for (unsigned hart = 0, harts = rt_cpu_count(); hart < harts; hart++)
			*plic_enable(hart) = hart == self ? 1u << UART_LINE : 0;
		routed = self;
	}
	*uart(UART_IER) = 0;
	*uart(UART_IER) = IER_THRE;
}

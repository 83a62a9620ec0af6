/* SPDX-License-Identifier: BSD-2-Clause */
/* The local APIC in both its modes: xAPIC, with registers in memory, and x2APIC, with MSRs. */
#include "drivers/x86_64/apic.h"

#include "drivers/x86_64/tsc.h"
#include "include/arch/x86_64/cpu.h"

/* Offsets of registers. Intel SDM vol. 3 "Local APIC Register Address Map". */
enum {
	APIC_ID = 0x20,
	APIC_TPR = 0x80,
	APIC_SVR = 0xf0,
	APIC_ISR = 0x100, /* the first of eight */
	APIC_IRR = 0x200, /* so */
	APIC_ICR = 0x300,
	APIC_ICR_HIGH = 0x310,
	APIC_LVT_TIMER = 0x320,
	APIC_TIMER_CURRENT = 0x390,
	APIC_TIMER_DIVIDE = 0x3e0,
};

#define SVR_ENABLED      BIT(8)
#define ICR_PENDING      BIT(12) /* xAPIC only */
#define LVT_MASKED       BIT(16)
#define LVT_TSC_DEADLINE BIT(18)
#define DIVIDE_BY_1      0xb

/* The timer's rate as a fraction of 2^32 of the TSC's is found within this many of its ticks. */
#define TIMER_TICKS 50000

struct apic_driver apic_driver;

static uint32_t apic_read(unsigned offset)
{
	return apic_driver.x2apic ? (uint32_t)rdmsr(IA32_X2APIC_FIRST + offset / 16) : mmio_read32(apic_driver.base + offset);
}

hpa_t apic_page(void)
{
	return HPA(rdmsr(IA32_APIC_BASE) & BITS(51, 12));
}

uint32_t apic_id(void)
{
	if (rdmsr(IA32_APIC_BASE) & APIC_BASE_EXTD)
		return (uint32_t)rdmsr(IA32_X2APIC_FIRST + APIC_ID / 16);
	return mmio_read32(apic_page().raw + APIC_ID) >> 24;
}

/* From xAPIC mode, or switched off, to the mode of all CPUs. x2APIC mode cannot be left but through off. */
static void choose_mode(void)
{
	uint64_t base = apic_driver.base | APIC_BASE_EN | (rdmsr(IA32_APIC_BASE) & APIC_BASE_BSP);

	if (rdmsr(IA32_APIC_BASE) & APIC_BASE_EXTD)
		return;
	wrmsr(IA32_APIC_BASE, base);
	if (apic_driver.x2apic)
		wrmsr(IA32_APIC_BASE, base | APIC_BASE_EXTD);
}

/* Interrupts that the firmware has taken and not ended would hold ours up. */
static void end_all(void)
{
	for (unsigned word = 0; word < 8; word++)
		for (uint32_t bits = apic_read(APIC_ISR + 16 * word); bits != 0; bits &= bits - 1)
			apic_end_of_interrupt();
}

enum err apic_start(uint8_t timer_vector, uint8_t spurious_vector, const char **why)
{
	struct cpuid_regs features = cpuid(1, 0);

	if (!(features.edx & CPUID_1_EDX_APIC)) {
		*why = "the CPU has no local APIC, or the firmware has switched it off";
		return ERR_UNSUPPORTED;
	}
	if (apic_driver.base == 0) {
		apic_driver.base = apic_page().raw;
		apic_driver.x2apic = features.ecx & CPUID_1_ECX_X2APIC;
		apic_driver.deadline = features.ecx & CPUID_1_ECX_TSC_DEADLINE;
	}
	choose_mode();
	/* Switched off by software, it masks all its sources; they stay masked. */
	apic_write(APIC_SVR, spurious_vector);
	apic_write(APIC_SVR, (uint32_t)SVR_ENABLED | spurious_vector);
	apic_write(APIC_TPR, 0);
	end_all();
	apic_write(APIC_TIMER_DIVIDE, DIVIDE_BY_1);
	apic_write(APIC_LVT_TIMER, (apic_driver.deadline ? (uint32_t)LVT_TSC_DEADLINE : 0) | timer_vector);
	/* In xAPIC mode that is a store, for which a WRMSR of the deadline does not wait. SDM "TSC-Deadline Mode". */
	__asm__ volatile("mfence" : : : "memory");
	apic_timer_set(UINT64_MAX, 0);
	return ERR_OK;
}

bool apic_has_wide_ids(void)
{
	return apic_driver.x2apic;
}

static uint32_t timer_read(void)
{
	return UINT32_MAX - apic_read(APIC_TIMER_CURRENT);
}

enum err apic_measure_timer(void)
{
	static const struct counter timer = { timer_read, UINT32_MAX };
	uint64_t made, tsc;
	enum err err;

	if (apic_driver.deadline)
		return ERR_OK;
	apic_write(APIC_TIMER_INITIAL, UINT32_MAX);
	err = tsc_compare(&timer, TIMER_TICKS, &made, &tsc);
	apic_write(APIC_TIMER_INITIAL, 0);
	if (err == ERR_OK)
		apic_driver.rate = min_u64((made << 32) / tsc, APIC_RATE_LIMIT);
	return err;
}

void apic_send(uint32_t id, uint32_t command)
{
	if (apic_driver.x2apic) {
		/* This WRMSR does not wait for stores. SDM "MSR Access in x2APIC Mode". */
		__asm__ volatile("mfence; lfence" : : : "memory");
		wrmsr(IA32_X2APIC_FIRST + APIC_ICR / 16, (uint64_t)id << 32 | command);
		return;
	}
	while (apic_read(APIC_ICR) & ICR_PENDING)
		cpu_pause();
	apic_write(APIC_ICR_HIGH, id << 24);
	apic_write(APIC_ICR, command);
}

/* Our own vectors are in the last word. */
bool apic_has_request(void)
{
	for (unsigned word = 8; word-- > 0;)
		if (apic_read(APIC_IRR + 16 * word))
			return true;
	return false;
}

bool apic_in_service(uint8_t vector)
{
	return apic_read(APIC_ISR + vector / 32u * 16) >> vector % 32 & 1;
}

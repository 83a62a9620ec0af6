/* SPDX-License-Identifier: BSD-2-Clause */
/* The interrupts of include/arch/cpu.h by the local APIC; the clock is the time-stamp counter. */
#include "boot/x86_64/interrupts.h"

#include "boot/x86_64/vectors.h"
#include "drivers/acpi_fadt.h"
#include "drivers/platform.h"
#include "drivers/x86_64/apic.h"
#include "drivers/x86_64/tsc.h"
#include "include/arch/cpu.h"
#include "include/arch/x86_64/insn.h"
#include "include/arch/x86_64/msr.h"
#include "include/arch/x86_64/timer.h"
#include "vmm/x86_64/apic_timer.h"

_Static_assert(CPU_EVENT_TIMER == 1 && CPU_EVENT_IPI == 2, "trap_entry.S");

static uint16_t pm_timer_port; /* 0: none */
static uint64_t tsc_hz;        /* constant once the first CPU takes interrupts */

void interrupts_find_clock(void)
{
	const struct platform *platform = platform_get();

	if (!platform->acpi_rsdp || fadt_find_pm_timer(platform->acpi_rsdp, platform->acpi_reader, &pm_timer_port) != ERR_OK)
		pm_timer_port = 0;
}

/* By the first CPU, for all. */
static enum err measure_clocks(const char **why)
{
	if (tsc_measure(pm_timer_port, &tsc_hz) != ERR_OK) {
		*why = "nothing tells how fast the TSC counts: neither ACPI's timer nor the 8254 does";
		return ERR_UNSUPPORTED;
	}
	if (apic_measure_timer() != ERR_OK) {
		*why = "the local APIC's timer stands still";
		return ERR_UNSUPPORTED;
	}
	return ERR_OK;
}

enum err arch_interrupts_start(const char **why)
{
	enum err err = apic_start(INTERRUPT_TIMER, INTERRUPT_SPURIOUS, why);

	arch_this_cpu()->arch.deadline = arch_this_cpu()->arch.armed = UINT64_MAX;
	if (err == ERR_OK && tsc_hz == 0)
		err = measure_clocks(why);
	return err;
}

uint64_t arch_clock_frequency(void)
{
	return tsc_hz;
}

/*
 * All that the hypervisor's own interrupts do is to set their bit in EAX (trap_entry.S), so nothing else may let them come. What
 * comes between STI and `insn` is delivered in that: STI takes effect one instruction late.
 */
#define OPEN_WINDOW(insn, events) __asm__ volatile("sti; " insn "; cli" : "+a"(events) : : "memory")

/*
 * What has been delivered holds up those of its own and of lower priority until it is ended; then those come, at the next entry of
 * a guest or the next look here.
 */
static unsigned take(struct cpu_arch *own)
{
	unsigned events = own->events;

	OPEN_WINDOW("nop", events);
	own->events = 0;
	if (events & CPU_EVENT_TIMER)
		apic_end_of_interrupt();
	if (events & CPU_EVENT_IPI)
		apic_end_of_interrupt();
	return events;
}

/* One timer for two: the hypervisor's, and that of the guest which is here. To compute what it is set to takes a while. */
static inline __attribute__((always_inline)) void rearm(struct cpu *cpu, uint64_t now)
{
	struct cpu_arch *own = &cpu->arch;
	uint64_t deadline = own->deadline;

	if (cpu->resident)
		deadline = min_u64(deadline, cpu->resident->arch.apic.timer_due);
	if (deadline == own->armed)
		return;
	own->armed = deadline;
	apic_timer_set(deadline, now);
}

static inline bool guest_is_due(const struct cpu *cpu, uint64_t now)
{
	return cpu->resident && now >= cpu->resident->arch.apic.timer_due;
}

/*
 * It was the guest's, whose vCPU looks at what is pending then; or it was set as far as the timer reaches, or the timer's rate is
 * not quite what was measured. Returns which of the events remain.
 */
static __attribute__((noinline)) unsigned take_other_timer(struct cpu *cpu, unsigned events, uint64_t now)
{
	struct cpu_arch *own = &cpu->arch;

	if (guest_is_due(cpu, now)) {
		apic_timer_fire(cpu->resident, now);
		apic_look(cpu->resident);
	}
	if (now >= own->deadline) {
		own->deadline = UINT64_MAX;
		return events;
	}
	rearm(cpu, now);
	return events & ~(unsigned)CPU_EVENT_TIMER;
}

unsigned arch_interrupts_take(void)
{
	struct cpu *cpu = arch_this_cpu();
	struct cpu_arch *own = &cpu->arch;
	unsigned events = take(own);
	uint64_t now;

	if (!(events & CPU_EVENT_TIMER))
		return events;
	own->armed = UINT64_MAX;
	now = rdtsc();
	if (now < own->deadline || guest_is_due(cpu, now))
		return take_other_timer(cpu, events, now);
	own->deadline = UINT64_MAX;
	return events;
}

void arch_timer_rearm(struct cpu *cpu, uint64_t now)
{
	rearm(cpu, now);
}

void arch_timer_set(uint64_t deadline)
{
	struct cpu *cpu = arch_this_cpu();

	cpu->arch.deadline = deadline;
	rearm(cpu, rdtsc());
}

void arch_ipi_send(const struct cpu *to)
{
	apic_send((uint32_t)to->hw_id, APIC_FIXED | INTERRUPT_IPI);
}

void arch_cpu_wait(void)
{
	struct cpu_arch *own = &arch_this_cpu()->arch;

	if (own->events == 0)
		OPEN_WINDOW("hlt", own->events);
}

void arch_cpu_pause(void)
{
	cpu_pause();
}

/* An NMI comes through whatever they do; its handler looks at `stopped` (traps.c). */
void arch_cpus_stop(void)
{
	for (unsigned i = 0; i < cpu_count; i++)
		if (cpu_of(i) != arch_this_cpu() && __atomic_load_n(&cpu_of(i)->online, __ATOMIC_ACQUIRE))
			apic_send((uint32_t)cpu_of(i)->hw_id, APIC_NMI);
}

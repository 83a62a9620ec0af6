/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What each ISA must offer to use all CPUs: they are found and started, interrupt each other, and have a timer each.
 *
 * Order: arch_cpus_find, arch_cpus_prepare (firmware still there) - arch_cpus_map (machine taken over) - arch_this_cpu_set,
 * arch_virt_enable, arch_interrupts_start (on each CPU) - arch_cpu_start (on the first one, for each of the others). The hypervisor
 * runs with interrupts masked. They are taken as exits of a guest, in arch_cpu_wait, and nowhere else.
 */
#ifndef NESTLING_CPU_CONTRACT_H
#define NESTLING_CPU_CONTRACT_H

#include "include/err.h"
#include "vmm/cpu.h"

struct host_map;

/*
 * Find the CPUs that the firmware's tables name as usable: their hardware ids (struct cpu) into `ids`, at most `room`, the one that
 * this runs on first. Returns how many there are, which may be more than `room`; 1 if the tables say nothing. The firmware's map is
 * in force.
 */
unsigned arch_cpus_find(uint64_t *ids, unsigned room);

/* Get from the firmware what starting other CPUs takes, such as memory at low addresses. Errors: ERR_NO_MEMORY. */
MUST_CHECK enum err arch_cpus_prepare(void);

/*
 * Map what the functions below need into the hypervisor's map, which is not in force yet: the registers of interrupt controllers,
 * the code that started CPUs begin with. Errors: as npt_map.
 */
MUST_CHECK enum err arch_cpus_map(struct host_map *map);

/* What the CPU is called in the firmware's tables, for messages: "APIC id 5". */
void arch_cpu_name(const struct cpu *cpu, char *text, size_t size);

/* From now on arch_this_cpu() is `cpu` on this CPU. */
void arch_this_cpu_set(struct cpu *cpu);

/*
 * Start a CPU, which is off: it takes over the hypervisor's map and traps and calls cpu_main(cpu) (boot/cpus.h) on the stack that
 * ends at `stack_top`. Returns when it has been asked to come, not when it has. Errors: ERR_UNSUPPORTED (no means), ERR_DENIED
 * (refused).
 */
MUST_CHECK enum err arch_cpu_start(struct cpu *cpu, void *stack_top);

/*
 * On each CPU: have its interrupt controller deliver the hypervisor's own timer and inter-processor interrupts to it, and nothing
 * else. ERR_UNSUPPORTED: `why` says what is missing; then there is no preemption here, and this CPU cannot be used beside others.
 */
MUST_CHECK enum err arch_interrupts_start(const char **why);

/* What has interrupted this CPU, a bit mask. */
enum cpu_event {
	CPU_EVENT_TIMER = 1, /* the deadline of arch_timer_set has passed; none is set any more */
	CPU_EVENT_IPI = 2,   /* another CPU has called arch_ipi_send */
	CPU_EVENT_GUEST = 4, /* what the resident vCPU's guest is to get has changed: arch_vcpu_deliver */
};

/*
 * Take the interrupts that are pending on this CPU, and end them at their controller: one of each kind at least, what is left comes
 * again. Others than our own are silenced.
 */
unsigned arch_interrupts_take(void);

/*
 * Interrupt another CPU: it leaves its guest, or arch_cpu_wait. What was written before is visible to it then. From any CPU, with
 * any lock held.
 */
void arch_ipi_send(const struct cpu *to);

/* Interrupt this CPU when arch_clock (include/arch/virt.h) comes to `deadline`; UINT64_MAX: never. A new deadline replaces the old.
 */
void arch_timer_set(uint64_t deadline);
/* Of arch_clock, in Hz. */
uint64_t arch_clock_frequency(void);

/* Sleep until an interrupt is pending; returns at once if one is. The caller then calls arch_interrupts_take. */
void arch_cpu_wait(void);

/* In a loop that waits for another CPU. */
void arch_cpu_pause(void);

/* For panic: stop all other CPUs for good, whatever they are doing, as far as that is possible; does not wait for it. */
void arch_cpus_stop(void);

#endif

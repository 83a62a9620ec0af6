/* SPDX-License-Identifier: BSD-2-Clause */
/* The machine's CPUs: found, given stacks, started, stopped. */
#ifndef NESTLING_BOOT_CPUS_H
#define NESTLING_BOOT_CPUS_H

#include "include/err.h"
#include "mm/host_map.h"
#include "vmm/cpu.h"

/*
 * A CPU's stacks lie in one block of memory that is aligned to its size, so that the stack pointer tells where the block is. Its
 * first page belongs to the ISA, whose arch_this_cpu may look there; then there are the stacks of traps and, up to the block's end,
 * the CPU's own, each with a guard page below.
 */
enum { CPU_BLOCK_ORDER = 5, CPU_BLOCK_PAGES = 1 << CPU_BLOCK_ORDER };

/*
 * Find the CPUs that the firmware names, of which `most` are used at most (0: no limit but CPU_MAX), and get from the firmware what
 * starting them takes: sets cpus[] and cpu_count. Its map and console are in force. What goes wrong is logged, and costs CPUs.
 */
void cpus_find(unsigned most);

/*
 * Make stacks for all CPUs; the first one's block is there, `first`. `map`, which is not in force yet, loses their guard pages and
 * gets what CPUs need. Where memory ends, so do the CPUs, which is logged. Errors: as npt_map and host_map_remove.
 */
MUST_CHECK enum err cpus_map(struct host_map *map, hpa_t first);

/*
 * On the first CPU, which has its own traps and map, and arch_virt_enable behind it: let it take interrupts, and start the others,
 * one after the other. One that does not come in time, or cannot be used, is left out: `online` stays false, and that is logged.
 * False: nothing interrupts guests here, and there is no timer.
 */
bool cpus_start(void);

/* Where a started CPU goes, with its own traps, map and stack. */
_Noreturn void cpu_main(struct cpu *cpu);

/* Do several CPUs run, or did they? */
bool cpus_are_several(void);

/*
 * For the end of the run, and for its report: all CPUs but this one are stopped. Of CPUs that call it at once, one returns from it;
 * that one may call it again.
 */
void cpus_stop_others(void);

/* The same for a trap that ends the run; tells which CPU it was if there are several. */
void cpus_begin_trap(void);

#endif

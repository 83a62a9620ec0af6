/* SPDX-License-Identifier: BSD-2-Clause */
/* What each ISA must implement to control the machine: traps, the hypervisor's own map, halt. */
#ifndef NESTLING_MACHINE_CONTRACT_H
#define NESTLING_MACHINE_CONTRACT_H

#include "include/err.h"
#include "include/types.h"
#include "npt/npt.h"

struct cpu;

/*
 * Is the CPU in a mode in which the hypervisor can take it over? To be called before all other functions here and in the other
 * contracts, which rely on it. On ERR_UNSUPPORTED `why` says what is wrong and what to do about it.
 */
MUST_CHECK enum err arch_mode_check(const char **why);

/*
 * Call `visit` for all memory that this CPU uses in the firmware's set-up: translation tables, descriptor tables, trap handlers,
 * the current stack and those of traps. A region may be visited twice. `visit` returns whether the region may be read, to follow
 * pointers in it. The firmware's map is in force. Start is host-physical, size in bytes.
 */
typedef bool (*arch_region_visitor)(hpa_t start, uint64_t size, void *context);
void arch_in_use(arch_region_visitor visit, void *context);

/* Mask and silence the interrupt sources firmware may have left running. The firmware's map is still in force. */
void arch_quiesce(void);

/* Install this CPU's descriptor tables and trap handlers, which report and stop. Traps before this go to the firmware's. */
void arch_traps_init(struct cpu *cpu);

/*
 * Give the traps of a CPU that cannot trust the current stack one of their own; `stack_top` of at least 8 KiB. From any CPU, before
 * its arch_traps_init.
 */
#define ARCH_TRAP_STACKS 4
void arch_traps_set_stack(struct cpu *cpu, unsigned index, void *stack_top);

/* Format and geometry of the hypervisor's own map. */
const struct npt_ops *arch_host_map_config(struct npt_config *config);

/* Switch to the map at `root` and turn on what enforces it (no-execute, write protection, SMEP, ...). */
void arch_host_map_activate(hpa_t root);

/* Fill pages with zeros, in the CPU's best way. `pages` and `size` are multiples of 4 KiB; no FP/SIMD register is used. */
void arch_zero_pages(void *pages, uint64_t size);
/* Copy 4 KiB in the CPU's best way. Both are aligned to 4 KiB; no FP/SIMD register is used. */
void arch_copy_page(void *to, const void *from);

/* Continue at `entry` on another stack; never returns. */
_Noreturn void arch_switch_stack(void *stack_top, void (*entry)(void));

/* Power the machine off, where there is a way besides the firmware's own ResetSystem. Returns if there is none. */
void arch_power_off(void);

/* Stop this CPU for good. */
_Noreturn void arch_halt(void);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Shoot-downs: what other CPUs have cached of a VM's translations is forgotten there.
 *
 * A CPU may hold translations of a VM if one of its vCPUs is resident on it (vm.cpus), or was once: then that vCPU's tlb_generation
 * is older than the VM's after a shoot-down, and it flushes when it comes into a CPU again. Who makes a vCPU resident sets the bit
 * first and compares the generation then; a shoot-down counts the generation first and reads the bits then. So one of both sees the
 * other.
 */
#ifndef NESTLING_VMM_SHOOTDOWN_H
#define NESTLING_VMM_SHOOTDOWN_H

#include "include/arch/machine.h"
#include "include/arch/virt.h"
#include "vmm/cpu.h"
#include "vmm/vm.h"

/*
 * Have all other CPUs that may hold translations of `vm` forget them, and wait until they have. What this CPU holds is the caller's
 * to flush. For arch_npt_flush, with locks held: while it waits, it serves what others ask of this CPU.
 */
void shootdown(struct vm *vm);

/* The same without interrupting anybody: another means has reached the other CPUs. What is not resident there flushes when it is
 * again. */
static inline void shootdown_note(struct vm *vm)
{
	__atomic_add_fetch(&vm->tlb_generation, 1, __ATOMIC_SEQ_CST);
}

/* Count a shoot-down that the hardware carries out on the other CPUs, if any of them may hold translations of `vm`. */
static inline void shootdown_count(struct vm *vm)
{
	if (__atomic_load_n(&vm->cpus, __ATOMIC_RELAXED) & ~BIT(arch_this_cpu()->id))
		__atomic_add_fetch(&vm->shootdowns, 1, __ATOMIC_RELAXED);
}

/* Do what other CPUs have asked of this one: flush, or stop for good. To be called in every loop that waits for another CPU: see
 * spin_wait in include/lock.h. */
void shootdown_serve(void);

/* The same, in line, by who knows which CPU this is. */
static inline __attribute__((always_inline)) void shootdown_serve_on(struct cpu *cpu)
{
	uint64_t wanted = __atomic_load_n(&cpu->flush_wanted, __ATOMIC_ACQUIRE);

	if (__atomic_load_n(&cpu->stopped, __ATOMIC_RELAXED))
		arch_halt();
	if (wanted == cpu->flush_done)
		return;
	if (cpu->resident)
		arch_flush_resident(cpu->resident);
	__atomic_store_n(&cpu->flush_done, wanted, __ATOMIC_RELEASE);
}

/* Interrupt all other CPUs on which a vCPU of `vm` is resident, so that they look at what has changed about it. */
void shootdown_kick(struct vm *vm);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* Shoot-downs: requests to other CPUs, and their acknowledgement. */
#include "vmm/shootdown.h"

#include "include/arch/cpu.h"
#include "include/arch/machine.h"
#include "include/arch/virt.h"

/* Requests are numbered, so that one that comes while another is served is not taken for done. */
static uint64_t ask(struct cpu *cpu)
{
	uint64_t ticket = __atomic_add_fetch(&cpu->flush_wanted, 1, __ATOMIC_SEQ_CST);

	arch_ipi_send(cpu);
	return ticket;
}

static void count_ipis(struct vm *vm, unsigned count)
{
	arch_this_cpu()->ipis += count;
	__atomic_add_fetch(&vm->ipis, count, __ATOMIC_RELAXED);
}

static bool is_done(const struct cpu *cpu, uint64_t ticket)
{
	return __atomic_load_n(&cpu->flush_done, __ATOMIC_ACQUIRE) >= ticket;
}

/* The benchmarks know what is waiting by this function's name. */
static void await_flushes(uint64_t left, const uint64_t *tickets)
{
	for (; left; left &= left - 1) {
		unsigned id = (unsigned)__builtin_ctzll(left);

		while (!is_done(cpu_of(id), tickets[id])) {
			shootdown_serve();
			arch_cpu_pause();
		}
	}
}

void shootdown(struct vm *vm)
{
	struct cpu *self = arch_this_cpu();
	uint64_t tickets[CPU_MAX], others, left;
	unsigned count = 0;

	shootdown_note(vm);
	others = __atomic_load_n(&vm->cpus, __ATOMIC_SEQ_CST) & ~BIT(self->id);
	if (!others)
		return;
	for (left = others; left; left &= left - 1, count++) {
		unsigned id = (unsigned)__builtin_ctzll(left);

		tickets[id] = ask(cpu_of(id));
	}
	__atomic_add_fetch(&vm->shootdowns, 1, __ATOMIC_RELAXED);
	count_ipis(vm, count);
	await_flushes(others, tickets);
}

void shootdown_serve(void)
{
	shootdown_serve_on(arch_this_cpu());
}

void shootdown_kick(struct vm *vm)
{
	uint64_t left = __atomic_load_n(&vm->cpus, __ATOMIC_SEQ_CST) & ~BIT(arch_this_cpu()->id);
	unsigned count = 0;

	for (; left; left &= left - 1, count++)
		arch_ipi_send(cpu_of((unsigned)__builtin_ctzll(left)));
	count_ipis(vm, count);
}

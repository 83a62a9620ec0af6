/* SPDX-License-Identifier: BSD-2-Clause */
/* Starting and stopping the machine's CPUs, whatever the ISA. */
#include "boot/cpus.h"

#include "drivers/console.h"
#include "include/arch/cpu.h"
#include "include/arch/machine.h"
#include "include/arch/virt.h"
#include "include/log.h"
#include "mm/frame.h"
#include "vmm/sched.h"

/* Pages of a CPU's block. */
enum {
	TRAP_STACK_PAGES = 4,
	FIRST_GUARD = 1,
	STACK_GUARD = FIRST_GUARD + ARCH_TRAP_STACKS * (TRAP_STACK_PAGES + 1),
};
_Static_assert(CPU_BLOCK_PAGES - STACK_GUARD - 1 >= 8, "its own stack has at least 8 pages");

/* Seconds. Emulated CPUs share few real ones. */
#define PATIENCE 5

/* Each CPU goes from the first of these to one of the others, and stays there. */
enum progress { PROGRESS_NONE, PROGRESS_ONLINE, PROGRESS_REFUSED, PROGRESS_LEFT_OUT };

static struct start {
	uint32_t progress; /* atomic: enum progress; set once, by the CPU itself or by the one that waits for it */
	const char *why;   /* PROGRESS_REFUSED */
	void *stack_top;
} starts[CPU_MAX];

static bool several;      /* constant from before the first start on */
static uint32_t stopping; /* atomic: the CPU that stops all others, its id + 1; 0: none */

void cpus_find(unsigned most)
{
	uint64_t ids[CPU_MAX];
	unsigned named = arch_cpus_find(ids, CPU_MAX), used = named < CPU_MAX ? named : CPU_MAX;
	enum err err = ERR_OK;

	if (most != 0 && most < used)
		used = most;
	if (used > 1)
		err = arch_cpus_prepare();
	if (err != ERR_OK) {
		log_warn("boot: no other CPU can be started: %s", err_name(err));
		used = 1;
	}
	if (used < named)
		log_info("boot: the firmware names %u CPUs: %u of them %s used", named, used, used == 1 ? "is" : "are");
	for (unsigned i = 0; i < used; i++) {
		cpus[i].id = i;
		cpus[i].hw_id = ids[i];
	}
	cpu_count = used;
}

/* `page` of the block is unmapped. Returns what is above it. */
static enum err remove_guard(struct host_map *map, hpa_t block, unsigned page)
{
	hpa_t guard = HPA(block.raw + page * PAGE_SIZE);

	return host_map_remove(map, guard, HPA(guard.raw + PAGE_SIZE));
}

static char *page_of(hpa_t block, unsigned page)
{
	return (char *)frame_ptr(block) + page * PAGE_SIZE;
}

static enum err divide_block(struct host_map *map, struct cpu *cpu, hpa_t block)
{
	enum err err = remove_guard(map, block, STACK_GUARD);

	starts[cpu->id].stack_top = page_of(block, CPU_BLOCK_PAGES);
	for (unsigned i = 0; err == ERR_OK && i < ARCH_TRAP_STACKS; i++) {
		unsigned guard = FIRST_GUARD + i * (TRAP_STACK_PAGES + 1);

		err = remove_guard(map, block, guard);
		arch_traps_set_stack(cpu, i, page_of(block, guard + 1 + TRAP_STACK_PAGES));
	}
	return err;
}

enum err cpus_map(struct host_map *map, hpa_t first)
{
	enum err err = arch_cpus_map(map);
	hpa_t block;

	if (err == ERR_OK)
		err = divide_block(map, cpu_of(0), first);
	for (unsigned i = 1; err == ERR_OK && i < cpu_count; i++) {
		if (frame_alloc(CPU_BLOCK_ORDER, &block) == ERR_OK) {
			err = divide_block(map, cpu_of(i), block);
			continue;
		}
		log_warn("boot: there is no memory for the stacks of more than %u of %u CPUs", i, cpu_count);
		cpu_count = i;
	}
	return err;
}

/* False: it has been settled already. */
static bool settle(const struct cpu *cpu, enum progress progress)
{
	uint32_t none = PROGRESS_NONE;

	return __atomic_compare_exchange_n(&starts[cpu->id].progress, &none, (uint32_t)progress, false, __ATOMIC_ACQ_REL,
					   __ATOMIC_ACQUIRE);
}

/* A CPU that has come sends an interrupt. */
static enum progress wait_for(const struct cpu *cpu)
{
	uint64_t start = arch_clock(), second = arch_clock_frequency();

	while (__atomic_load_n(&starts[cpu->id].progress, __ATOMIC_ACQUIRE) == PROGRESS_NONE) {
		if (arch_clock() - start > PATIENCE * second && settle(cpu, PROGRESS_LEFT_OUT))
			break;
		arch_timer_set(arch_clock() + second / 1000);
		arch_cpu_wait();
		(void)arch_interrupts_take();
	}
	arch_timer_set(UINT64_MAX);
	return (enum progress)starts[cpu->id].progress;
}

static bool start(struct cpu *cpu)
{
	struct start *start = &starts[cpu->id];
	enum err err = arch_cpu_start(cpu, start->stack_top);
	enum progress progress;
	char name[32];

	arch_cpu_name(cpu, name, sizeof(name));
	if (err != ERR_OK) {
		log_warn("boot: CPU %u (%s) cannot be started (%s): it is left out", cpu->id, name, err_name(err));
		return false;
	}
	progress = wait_for(cpu);
	if (progress == PROGRESS_REFUSED)
		log_warn("boot: CPU %u (%s) is left out: %s", cpu->id, name, start->why);
	else if (progress == PROGRESS_LEFT_OUT)
		log_warn("boot: CPU %u (%s) did not come: it is left out", cpu->id, name);
	return progress == PROGRESS_ONLINE;
}

bool cpus_start(void)
{
	unsigned online = 1;
	const char *why;
	enum err err = arch_interrupts_start(&why);

	if (err != ERR_OK) {
		log_warn("boot: guests are not interrupted, and one CPU is used: %s", why);
		cpu_count = 1;
	}
	__atomic_store_n(&cpu_of(0)->online, true, __ATOMIC_RELEASE);
	several = cpu_count > 1;
	for (unsigned i = 1; i < cpu_count; i++)
		online += start(cpu_of(i));
	if (several)
		log_info("nestling: %u CPU%s", online, online == 1 ? " runs" : "s run");
	return err == ERR_OK;
}

void cpu_main(struct cpu *cpu)
{
	const char *why;
	enum err err;

	arch_this_cpu_set(cpu);
	err = arch_virt_enable(&why);
	if (err == ERR_OK)
		err = arch_interrupts_start(&why);
	if (err != ERR_OK) {
		starts[cpu->id].why = why;
		settle(cpu, PROGRESS_REFUSED);
		arch_halt();
	}
	__atomic_store_n(&cpu->online, true, __ATOMIC_RELEASE);
	if (settle(cpu, PROGRESS_ONLINE)) {
		arch_ipi_send(cpu_of(0));
		sched_run();
		arch_halt();
	}
	/* Too late: the others do without. */
	__atomic_store_n(&cpu->online, false, __ATOMIC_RELEASE);
	arch_halt();
}

bool cpus_are_several(void)
{
	return several;
}

void cpus_stop_others(void)
{
	uint32_t by = 0, self;

	if (!several)
		return;
	self = arch_this_cpu()->id + 1;
	if (__atomic_compare_exchange_n(&stopping, &by, self, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
		for (unsigned i = 0; i < cpu_count; i++)
			if (i + 1 != self)
				__atomic_store_n(&cpu_of(i)->stopped, true, __ATOMIC_RELEASE);
		arch_cpus_stop();
		console_take_over();
	} else if (by != self) {
		arch_halt();
	}
}

void cpus_begin_trap(void)
{
	cpus_stop_others();
	if (several)
		log_err("trap: on CPU %u:", arch_this_cpu()->id);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Who is there, by the MADT or the firmware itself, and starting it. Intel SDM vol. 3 "Multiple-Processor (MP) Initialization". */
#include <stdio.h>
#include <string.h>

#include "boot/cpus.h"
#include "boot/firmware.h"
#include "boot/memory.h"
#include "boot/mp_services.h"
#include "boot/x86_64/interrupts.h"
#include "boot/x86_64/mtrr.h"
#include "boot/x86_64/start.h"
#include "drivers/acpi_madt.h"
#include "drivers/platform.h"
#include "drivers/x86_64/apic.h"
#include "include/arch/cpu.h"
#include "include/arch/machine.h"
#include "include/arch/virt.h"
#include "include/arch/x86_64/cpu.h"
#include "include/arch/x86_64/insn.h"
#include "include/log.h"

/* The start code is where a SIPI's vector can point; its tables are where CR3 of 32 bits can. */
#define START_LIMIT  MIB(1)
#define TABLES_LIMIT GIB(4)
#define TABLE_PAGES  4 /* one of each level */

/* Microseconds after which a CPU that has not begun is asked once more. */
#define SECOND_SIPI 200

/* From the firmware, for good: a CPU may come late. NULL: no CPU can be started. */
static char *start_page;
static uint64_t (*start_tables)[PAGE_SIZE / sizeof(uint64_t)];

/* Of all CPUs the same, constant before the first one is started. */
static hpa_t map_root;
static uint64_t first_cr0, first_cr4;

/* What the next CPU to begin takes: start.S. */
struct cpu *start_cpu __attribute__((visibility("hidden")));
void *start_stack __attribute__((visibility("hidden")));

_Noreturn void start_main(struct cpu *cpu);

unsigned arch_cpus_find(uint64_t *ids, unsigned room)
{
	const struct platform *platform = platform_get();
	struct cpu_ids list = { ids, room, 0 };
	enum err err = ERR_NOT_FOUND;

	interrupts_find_clock();
	cpu_ids_add(&list, apic_id());
	if (platform->acpi_rsdp)
		err = madt_find_local_apics(platform->acpi_rsdp, platform->acpi_reader, &list);
	if (err == ERR_CORRUPT)
		log_warn("boot: ACPI's table of the CPUs (MADT) is malformed: what it names before that counts");
	else if (err != ERR_OK)
		(void)mp_services_find(&list); /* or this CPU is the only one that is known */
	return list.count;
}

void arch_cpu_name(const struct cpu *cpu, char *text, size_t size)
{
	snprintf(text, size, "APIC id %lu", cpu->hw_id);
}

enum err arch_cpus_prepare(void)
{
	start_page = firmware_alloc_below(1, START_LIMIT);
	start_tables = firmware_alloc_below(TABLE_PAGES, TABLES_LIMIT);
	if (start_page && start_tables)
		return ERR_OK;
	start_page = NULL;
	return ERR_NO_MEMORY;
}

/* Tables that map the first 2 MiB one to one, of as many levels as ours. Returns the root. */
static uint32_t make_tables(unsigned levels)
{
	memset(start_tables, 0, TABLE_PAGES * PAGE_SIZE);
	start_tables[0][0] = PTE_P | PTE_RW | PTE_PS;
	for (unsigned level = 1; level < levels - 1; level++)
		start_tables[level][0] = (uintptr_t)start_tables[level - 1] | PTE_P | PTE_RW;
	return (uint32_t)(uintptr_t)start_tables[levels - 2];
}

static void copy_start_code(void)
{
	struct start_parameters *parameters = (void *)(start_page + (start_parameters - start_code));
	bool five = read_cr4() & CR4_LA57;
	uint32_t page = (uint32_t)(uintptr_t)start_page;

	memcpy(start_page, start_code, (size_t)(start_code_end - start_code));
	parameters->map = map_root.raw;
	parameters->entry = (uintptr_t)start_entry;
	parameters->cr3 = make_tables(five ? 5 : 4);
	parameters->cr4 = (uint32_t)(CR4_PAE | (five ? CR4_LA57 : 0));
	parameters->far_32.offset += page;
	parameters->far_64.offset += page;
	parameters->gdt_base += page;
}

enum err arch_cpus_map(struct host_map *map)
{
	enum err err = memory_add_device(map, apic_page(), PAGE_SIZE);
	hpa_t page = HPA((uintptr_t)start_page);

	map_root = map->npt.root;
	if (!start_page || err != ERR_OK)
		return err;
	copy_start_code();
	return host_map_protect(map, page, HPA(page.raw + PAGE_SIZE), NPT_RX);
}

/* Has it begun, and taken what start_cpu said? This CPU sleeps meanwhile, a tenth of the time at once. */
static bool has_begun(uint64_t microseconds)
{
	uint64_t nap = microseconds * arch_clock_frequency() / 10000000;

	for (unsigned i = 0; i < 10 && __atomic_load_n(&start_cpu, __ATOMIC_ACQUIRE); i++) {
		arch_timer_set(arch_clock() + nap);
		arch_cpu_wait();
		(void)arch_interrupts_take();
	}
	return !__atomic_load_n(&start_cpu, __ATOMIC_ACQUIRE);
}

/*
 * No pause follows the INIT: the 10 ms of the manual are for CPUs far older than any with 64 bits (Linux,
 * arch/x86/kernel/smpboot.c, asks none of Intel's family 6 and AMD's from family 15 on for them).
 */
enum err arch_cpu_start(struct cpu *cpu, void *stack_top)
{
	uint32_t id = (uint32_t)cpu->hw_id, sipi = APIC_STARTUP | (uint32_t)((uintptr_t)start_page >> PAGE_SHIFT);

	if (!start_page || (id >= APIC_XAPIC_IDS && !apic_has_wide_ids()))
		return ERR_UNSUPPORTED;
	first_cr0 = read_cr0();
	first_cr4 = read_cr4();
	mtrr_save();
	start_stack = stack_top;
	__atomic_store_n(&start_cpu, cpu, __ATOMIC_RELEASE);
	apic_send(id, APIC_INIT);
	apic_send(id, sipi);
	if (!has_begun(SECOND_SIPI))
		apic_send(id, sipi);
	return ERR_OK;
}

/* On the CPU that has been started, on its own stack. */
void start_main(struct cpu *cpu)
{
	mtrr_load();
	write_cr0(first_cr0);
	/* Virtualization is switched on by arch_virt_enable; extended states are not used. */
	write_cr4(first_cr4 & ~(CR4_VMXE | CR4_OSXSAVE));
	arch_host_map_activate(map_root);
	if (apic_id() != cpu->hw_id)
		arch_halt();
	arch_traps_init(cpu);
	cpu_main(cpu);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* The account of a run. */
#include "vmm/report.h"

#include <stdio.h>

#include "drivers/console.h"
#include "include/arch/virt.h"
#include "include/log.h"
#include "mm/frame.h"

#define REPORT_MAX 2048

static const char *outcome_name(enum vm_outcome outcome)
{
	static const char *const names[] = {
		[VM_RUNNING] = "running",     [VM_EXITED] = "exited",       [VM_DENIED] = "denied",
		[VM_UNMAPPED] = "unmapped", [VM_NO_MEMORY] = "no_memory", [VM_CRASHED] = "crashed",
	};

	return names[outcome];
}

/* "1 GiB", "1.2 MiB", "12 KiB": one decimal, rounded down, where it is not whole. */
static const char *human(char text[48], uint64_t bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	uint64_t unit = 1;
	size_t i = 0;

	while (i + 1 < ARRAY_LEN(units) && bytes / unit >= 1024) {
		unit <<= 10;
		i++;
	}
	if (bytes % unit == 0)
		snprintf(text, 48, "%lu %s", bytes / unit, units[i]);
	else
		snprintf(text, 48, "%lu.%lu %s", bytes / unit, (bytes % unit) * 10 / unit, units[i]);
	return text;
}

static void print_people(const struct vm *vm, const struct addr_space_stats *stats)
{
	const struct vm_exit_counts *exits = &vm->exits;
	char promised[48], cost[48], peak[48], tables[48];

	log_info("nestling: guest %s, status %lu", outcome_name(vm->outcome), vm->guest_status);
	log_info("nestling: promised %s; it has cost %s (peak %s) and %s of tables",
		 human(promised, vm->options.ram), human(cost, stats->resident), human(peak, stats->resident_peak),
		 human(tables, vm->as.npt.table_bytes));
	log_info("nestling: %lu exits: %lu faults, %lu hypercalls, %lu port I/O, %lu MMIO, %lu other", exits->total,
		 exits->fault, exits->hypercall, exits->pio, exits->mmio, exits->other);
}

static void print_json(const struct vm *vm, const struct addr_space_stats *stats)
{
	static char json[REPORT_MAX];
	const struct vm_exit_counts *exits = &vm->exits;
	const uint64_t *faults = stats->faults, *leaves = vm->as.npt.leaves;
	int length = snprintf(
		json, sizeof(json),
		"report: {\"isa\":\"%s\",\"virt\":\"%s\",\"format\":\"%s\",\"demo\":\"%s\",\"policy\":\"%s\","
		"\"guest_ram\":%lu,\"resident\":%lu,\"resident_peak\":%lu,\"table_bytes\":%lu,"
		"\"leaves\":{\"4k\":%lu,\"2m\":%lu,\"1g\":%lu},\"zero_page_leaves\":0,"
		"\"exits\":{\"total\":%lu,\"fault\":%lu,\"mmio\":%lu,\"pio\":%lu,\"hypercall\":%lu,\"other\":%lu},"
		"\"faults\":{\"handled\":%lu,\"spurious\":%lu,\"denied\":%lu,\"unmapped\":%lu,\"no_memory\":%lu},"
		"\"host_faults\":%lu,\"flushes\":%lu,\"host_free\":%lu,\"guest_status\":%lu,\"outcome\":\"%s\"}\n",
		arch_isa_name(), arch_virt_name(), npt_name(&vm->as.npt), vm->options.guest[0] ? "file" : vm->options.demo,
		alloc_policy_name(vm->options.policy), vm->options.ram, stats->resident, stats->resident_peak,
		vm->as.npt.table_bytes, leaves[0], leaves[1], leaves[2], exits->total, exits->fault, exits->mmio, exits->pio,
		exits->hypercall, exits->other, faults[FAULT_HANDLED], faults[FAULT_SPURIOUS], faults[FAULT_DENIED],
		faults[FAULT_UNMAPPED], faults[FAULT_NO_MEMORY], stats->faults_by_host, stats->flushes,
		frame_get_stats().free, vm->guest_status, outcome_name(vm->outcome));

	if (length > 0 && (size_t)length < sizeof(json))
		console_write(json, (size_t)length);
}

void report_print(struct vm *vm)
{
	struct addr_space_stats stats = addr_space_get_stats(&vm->as);

	print_people(vm, &stats);
	print_json(vm, &stats);
}

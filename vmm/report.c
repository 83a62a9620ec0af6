/* SPDX-License-Identifier: BSD-2-Clause */
/* The account of a run. */
#include "vmm/report.h"

#include <stdio.h>
#include <string.h>

#include "drivers/console.h"
#include "include/arch/virt.h"
#include "include/log.h"
#include "mm/frame.h"
#include "vmm/text.h"

#define REPORT_MAX 4096

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

/* A guest that has forked is told apart from its children. */
static void print_outcome(const struct vm *vm)
{
	char who[32] = "guest";

	if (vm->number > 0)
		snprintf(who, sizeof(who), "forked VM %u", vm->number);
	else if (vm->family->count > 1)
		snprintf(who, sizeof(who), "first of %u VMs", vm->family->count);
	log_info("nestling: %s %s, status %lu", who, outcome_name(vm->outcome), vm->guest_status);
}

static void print_memory(const struct vm *vm, const struct addr_space_stats *stats)
{
	uint64_t zeros = stats->zero_leaves[0] * npt_level_size(0) + stats->zero_leaves[1] * npt_level_size(1);
	char promised[48], cost[48], peak[48], tables[48];

	log_info("nestling: promised %s; it has cost %s (peak %s) and %s of tables",
		 human(promised, vm->options.ram), human(cost, stats->resident), human(peak, stats->resident_peak),
		 human(tables, vm->as.npt.table_bytes));
	if (stats->shared)
		log_info("nestling: %s more are other VMs' memory", human(cost, stats->shared));
	if (zeros)
		log_info("nestling: %s more were only read: one block of zeros stands for them", human(cost, zeros));
}

struct counted {
	uint64_t count;
	const char *what;
};

/* "12 of zeros, 3 of fresh memory": those that happened. */
static void print_counts(const char *before, const struct counted *counts, size_t size)
{
	char line[256] = "";

	for (size_t i = 0; i < size; i++)
		if (counts[i].count)
			text_add(line, sizeof(line), "%s%lu %s", line[0] ? ", " : "", counts[i].count, counts[i].what);
	if (line[0])
		log_info("nestling: %s: %s", before, line);
}

static void print_events(const struct vm *vm, const struct addr_space_stats *stats)
{
	const struct vm_exit_counts *exits = &vm->exits;
	const struct counted handled[] = {
		{ stats->handled_fresh, "got fresh memory" },
		{ stats->handled_zero, "read zeros" },
		{ stats->handled_unzero, "wrote where zeros were" },
		{ stats->handled_copy, "copied what is shared" },
		{ stats->handled_reuse, "were left alone with what was shared" },
		{ stats->handled_tracked, "were noted by software" },
	};
	const struct counted changes[] = {
		{ stats->promoted, "blocks copied into one leaf" },
		{ stats->merged, "made one leaf in place" },
		{ stats->split, "leaves split" },
		{ stats->discarded >> 10, "KiB given back" },
		{ stats->reclaimed >> 10, "KiB taken back" },
		{ stats->flush_instructions, "flush instructions" },
	};

	log_info("nestling: %lu exits: %lu faults, %lu hypercalls, %lu port I/O, %lu MMIO, %lu other", exits->total,
		 exits->fault, exits->hypercall, exits->pio, exits->mmio, exits->other);
	print_counts("faults", handled, ARRAY_LEN(handled));
	print_counts("memory", changes, ARRAY_LEN(changes));
}

static void add_setup(const struct vm *vm, char *json, size_t size)
{
	text_add(json, size, "\"isa\":\"%s\",\"virt\":\"%s\",\"format\":\"%s\",\"demo\":\"%s\",\"policy\":\"%s\","
		 "\"tracking\":\"%s\",\"guest_ram\":%lu,",
		 arch_isa_name(), arch_virt_name(), npt_name(&vm->as.npt),
		 vm->options.guest[0] ? "file" : vm->options.demo, alloc_policy_name(vm->options.policy),
		 vm->as.npt.config.hw_ad ? "hardware" : "software", vm->options.ram);
}

static void add_memory(const struct vm *vm, const struct addr_space_stats *stats, char *json, size_t size)
{
	const uint64_t *leaves = vm->as.npt.leaves;

	text_add(json, size, "\"resident\":%lu,\"resident_peak\":%lu,\"shared\":%lu,\"table_bytes\":%lu,"
		 "\"leaves\":{\"4k\":%lu,\"2m\":%lu,\"1g\":%lu},\"zero_page_leaves\":%lu,",
		 stats->resident, stats->resident_peak, stats->shared, vm->as.npt.table_bytes, leaves[0], leaves[1],
		 leaves[2], stats->zero_leaves[0] + stats->zero_leaves[1]);
}

static void add_faults(const struct vm *vm, const struct addr_space_stats *stats, char *json, size_t size)
{
	const struct vm_exit_counts *exits = &vm->exits;
	const uint64_t *faults = stats->faults;

	text_add(json, size,
		 "\"exits\":{\"total\":%lu,\"fault\":%lu,\"mmio\":%lu,\"pio\":%lu,\"hypercall\":%lu,\"other\":%lu},"
		 "\"faults\":{\"handled\":%lu,\"spurious\":%lu,\"denied\":%lu,\"unmapped\":%lu,\"no_memory\":%lu},"
		 "\"handled\":{\"zero\":%lu,\"fresh\":%lu,\"unzero\":%lu,\"copy\":%lu,\"reuse\":%lu,\"tracked\":%lu},",
		 exits->total, exits->fault, exits->mmio, exits->pio, exits->hypercall, exits->other,
		 faults[FAULT_HANDLED], faults[FAULT_SPURIOUS], faults[FAULT_DENIED], faults[FAULT_UNMAPPED],
		 faults[FAULT_NO_MEMORY], stats->handled_zero, stats->handled_fresh, stats->handled_unzero,
		 stats->handled_copy, stats->handled_reuse, stats->handled_tracked);
	text_add(json, size,
		 "\"host_faults\":%lu,\"promoted\":%lu,\"merged\":%lu,\"split\":%lu,\"discarded\":%lu,"
		 "\"reclaimed\":%lu,\"flushes\":%lu,\"flush_instructions\":%lu,",
		 stats->faults_by_host, stats->promoted, stats->merged, stats->split, stats->discarded,
		 stats->reclaimed, stats->flushes, stats->flush_instructions);
}

/* A forked VM says which one it is; the first one's report, the last of all, says what became of the others. */
static void add_end(const struct vm *vm, char *json, size_t size)
{
	if (vm->number > 0)
		text_add(json, size, "\"vm\":%u,", vm->number);
	else
		text_add(json, size, "\"vms\":%u,\"vms_failed\":%u,", vm->family->count, vm->family->failed);
	text_add(json, size, "\"host_free\":%lu,\"guest_status\":%lu,\"outcome\":\"%s\"}\n", frame_get_stats().free,
		 vm->guest_status, outcome_name(vm->outcome));
}

static void print_json(const struct vm *vm, const struct addr_space_stats *stats)
{
	static char json[REPORT_MAX];

	strcpy(json, "report: {");
	add_setup(vm, json, sizeof(json));
	add_memory(vm, stats, json, sizeof(json));
	add_faults(vm, stats, json, sizeof(json));
	add_end(vm, json, sizeof(json));
	console_write(json, strlen(json));
}

void report_print(struct vm *vm)
{
	struct addr_space_stats stats = addr_space_get_stats(&vm->as);

	print_outcome(vm);
	print_memory(vm, &stats);
	print_events(vm, &stats);
	print_json(vm, &stats);
}

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

/* What a VM came to beside what its space has counted. All in bytes. */
struct account {
	struct addr_space_stats stats;
	uint64_t zeros;            /* mapped, and only read */
	uint64_t touched;          /* in leaves that have an accessed mark */
	uint64_t populated[2];     /* of tables, had all RAM been mapped at the start: in 4 KiB pages, in 2 MiB leaves */
};

static bool add_touched(const struct npt_leaf *leaf, void *context)
{
	uint64_t *touched = context;

	if (leaf->accessed)
		*touched += npt_level_size(leaf->level);
	return true;
}

/* How many tables of `level` does RAM take that is mapped whole, by leaves of `largest` where they fit? */
static uint64_t count_tables(const struct vm *vm, unsigned level, unsigned largest)
{
	const uint64_t block = npt_level_size(level + 1);
	uint64_t count = 0, next = 0;

	for (size_t i = 0; i < vm->ram_ranges; i++) {
		uint64_t start = vm->ram[i].start.raw, end = start + vm->ram[i].size;
		uint64_t first = max_u64(start / block, next), whole = align_up(start, block) / block;

		next = align_up(end, block) / block; /* the range before may have brought the first one */
		count += next - first;
		if (level < largest && end / block > whole)
			count -= end / block - whole;
	}
	return count;
}

static uint64_t populated_tables(const struct vm *vm, unsigned largest)
{
	const struct npt *npt = &vm->as.npt;
	uint64_t bytes = PAGE_SIZE << npt->root_order;

	for (unsigned level = 0; level + 1 < npt->config.levels; level++)
		bytes += count_tables(vm, level, largest) * PAGE_SIZE;
	return bytes;
}

static void settle(struct vm *vm, struct account *account)
{
	enum err err;

	account->stats = addr_space_get_stats(&vm->as);
	account->zeros = account->stats.zero_leaves[0] * npt_level_size(0) + account->stats.zero_leaves[1] * npt_level_size(1);
	account->touched = 0;
	err = npt_walk(&vm->as.npt, GPA(0), vm->as.npt.end, add_touched, &account->touched);
	(void)err; /* a malformed entry has been told of by whoever met it first; what was counted before it stands */
	for (unsigned i = 0; i < ARRAY_LEN(account->populated); i++)
		account->populated[i] = populated_tables(vm, i);
}

/* A line of the bill: what, how much, and what there is to say about it. */
static void item(const char *what, const char *amount, const char *remark)
{
	log_info("nestling:   %-10s %10s%s%s", what, amount, *remark ? "  " : "", remark);
}

static void item_number(const char *what, uint64_t amount, const char *remark)
{
	char text[24];

	snprintf(text, sizeof(text), "%lu", amount);
	item(what, text, remark);
}

static void bill_memory(const struct vm *vm, const struct account *account)
{
	const struct addr_space_stats *stats = &account->stats;
	char line[192] = "", amount[48], more[48];

	item("promised", text_size(amount, vm->options.ram), "");
	if (account->zeros)
		text_add(line, sizeof(line), "%s is only read, and one block of zeros", text_size(more, account->zeros));
	item("touched", text_size(amount, account->touched), line);
	snprintf(line, sizeof(line), "%s at the peak", text_size(more, stats->resident_peak));
	if (stats->shared)
		text_add(line, sizeof(line), "; %s more is other VMs'", text_size(more, stats->shared));
	item("resident", text_size(amount, stats->resident), line);
	item("tables", text_size(amount, vm->as.npt.table_bytes), "");
	snprintf(line, sizeof(line), "and %s of tables ", text_size(more, account->populated[1]));
	text_add(line, sizeof(line), "(%s in 4 KiB pages), backed whole at the start", text_size(more, account->populated[0]));
	item("populated", text_size(amount, vm->options.ram), line);
}

struct counted {
	uint64_t count;
	const char *what;
};

/* "12 of zeros, 3 of fresh memory": those that happened. */
static const char *counts_text(char line[256], const struct counted *counts, size_t size)
{
	line[0] = '\0';
	for (size_t i = 0; i < size; i++)
		if (counts[i].count)
			text_add(line, 256, "%s%lu %s", line[0] ? ", " : "", counts[i].count, counts[i].what);
	return line;
}

static void bill_events(const struct vm *vm, const struct addr_space_stats *stats)
{
	const struct vm_exit_counts *exits = &vm->vcpu.exits;
	const struct counted kinds[] = {
		{ exits->fault, "faults" }, { vm_hypercalls(exits), "hypercalls" }, { exits->pio, "port I/O" },
		{ exits->mmio, "MMIO" },    { exits->other, "other" },
	};
	const struct counted handled[] = {
		{ stats->handled_fresh, "got fresh memory" },
		{ stats->handled_zero, "read zeros" },
		{ stats->handled_unzero, "wrote over zeros" },
		{ stats->handled_copy, "copied a shared page" },
		{ stats->handled_reuse, "kept a shared page" },
		{ stats->handled_tracked, "noted by software" },
	};
	const struct counted changes[] = {
		{ stats->promoted, "blocks copied into one leaf" },
		{ stats->merged, "made one leaf in place" },
		{ stats->split, "leaves split" },
		{ stats->discarded >> 10, "KiB given back" },
		{ stats->reclaimed >> 10, "KiB taken back" },
	};
	char line[256];

	counts_text(line, kinds, ARRAY_LEN(kinds));
	if (vm->timed_faults)
		text_add(line, sizeof(line), "; a fault took %lu ticks of the %s", vm->fault_ticks / vm->timed_faults,
			 arch_clock_name());
	item_number("exits", exits->total, line);
	item_number("faults", stats->faults[FAULT_HANDLED], counts_text(line, handled, ARRAY_LEN(handled)));
	item_number("flushes", stats->flush_instructions, counts_text(line, changes, ARRAY_LEN(changes)));
}

/* Of a forked VM, one line: there may be fifteen. */
static void print_fork(const struct vm *vm, const struct account *account)
{
	const struct addr_space_stats *stats = &account->stats;
	char own[48], peak[48], shared[48], tables[48];

	log_info("nestling: forked VM %u %s, status %lu: %s its own (peak %s), %s shared, %s of tables, %lu exits",
		 vm->number, outcome_name(vm->outcome), vm->guest_status, text_size(own, stats->resident),
		 text_size(peak, stats->resident_peak), text_size(shared, stats->shared), text_size(tables, vm->as.npt.table_bytes),
		 vm->vcpu.exits.total);
}

static void print_bill(const struct vm *vm, const struct account *account)
{
	char who[32] = "guest";

	if (vm->family->count > 1)
		snprintf(who, sizeof(who), "first of %u VMs", vm->family->count);
	log_info("nestling: %s %s, status %lu", who, outcome_name(vm->outcome), vm->guest_status);
	bill_memory(vm, account);
	bill_events(vm, &account->stats);
}

static void add_setup(const struct vm *vm, char *json, size_t size)
{
	text_add(json, size, "\"isa\":\"%s\",\"virt\":\"%s\",\"format\":\"%s\",\"demo\":\"%s\",\"policy\":\"%s\","
		 "\"tracking\":\"%s\",\"guest_ram\":%lu,",
		 arch_isa_name(), arch_virt_name(), npt_name(&vm->as.npt),
		 vm->options.guest[0] ? "file" : vm->options.demo, alloc_policy_name(vm->options.policy),
		 vm->as.npt.config.hw_ad ? "hardware" : "software", vm->options.ram);
}

static void add_memory(const struct vm *vm, const struct account *account, char *json, size_t size)
{
	const struct addr_space_stats *stats = &account->stats;
	const uint64_t *leaves = vm->as.npt.leaves;

	text_add(json, size, "\"touched\":%lu,\"resident\":%lu,\"resident_peak\":%lu,\"shared\":%lu,\"table_bytes\":%lu,"
		 "\"leaves\":{\"4k\":%lu,\"2m\":%lu,\"1g\":%lu},\"zero_page_leaves\":%lu,\"zero_bytes\":%lu,"
		 "\"populated\":{\"resident\":%lu,\"table_bytes\":%lu,\"table_bytes_4k\":%lu},",
		 account->touched, stats->resident, stats->resident_peak, stats->shared, vm->as.npt.table_bytes,
		 leaves[0], leaves[1], leaves[2], stats->zero_leaves[0] + stats->zero_leaves[1], account->zeros,
		 vm->options.ram, account->populated[1], account->populated[0]);
}

static void add_faults(const struct vm *vm, const struct addr_space_stats *stats, char *json, size_t size)
{
	const struct vm_exit_counts *exits = &vm->vcpu.exits;
	const uint64_t *faults = stats->faults;

	text_add(json, size,
		 "\"exits\":{\"total\":%lu,\"fault\":%lu,\"mmio\":%lu,\"pio\":%lu,\"hypercall\":%lu,\"other\":%lu},"
		 "\"faults\":{\"handled\":%lu,\"spurious\":%lu,\"denied\":%lu,\"unmapped\":%lu,\"no_memory\":%lu},"
		 "\"handled\":{\"zero\":%lu,\"fresh\":%lu,\"unzero\":%lu,\"copy\":%lu,\"reuse\":%lu,\"tracked\":%lu},",
		 exits->total, exits->fault, exits->mmio, exits->pio, vm_hypercalls(exits), exits->other,
		 faults[FAULT_HANDLED], faults[FAULT_SPURIOUS], faults[FAULT_DENIED], faults[FAULT_UNMAPPED],
		 faults[FAULT_NO_MEMORY], stats->handled_zero, stats->handled_fresh, stats->handled_unzero,
		 stats->handled_copy, stats->handled_reuse, stats->handled_tracked);
	text_add(json, size,
		 "\"fault_clock\":{\"name\":\"%s\",\"faults\":%lu,\"ticks\":%lu},"
		 "\"host_faults\":%lu,\"promoted\":%lu,\"merged\":%lu,\"split\":%lu,\"discarded\":%lu,"
		 "\"reclaimed\":%lu,\"flushes\":%lu,\"flush_instructions\":%lu,",
		 arch_clock_name(), vm->timed_faults, vm->fault_ticks, stats->faults_by_host, stats->promoted, stats->merged, stats->split, stats->discarded,
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

static void print_json(const struct vm *vm, const struct account *account)
{
	static char json[REPORT_MAX];

	strcpy(json, "report: {");
	add_setup(vm, json, sizeof(json));
	add_memory(vm, account, json, sizeof(json));
	add_faults(vm, &account->stats, json, sizeof(json));
	add_end(vm, json, sizeof(json));
	console_write(json, strlen(json));
}

void report_print(struct vm *vm)
{
	struct account account;

	settle(vm, &account);
	if (vm->number > 0)
		print_fork(vm, &account);
	else
		print_bill(vm, &account);
	print_json(vm, &account);
}

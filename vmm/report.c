/* SPDX-License-Identifier: BSD-2-Clause */
/* The report of a VM. */
#include "vmm/report.h"

#include <stdio.h>
#include <string.h>

#include "drivers/console.h"
#include "drivers/framebuffer.h"
#include "include/arch/cpu.h"
#include "include/arch/virt.h"
#include "include/log.h"
#include "include/version.h"
#include "mm/frame.h"
#include "vmm/guest_file.h"
#include "vmm/machine.h"
#include "vmm/text.h"

#define REPORT_MAX 4096

static const char *outcome_name(enum vm_outcome outcome)
{
	static const char *const names[] = {
		[VM_RUNNING] = "running",     [VM_EXITED] = "exited",       [VM_DENIED] = "denied",
		[VM_UNMAPPED] = "unmapped",   [VM_NO_MEMORY] = "no_memory", [VM_CRASHED] = "crashed",
		[VM_TIMED_OUT] = "timed_out", [VM_REFUSED] = "refused",     [VM_RESET] = "reset",
	};

	return names[outcome];
}

static bool add_leaf(const struct npt_leaf *leaf, void *context)
{
	struct vm *vm = context;
	uint64_t size = npt_level_size(leaf->level);

	if (leaf->accessed && vm_is_ram(vm, leaf->gpa, size))
		vm->touched += size;
	if (leaf->attr.shared && guest_file_has(vm, leaf->hpa))
		vm->of_files += size;
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

/* What all tables come to when RAM is mapped so; those of devices are there in any case. */
static uint64_t populated_tables(const struct vm *vm, unsigned largest)
{
	const struct npt *npt = &vm->as.npt;
	uint64_t bytes = (PAGE_SIZE << npt->root_order) + vm->device_tables * PAGE_SIZE;

	for (unsigned level = 0; level + 1 < npt->config.levels; level++)
		bytes += count_tables(vm, level, largest) * PAGE_SIZE;
	return bytes;
}

/* Of all VMs that have ended, each member atomic. */
static struct report_time all_time;
static struct vm_exit_counts all_exits;

static uint64_t microseconds(uint64_t ticks)
{
	const uint64_t frequency = arch_clock_frequency();

	return ticks / frequency * 1000000 + ticks % frequency * 1000000 / frequency;
}

static void sum_time(struct report_time *time, const struct vm *vm)
{
	*time = (struct report_time){
		.cpu_time = microseconds(vm->cpu_time),
		.shootdowns = vm->shootdowns,
		.ipis = vm->ipis,
	};
	for (unsigned i = 0; i < vm->vcpus; i++) {
		time->switches += vm->vcpu_table[i]->switches;
		time->preemptions += vm->vcpu_table[i]->preemptions;
		time->interrupts += vm->vcpu_table[i]->interrupts;
	}
}

static void add_to(uint64_t *sum, uint64_t number)
{
	__atomic_add_fetch(sum, number, __ATOMIC_RELAXED);
}

static void add_to_all(const struct report *report)
{
	add_to(&all_exits.total, report->exits.total);
	add_to(&all_exits.fault, report->exits.fault);
	add_to(&all_time.cpu_time, report->time.cpu_time);
	add_to(&all_time.switches, report->time.switches);
	add_to(&all_time.preemptions, report->time.preemptions);
	add_to(&all_time.interrupts, report->time.interrupts);
	add_to(&all_time.shootdowns, report->time.shootdowns);
	add_to(&all_time.ipis, report->time.ipis);
}

void report_refused(struct report *report, const struct vm_options *options, unsigned number)
{
	*report = (struct report){
		.options = *options,
		.number = number,
		.outcome = VM_REFUSED,
		.format = "none",
	};
	strcpy(report->name, options->name);
}

static void settle_name_and_time(struct report *report, const struct vm *vm)
{
	strcpy(report->name, vm->console.name[0] != '\0' ? vm->console.name : vm->options.name);
	sum_time(&report->time, vm);
	add_to_all(report);
}

/* Of a VM that could not be made anew after a reboot, little is there. */
static void settle_unmade(struct report *report, const struct vm *vm)
{
	report_refused(report, &vm->options, vm->number);
	report->outcome = vm->outcome;
	report->forked = vm_is_forked(vm);
	report->reboots = vm->reboots;
	settle_name_and_time(report, vm);
}

bool report_survey_piece(struct vm *vm)
{
	const struct npt *npt = &vm->as.npt;
	gpa_t at = GPA(vm->surveyed);
	uint64_t size = addr_space_piece(&vm->as, at, npt->end - at.raw);
	enum err err = addr_space_walk(&vm->as, at, size, add_leaf, vm);

	vm->surveyed += size;
	/* A malformed entry has been reported before; what was counted up to it is kept. */
	return err == ERR_OK && vm->surveyed < npt->end;
}

void report_settle(struct report *report, struct vm *vm)
{
	const struct npt *npt = &vm->as.npt;

	if (vm->vcpus == 0) {
		settle_unmade(report, vm);
		return;
	}
	*report = (struct report){
		.options = vm->options,
		.number = vm->number,
		.forked = vm_is_forked(vm),
		.outcome = vm->outcome,
		.guest_status = vm->guest_status,
		.reboots = vm->reboots,
		.exits = vm_exits(vm),
		.timed_faults = vm->timed_faults,
		.fault_ticks = vm->fault_ticks,
		.format = npt_name(npt),
		.hardware_ad = npt->config.hardware_ad,
		.stats = addr_space_get_stats(&vm->as),
		.tables = addr_space_table_bytes(&vm->as),
		.areas = area_set_bytes(&vm->as.areas),
		.host_free = frame_get_stats().free,
		.populated = { populated_tables(vm, 0), populated_tables(vm, 1) },
	};
	addr_space_get_leaves(&vm->as, report->leaves);
	report->leaves[0] -= vm->device_leaves;
	settle_name_and_time(report, vm);
	for (unsigned level = 0; level < ARRAY_LEN(report->stats.zero_leaves); level++)
		report->zeros += report->stats.zero_leaves[level] * npt_level_size(level);
	report->touched = vm->touched;
	report->file_bytes = vm->of_files;
	report->reported = vm->balloon.reported;
	report->inflated = vm->balloon.inflated;
}

/* So much of a remark stands in one line of the bill: up to the last comma or semicolon that fits, if it is too long. */
#define REMARK_WIDTH 85

static size_t remark_piece(const char *remark)
{
	size_t length = strlen(remark), at = REMARK_WIDTH;

	if (length <= REMARK_WIDTH)
		return length;
	while (at > 0 && remark[at - 1] != ',' && remark[at - 1] != ';')
		at--;
	return at > 0 ? at : length;
}

/* An item of the bill: what, how much, and what there is to say about it. */
static void item(const char *what, const char *amount, const char *remark)
{
	size_t piece = remark_piece(remark);

	log_info("nestling:   %-10s %10s%s%.*s", what, amount, *remark ? "  " : "", (int)piece, remark);
	for (remark += piece; *remark; remark += piece) {
		remark += strspn(remark, " ");
		piece = remark_piece(remark);
		log_info("nestling:   %-10s %10s  %.*s", "", "", (int)piece, remark);
	}
}

static void item_number(const char *what, uint64_t amount, const char *remark)
{
	char text[24];

	snprintf(text, sizeof(text), "%lu", amount);
	item(what, text, remark);
}

/* The total, and the part of it that is neither guest memory nor tables. */
static const char *memory_text(const struct report *report, char *line, size_t size)
{
	const struct addr_space_stats *stats = &report->stats;
	uint64_t rest = stats->memory_used - stats->resident - report->tables - report->areas;
	char amount[48];

	snprintf(line, size, "in all, %s at the peak", text_size(amount, stats->memory_peak));
	if (report->options.memory_max)
		text_add(line, size, " of %s at most", text_size(amount, report->options.memory_max));
	text_add(line, size, "; %s for areas", text_size(amount, report->areas));
	text_add(line, size, ", %s for the VM itself", text_size(amount, rest));
	return line;
}

static void bill_memory(const struct report *report)
{
	const struct addr_space_stats *stats = &report->stats;
	char line[192] = "", amount[48], more[48];

	item("promised", text_size(amount, report->options.ram), "");
	if (report->zeros)
		text_add(line, sizeof(line), "%s is only read, from the zero page", text_size(more, report->zeros));
	item("touched", text_size(amount, report->touched), line);
	snprintf(line, sizeof(line), "%s at the peak", text_size(more, stats->resident_peak));
	if (report->file_bytes)
		text_add(line, sizeof(line), "; %s more is in files", text_size(more, report->file_bytes));
	if (stats->shared > report->file_bytes)
		text_add(line, sizeof(line), "; %s more is other VMs'", text_size(more, stats->shared - report->file_bytes));
	item("resident", text_size(amount, stats->resident), line);
	item("tables", text_size(amount, report->tables), "");
	item("memory", text_size(amount, stats->memory_used), memory_text(report, line, sizeof(line)));
	snprintf(line, sizeof(line), "and %s of tables ", text_size(more, report->populated[1]));
	text_add(line, sizeof(line), "(%s in 4 KiB pages), backed whole at the start", text_size(more, report->populated[0]));
	item("populated", text_size(amount, report->options.ram), line);
}

struct counted {
	uint64_t count;
	const char *what;
	bool is_noun; /* of which one has no s behind it */
};

/* "12 of zeros, 3 of fresh memory": those that happened. */
static const char *counts_text(char line[256], const struct counted *counts, size_t size)
{
	line[0] = '\0';
	for (size_t i = 0; i < size; i++)
		if (counts[i].count)
			text_add(line, 256, "%s%lu %s%s", line[0] ? ", " : "", counts[i].count, counts[i].what,
				 counts[i].is_noun ? text_plural(counts[i].count) : "");
	return line;
}

static void bill_events(const struct report *report)
{
	const struct addr_space_stats *stats = &report->stats;
	const struct vm_exit_counts *exits = &report->exits;
	const struct counted kinds[] = {
		{ exits->fault, "fault", true },   { vm_hypercalls(exits), "hypercall", true },
		{ exits->pio, "port I/O", false }, { exits->mmio, "MMIO", false },
		{ exits->other, "other", false },
	};
	const struct counted handled[] = {
		{ stats->handled_fresh, "got fresh memory", false },   { stats->handled_zero, "read zeros", false },
		{ stats->handled_unzero, "wrote over zeros", false },  { stats->handled_copy, "copied a shared page", false },
		{ stats->handled_reuse, "kept a shared page", false }, { stats->handled_tracked, "noted by software", false },
	};
	const struct counted changes[] = {
		{ stats->promoted, "copied into one leaf", false },
		{ stats->merged, "made one leaf in place", false },
		{ stats->split, "split", false },
		{ (stats->discarded - report->reported - report->inflated) >> 10, "KiB given back", false },
		{ (report->reported + report->inflated) >> 10, "KiB given back by the balloon", false },
		{ stats->reclaimed >> 10, "KiB taken back", false },
	};
	char line[256];

	counts_text(line, kinds, ARRAY_LEN(kinds));
	if (report->timed_faults)
		text_add(line, sizeof(line), "; a fault took %lu tick%s of the %s", report->fault_ticks / report->timed_faults,
			 text_plural(report->fault_ticks / report->timed_faults), arch_cost_clock_name());
	item_number("exits", exits->total, line);
	counts_text(line, handled, ARRAY_LEN(handled));
	if (stats->faults_by_host)
		text_add(line, sizeof(line), "; %lu the hypervisor's own", stats->faults_by_host);
	item_number("faults", stats->faults[FAULT_HANDLED], line);
	item_number("flushes", stats->flush_instructions, counts_text(line, changes, ARRAY_LEN(changes)));
}

/* "12.3 ms", or of a second and more "1.2 s". */
static const char *text_time(char *text, size_t size, uint64_t us)
{
	const uint64_t unit = us < 1000000 ? 1000 : 1000000;

	snprintf(text, size, "%lu.%lu %s", us / unit, us % unit * 10 / unit, unit == 1000 ? "ms" : "s");
	return text;
}

static const char *turns_text(char line[256], const struct report_time *time)
{
	const struct counted counts[] = {
		{ time->switches, "turn", true },
		{ time->preemptions, "preemption", true },
		{ time->interrupts, "interrupt", true },
		{ time->shootdowns, "shoot-down", true },
		{ time->ipis, "IPI", true },
	};

	return counts_text(line, counts, ARRAY_LEN(counts));
}

static void bill_time(const struct report *report)
{
	char line[256], amount[24];

	turns_text(line, &report->time);
	if (report->reboots)
		text_add(line, sizeof(line), "%s%u reboot%s", line[0] ? ", " : "", report->reboots, text_plural(report->reboots));
	item("time", text_time(amount, sizeof(amount), report->time.cpu_time), line);
}

static uint64_t idle_time(void)
{
	uint64_t ticks = 0;

	for (unsigned i = 0; i < cpu_count; i++)
		ticks += cpu_of(i)->idle_ticks;
	return microseconds(ticks);
}

/* All VMs together, where there is more than one, or more than one CPU. */
static void bill_machine(const struct machine *machine)
{
	char line[256], busy[24], idle[24];

	if (cpu_count == 1 && vm_numbers() == 1)
		return;
	turns_text(line, &all_time);
	log_info("nestling: machine: %u CPU%s, %u VM%s, %u failed; %lu exit%s; %s of CPU time, %s idle%s%s", cpu_count,
		 text_plural(cpu_count), vm_numbers(), text_plural(vm_numbers()), machine->failed, all_exits.total,
		 text_plural(all_exits.total), text_time(busy, sizeof(busy), all_time.cpu_time),
		 text_time(idle, sizeof(idle), idle_time()), line[0] ? "; " : "", line);
}

/* Of a forked VM, one line: there may be thousands. */
static void print_fork(const struct report *report)
{
	const struct addr_space_stats *stats = &report->stats;
	char own[48], shared[48], tables[48], memory[48];

	log_info("nestling: fork %s %s, status %lu: %s its own, %s shared, %s of tables, %s in all, %lu exit%s", report->name,
		 outcome_name(report->outcome), report->guest_status, text_size(own, stats->resident),
		 text_size(shared, stats->shared), text_size(tables, report->tables), text_size(memory, stats->memory_used),
		 report->exits.total, text_plural(report->exits.total));
}

static void print_bill(const struct report *report, const struct machine *machine)
{
	char who[VM_NAME_ROOM + 8] = "guest";

	if (machine->count > 1)
		snprintf(who, sizeof(who), "[vm %s]", report->options.name);
	else if (vm_numbers() > 1)
		snprintf(who, sizeof(who), "first of %u VMs", vm_numbers());
	log_info("nestling: %s %s, status %lu", who, outcome_name(report->outcome), report->guest_status);
	bill_memory(report);
	bill_events(report);
	bill_time(report);
	if (report->number == 0)
		bill_machine(machine);
}

static void add_setup(const struct report *report, char *json, size_t size)
{
	text_add(json, size,
		 "\"version\":\"%s\",\"isa\":\"%s\",\"virt\":\"%s\",\"format\":\"%s\",\"demo\":\"%s\",\"policy\":\"%s\","
		 "\"tracking\":\"%s\",\"guest_ram\":%lu,",
		 nestling_version, arch_isa_name(), arch_virt_name(), report->format,
		 report->options.guest[0] ? "file" : report->options.demo, alloc_policy_names[report->options.policy],
		 report->hardware_ad ? "hardware" : "software", report->options.ram);
}

static void add_memory(const struct report *report, char *json, size_t size)
{
	const struct addr_space_stats *stats = &report->stats;
	const uint64_t *leaves = report->leaves;

	text_add(json, size,
		 "\"touched\":%lu,\"resident\":%lu,\"resident_peak\":%lu,\"shared\":%lu,\"file_bytes\":%lu,\"table_bytes\":%lu,"
		 "\"memory_used\":%lu,\"memory_peak\":%lu,\"memory_max\":%lu,"
		 "\"leaves\":{\"4k\":%lu,\"2m\":%lu,\"1g\":%lu},\"zero_page_leaves\":%lu,\"zero_bytes\":%lu,"
		 "\"populated\":{\"resident\":%lu,\"table_bytes\":%lu,\"table_bytes_4k\":%lu},",
		 report->touched, stats->resident, stats->resident_peak, stats->shared, report->file_bytes, report->tables,
		 stats->memory_used, stats->memory_peak, report->options.memory_max, leaves[0], leaves[1], leaves[2],
		 stats->zero_leaves[0] + stats->zero_leaves[1], report->zeros, report->options.ram, report->populated[1],
		 report->populated[0]);
}

static void add_faults(const struct report *report, char *json, size_t size)
{
	const struct vm_exit_counts *exits = &report->exits;
	const struct addr_space_stats *stats = &report->stats;
	const uint64_t *faults = stats->faults;

	text_add(json, size,
		 "\"exits\":{\"total\":%lu,\"fault\":%lu,\"mmio\":%lu,\"pio\":%lu,\"hypercall\":%lu,\"other\":%lu},"
		 "\"faults\":{\"handled\":%lu,\"spurious\":%lu,\"denied\":%lu,\"unmapped\":%lu,\"no_memory\":%lu},"
		 "\"handled\":{\"zero\":%lu,\"fresh\":%lu,\"unzero\":%lu,\"copy\":%lu,\"reuse\":%lu,\"tracked\":%lu},",
		 exits->total, exits->fault, exits->mmio, exits->pio, vm_hypercalls(exits), exits->other, faults[FAULT_HANDLED],
		 faults[FAULT_SPURIOUS], faults[FAULT_DENIED], faults[FAULT_UNMAPPED], faults[FAULT_NO_MEMORY], stats->handled_zero,
		 stats->handled_fresh, stats->handled_unzero, stats->handled_copy, stats->handled_reuse, stats->handled_tracked);
	text_add(json, size,
		 "\"fault_clock\":{\"name\":\"%s\",\"faults\":%lu,\"ticks\":%lu},"
		 "\"host_faults\":%lu,\"promoted\":%lu,\"merged\":%lu,\"split\":%lu,\"discarded\":%lu,"
		 "\"reported\":%lu,\"inflated\":%lu,\"reclaimed\":%lu,\"flushes\":%lu,\"flush_instructions\":%lu,",
		 arch_cost_clock_name(), report->timed_faults, report->fault_ticks, stats->faults_by_host, stats->promoted,
		 stats->merged, stats->split, stats->discarded, report->reported, report->inflated, stats->reclaimed,
		 stats->flushes, stats->flush_instructions);
}

static void add_time(const struct report_time *time, char *json, size_t size)
{
	text_add(json, size,
		 "\"cpu_time\":%lu,\"switches\":%lu,\"preemptions\":%lu,\"interrupts\":%lu,\"ipis\":%lu,\"shootdowns\":%lu,",
		 time->cpu_time, time->switches, time->preemptions, time->interrupts, time->ipis, time->shootdowns);
}

/* Of the whole run. */
static void add_machine(const struct machine *machine, char *json, size_t size)
{
	text_add(json, size, "\"machine\":{");
	add_time(&all_time, json, size);
	text_add(json, size, "\"idle_time\":%lu,\"exits\":%lu,\"faults\":%lu},", idle_time(), all_exits.total, all_exits.fault);
	text_add(json, size, "\"vms\":%u,\"vms_failed\":%u,", vm_numbers(), machine->failed);
}

/* The first one's report, the last of all, says what became of the others. */
static void add_end(const struct report *report, const struct machine *machine, char *json, size_t size)
{
	text_add(json, size, "\"vcpus\":%u,\"cpus\":%u,", report->options.vcpus, cpu_count);
	text_add(json, size, "\"reboots\":%u,", report->reboots);
	add_time(&report->time, json, size);
	text_add(json, size, "\"vm\":%u,\"name\":\"%s\",", report->number, report->options.name);
	if (!report->forked)
		text_add(json, size, "\"forks\":%u,", report->forks);
	if (report->number == 0)
		add_machine(machine, json, size);
	text_add(json, size, "\"host_free\":%lu,\"guest_status\":%lu,\"outcome\":\"%s\"}\n", report->host_free,
		 report->guest_status, outcome_name(report->outcome));
}

static void print_json(const struct report *report, const struct machine *machine)
{
	static char json[REPORT_MAX];

	strcpy(json, "report: {");
	add_setup(report, json, sizeof(json));
	add_memory(report, json, sizeof(json));
	add_faults(report, json, sizeof(json));
	add_end(report, machine, json, sizeof(json));
	console_write_line(json, strlen(json));
}

void report_print(const struct report *report, const struct machine *machine)
{
	if (report->forked)
		print_fork(report);
	else
		print_bill(report, machine);
	if (!framebuffer_is_console())
		print_json(report, machine);
}

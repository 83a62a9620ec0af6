/* SPDX-License-Identifier: BSD-2-Clause */
/* The VMs of a run: found, made, loaded, started, accounted for. */
#include "vmm/machine.h"

#include <string.h>

#include "guest/embed.h"
#include "include/arch/virt.h"
#include "include/log.h"
#include "include/panic.h"
#include "mm/frame.h"
#include "vmm/clones.h"
#include "vmm/picture.h"
#include "vmm/post_mortem.h"
#include "vmm/report.h"
#include "vmm/reset.h"
#include "vmm/run.h"
#include "vmm/sched.h"
#include "vmm/text.h"
#include "vmm/trace_json.h"
#include "vmm/vms.h"

static enum err find_demo(const char *name, struct guest_image *image)
{
	char names[256] = "";

	for (size_t i = 0; i < guest_blob_count; i++) {
		const struct guest_blob *blob = &guest_blobs[i];

		if (strcmp(name, blob->name) != 0)
			continue;
		*image = (struct guest_image){
			.name = blob->name,
			.bytes = blob->start,
			.size = (size_t)((const char *)blob->end - (const char *)blob->start),
		};
		return ERR_OK;
	}
	for (size_t i = 0; i < guest_blob_count; i++)
		text_add(names, sizeof(names), "%s%s", i > 0 ? ", " : "", guest_blobs[i].name);
	log_fatal("there is no demo called \"%s\": there are %s", name, names);
	return ERR_NOT_FOUND;
}

/* The run, for what is called when a VM has ended; and for the debugger. One of these locks comes before all others. */
static struct machine *run;
static struct spinlock run_lock = SPINLOCK(LOCK_RUN), report_lock = SPINLOCK(LOCK_REPORT);

/* Make and load the first VM of a tree. */
static enum err make(struct machine_vm *config, struct vm **out)
{
	struct vm *vm;
	enum err err = vm_new(&config->tree, &config->options);

	if (err != ERR_OK)
		return err;
	vm = *out = config->tree.part[0][0];
	if (vm->outcome == VM_RUNNING)
		err = vm_load(vm, &config->image, &config->initrd);
	if (err != ERR_OK)
		vm_free(vm);
	return err;
}

/* Free memory; the zero pages count as free, since they are allocated once and kept. */
static uint64_t free_bytes(void)
{
	struct frame_stats stats = frame_get_stats();

	return stats.free + stats.zero;
}

static struct machine_vm *config_of(const struct vm *vm)
{
	return CONTAINER_OF(vm->tree, struct machine_vm, tree);
}

static void announce(const struct machine_vm *vm)
{
	char ram[TEXT_SIZE_ROOM];

	log_info("nestling: [vm %s] starts: %s, promised %s", vm->options.name, vm->image.name, text_size(ram, vm->options.ram));
}

static void count_failed(void)
{
	__atomic_add_fetch(&run->failed, 1, __ATOMIC_RELAXED);
}

/* The report of the very first VM is printed when all have ended. */
static void print_report(const struct report *report)
{
	spin_lock(&report_lock);
	report_print(report, run);
	spin_unlock(&report_lock);
}

static enum err start(struct machine_vm *config);

static void start_logged(struct machine_vm *config)
{
	enum err err = start(config);

	(void)err; /* there is a line, and a report */
}

/* A VM of the configuration and all its forks have ended: those that have waited for that start. */
static void tree_ended(struct machine_vm *config)
{
	bool over;

	if (config != run->vm)
		print_report(&config->report);
	spin_lock(&run_lock);
	config->ended = true;
	over = --run->running == 0;
	spin_unlock(&run_lock);
	for (unsigned i = 0; i < run->count; i++)
		if (run->vm[i].after == config)
			start_logged(&run->vm[i]);
	if (over)
		sched_stop();
}

/* The guest has asked for a reboot. True: the VM lives on; another CPU may run it already. The time that this takes is the VM's. */
static bool restart(struct vm *vm)
{
	uint64_t from = arch_clock();

	picture_end(vm);
	reset_rebuild(vm);
	vm->cpu_time += arch_clock() - from;
	if (vm_is_running(vm)) {
		reset_start(vm);
		return true;
	}
	vms_remove(vm);
	return false;
}

static void release(struct vm *vm)
{
	console_stream_flush(&vm->console);
	addr_space_release_held(&vm->as);
	picture_end(vm);
	clones_end(vm);
	if (!vm_is_forked(vm))
		map_print(vm);
}

static void report_end(struct vm *vm)
{
	struct machine_vm *config = config_of(vm);
	struct report report;
	bool forked = vm_is_forked(vm);

	if (vm->outcome != VM_EXITED)
		count_failed();
	if (vm->vcpus > 0)
		release(vm);
	report_settle(forked ? &report : &config->report, vm);
	if (forked)
		print_report(&report);
}

/* What a VM leaves behind is counted, reported and freed, a piece at a time. True: there is more. */
static bool end_piece(struct vm *vm)
{
	struct machine_vm *config = config_of(vm);
	bool made = vm->vcpus > 0;

	if (vm->cleared == 0) {
		if (made && vm->surveyed < vm->as.npt.end && report_survey_piece(vm))
			return true;
		report_end(vm);
	}
	if (made && vm_free_piece(vm))
		return true;
	if (vm_free(vm)) {
		config->report.forks = config->tree.count - 1;
		tree_ended(config);
	}
	return false;
}

/* A VM has ended, and no CPU runs it: struct vm's `ended`. */
static bool vm_ended(struct vm *vm)
{
	if (vm->outcome != VM_RESET)
		return end_piece(vm);
	if (vm_free_piece(vm))
		return true;
	if (!restart(vm))
		while (end_piece(vm)) /* its old vCPUs are gone: none could come again for the rest */
			;
	return false;
}

static enum err refuse(struct machine_vm *config, enum err err)
{
	report_refused(&config->report, &config->options, config->tree.number);
	count_failed();
	if (run->count > 1)
		tree_ended(config);
	return err;
}

static bool has_its_cpus(const struct machine_vm *config)
{
	if (sched_can_run(&config->options))
		return true;
	log_fatal("[vm %s]: pin names none of the %u CPUs that are used", config->options.name, cpu_count);
	return false;
}

/* Start a VM that the configuration describes. Errors: it could not be started; there is a line why. */
static enum err start(struct machine_vm *config)
{
	struct vm *vm;
	enum err err;

	if (run->count > 1)
		announce(config);
	if (!has_its_cpus(config))
		return refuse(config, ERR_RANGE);
	err = make(config, &vm);
	if (err != ERR_OK)
		return refuse(config, err);
	vm->ended = vm_ended;
	if (vm_is_running(vm))
		vm_start(vm, 0);
	else
		while (vm_ended(vm))
			;
	return ERR_OK;
}

static enum err find_demos(struct machine *machine)
{
	enum err err = ERR_OK;

	for (unsigned i = 0; i < machine->count && err == ERR_OK; i++)
		if (!machine->vm[i].image.bytes)
			err = find_demo(machine->vm[i].options.demo, &machine->vm[i].image);
	return err;
}

static bool is_traced(const struct machine *machine)
{
	for (unsigned i = 0; i < machine->count; i++)
		if (machine->vm[i].options.trace == TRACE_JSON)
			return true;
	return false;
}

/* The host's reserve (frame_set_reserve): less on a small machine. */
#define RESERVE_MOST  MIB(1)
#define RESERVE_SHARE 64

/* All VMs that wait for no other one; what they are and have cost is known when they have ended. Errors: the only one cannot start.
 */
static enum err start_all(void)
{
	enum err err = ERR_OK;

	for (unsigned i = 0; i < run->count; i++)
		if (!run->vm[i].after)
			err = start(&run->vm[i]);
	return run->count == 1 ? err : ERR_OK;
}

enum err machine_run(struct machine *machine)
{
	uint64_t free_before;
	enum err err = find_demos(machine);

	if (err != ERR_OK)
		return err;
	vm_name_all(machine->count > 1);
	run = machine;
	machine->running = machine->count;
	vm_numbers_start(machine->count);
	for (unsigned i = 0; i < machine->count; i++) {
		machine->vm[i].tree.number = i;
		spin_init(&machine->vm[i].tree.lock, LOCK_FORK_TREE);
	}
	free_before = free_bytes();
	frame_set_reserve(min_u64(free_before / RESERVE_SHARE, RESERVE_MOST));
	sched_init(machine->slice);
	if (is_traced(machine))
		trace_json_open();
	err = start_all();
	if (err != ERR_OK)
		return err;
	vms_complete();
	sched_run();
	if (free_bytes() != free_before)
		panic("vm: of %lu bytes that were free before the first was made, %lu are now", free_before, free_bytes());
	if (is_traced(machine))
		trace_json_close();
	report_print(&machine->vm[0].report, machine);
	return ERR_OK;
}

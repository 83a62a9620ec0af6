/* SPDX-License-Identifier: BSD-2-Clause */
/* The VMs of a run: found, made, loaded, run, accounted for. */
#include "vmm/machine.h"

#include <string.h>

#include "guest/embed.h"
#include "include/arch/virt.h"
#include "include/log.h"
#include "include/panic.h"
#include "mm/frame.h"
#include "vmm/picture.h"
#include "vmm/post_mortem.h"
#include "vmm/report.h"
#include "vmm/run.h"
#include "vmm/text.h"
#include "vmm/trace_json.h"

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

static void run_to_end(struct vm *vm)
{
	picture_start(vm);
	post_mortem_watch(&vm->vcpu);
	vm_run(vm);
	console_stream_flush(&vm->console);
	post_mortem_watch(NULL);
	addr_space_release_held(&vm->as);
	picture_end();
	map_print();
}

/* Run a VM of the fork tree to its end, make its report, and free it. */
static void run_vm(struct machine *machine, struct fork_tree *tree, unsigned n, struct report *report)
{
	struct vm *vm = tree->vm[n];

	run_to_end(vm);
	if (vm->outcome != VM_EXITED)
		machine->failed++;
	report_settle(report, vm);
	tree->vm[n] = NULL;
	vm_free(vm);
}

/* Run the first VM of a fork tree, then all VMs forked meanwhile. The first one's report is printed by the caller. */
static void run_tree(struct machine *machine, struct fork_tree *tree, struct report *first)
{
	static struct report fork;

	run_vm(machine, tree, 0, first);
	for (unsigned i = 1; i < tree->count; i++) {
		arch_vcpu_load(&tree->vm[i]->vcpu);
		run_vm(machine, tree, i, &fork);
		report_print(&fork, machine);
	}
	first->forks = tree->count - 1;
}

/* Make and load the first VM of a tree. */
static enum err start(struct fork_tree *tree, const struct machine_vm *config)
{
	struct vm *vm;
	enum err err = vm_new(tree, &config->options);

	if (err != ERR_OK)
		return err;
	vm = tree->vm[0];
	if (vm->outcome == VM_RUNNING)
		err = vm_load(vm, &config->image);
	if (err != ERR_OK) {
		vm_free(vm);
		tree->vm[0] = NULL;
	}
	return err;
}

/* Free memory; the zero pages count as free, since they are allocated once and kept. */
static uint64_t free_bytes(void)
{
	struct frame_stats stats = frame_get_stats();

	return stats.free + stats.zero;
}

/* The debugger looks here for what runs. */
static struct fork_tree running_tree;

/* Run one VM that the configuration describes, and what it forks. Errors: it could not be started; there is a line why. */
static enum err run_one(struct machine *machine, const struct machine_vm *config, struct report *report)
{
	struct fork_tree *tree = &running_tree;
	uint64_t free_before = free_bytes();
	enum err err;

	*tree = (struct fork_tree){ .number = (unsigned)(config - machine->vm), .next = machine->made };
	err = start(tree, config);
	if (err == ERR_OK) {
		run_tree(machine, tree, report);
		machine->made += tree->count - 1;
	} else {
		report_refused(report, &config->options, tree->number);
		machine->failed++;
	}
	if (free_bytes() != free_before)
		panic("vm: of %lu bytes that were free before it was made, %lu are now", free_before, free_bytes());
	return err;
}

/* The next one in the order of the configuration that waits for no other one; NULL: all have ended. */
static struct machine_vm *next_vm(const struct machine *machine)
{
	for (unsigned i = 0; i < machine->count; i++) {
		struct machine_vm *vm = &machine->vm[i];

		if (!vm->ended && (!vm->after || vm->after->ended))
			return vm;
	}
	return NULL;
}

static void announce(const struct machine_vm *vm)
{
	char ram[TEXT_SIZE_ROOM];

	log_info("nestling: [vm %s] starts: %s, promised %s", vm->options.name, vm->image.name, text_size(ram, vm->options.ram));
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

enum err machine_run(struct machine *machine)
{
	static struct report first, other;
	struct machine_vm *vm;
	enum err err = find_demos(machine);

	if (err != ERR_OK)
		return err;
	machine->made = machine->count;
	vm_name_all(machine->count > 1);
	frame_set_reserve(min_u64(free_bytes() / RESERVE_SHARE, RESERVE_MOST));
	if (is_traced(machine))
		trace_json_open();
	while ((vm = next_vm(machine))) {
		struct report *report = vm == machine->vm ? &first : &other;

		if (machine->count > 1)
			announce(vm);
		err = run_one(machine, vm, report);
		if (err != ERR_OK && machine->count == 1)
			return err;
		vm->ended = true;
		if (report == &other)
			report_print(report, machine);
	}
	if (is_traced(machine))
		trace_json_close();
	report_print(&first, machine);
	return ERR_OK;
}

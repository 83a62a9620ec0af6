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
#include "vmm/text.h"
#include "vmm/trace.h"

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
	post_mortem_watch(NULL);
	addr_space_rest(&vm->as);
	picture_end();
	map_print();
}

/* Run a VM of the family to its end. Of it nothing is left then but its report. */
static void run_member(struct vm_family *family, unsigned number, struct report *report)
{
	struct vm *vm = family->member[number];

	run_to_end(vm);
	if (vm->outcome != VM_EXITED)
		family->failed++;
	report_settle(report, vm);
	family->member[number] = NULL;
	vm_free(vm);
}

/*
 * The first VM, then what was forked meanwhile. Each one's report is printed when it has ended; the first one's is the
 * last line.
 */
static void run_family(struct vm_family *family)
{
	static struct report first, fork;
	bool traced = family->member[0]->options.trace == TRACE_JSON;

	if (traced)
		trace_open();
	run_member(family, 0, &first);
	for (unsigned i = 1; i < family->count; i++) {
		arch_vcpu_load(&family->member[i]->vcpu);
		run_member(family, i, &fork);
		report_print(&fork, family);
	}
	if (traced)
		trace_close();
	report_print(&first, family);
}

/* Make and load the first VM. */
static enum err start(struct vm_family *family, const struct vm_options *options, const struct guest_image *image)
{
	struct vm *vm;
	enum err err = vm_new(family, options);

	if (err != ERR_OK)
		return err;
	vm = family->member[0];
	if (vm->outcome == VM_RUNNING)
		err = vm_load(vm, image);
	if (err != ERR_OK)
		vm_free(vm);
	return err;
}

/* Free, or taken from what was free only to be kept: the blocks of zeros. */
static uint64_t free_bytes(void)
{
	struct frame_stats stats = frame_get_stats();

	return stats.free + stats.zero;
}

enum err machine_run(const struct vm_options *options, const struct guest_image *file)
{
	static struct vm_family family;
	uint64_t free_before = free_bytes();
	struct guest_image image;
	enum err err = ERR_OK;

	if (file)
		image = *file;
	else
		err = find_demo(options->demo, &image);
	if (err == ERR_OK)
		err = start(&family, options, &image);
	if (err == ERR_OK)
		run_family(&family);
	if (free_bytes() != free_before)
		panic("vm: of %lu bytes that were free before the run, %lu are now", free_before, free_bytes());
	return err;
}

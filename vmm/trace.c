/* SPDX-License-Identifier: BSD-2-Clause */
/* Exits of a traced VM, shown one by one. */
#include "vmm/trace.h"

#include <stdio.h>

#include "drivers/console.h"
#include "include/arch/virt.h"
#include "include/log.h"
#include "vmm/picture.h"
#include "vmm/text.h"
#include "vmm/trace_json.h"

/* Whose exit it is, as far as there are others: "web.1 ", "vCPU 2 ". */
static const char *who(const struct vcpu *vcpu, char *text, size_t size)
{
	const struct vm *vm = vcpu->vm;

	text[0] = '\0';
	if (vm->console.name[0] != '\0')
		text_add(text, size, "%s ", vm->console.name);
	if (vm->options.vcpus > 1)
		text_add(text, size, "vCPU %u ", vcpu->id);
	return text;
}

static void print_exit(struct vcpu *vcpu, const struct vm_exit *exit)
{
	char what[192], whose[CONSOLE_NAME_ROOM + 16];

	if (exit->kind == VM_EXIT_FAULT)
		snprintf(what, sizeof(what), "%s fault at %#lx%s", access_text(exit->fault.access), exit->fault.gpa.raw,
			 exit->fault.on_guest_walk ? " by a page walk" : "");
	else
		arch_exit_describe(vcpu, exit, what, sizeof(what));
	log_info("trace: %s%lu pc %#lx %s", who(vcpu, whose, sizeof(whose)), vcpu->exits.total, exit->pc, what);
}

/* Exits of a vCPU from one line to the next. */
#define PROGRESS_EXITS 4096

/* Not in the middle of a line of the guest's. */
static void print_progress(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;
	struct addr_space_stats stats;
	char resident[TEXT_SIZE_ROOM], promised[TEXT_SIZE_ROOM], tables[TEXT_SIZE_ROOM];
	const char *name = vm->console.name;

	if (vcpu->exits.total % PROGRESS_EXITS != 0 || !console_at_line_start())
		return;
	stats = addr_space_get_stats(&vm->as);
	log_info("progress: %s%s%s of %s resident, %s of tables, %lu exit%s", name, name[0] != '\0' ? ": " : "",
		 text_size(resident, stats.resident), text_size(promised, vm->options.ram),
		 text_size(tables, addr_space_table_bytes(&vm->as)), vm_exits(vm).total, text_plural(vm_exits(vm).total));
}

bool trace_wanted(const struct vm_options *options)
{
	return options->trace || options->progress || picture_wanted();
}

void trace_begin(const struct vcpu *vcpu, struct trace_start *start)
{
	start->stats = vcpu->view->stats;
	start->clock = arch_cost_clock();
}

void trace_end(struct vcpu *vcpu, const struct vm_exit *exit, const struct trace_start *start)
{
	uint64_t end = arch_cost_clock();
	struct vm *vm = vcpu->vm;

	if (vm->options.trace != TRACE_OFF && exit->kind == VM_EXIT_FAULT) {
		__atomic_add_fetch(&vm->timed_faults, 1, __ATOMIC_RELAXED);
		__atomic_add_fetch(&vm->fault_ticks, end - start->clock, __ATOMIC_RELAXED);
	}
	if (vm->options.trace == TRACE_ON)
		print_exit(vcpu, exit);
	else if (vm->options.trace == TRACE_JSON)
		trace_json_exit(vcpu, exit, start->clock, end, &start->stats);
	if (picture_wanted())
		picture_exit(vm, exit);
	if (vm->options.progress)
		print_progress(vcpu);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Exits that concern memory, as records. */
#include "vmm/trace_json.h"

#include <string.h>

#include "drivers/console.h"
#include "include/arch/virt.h"
#include "include/lock.h"
#include "mm/policy.h"
#include "vmm/hypercall.h"
#include "vmm/text.h"

#define RECORD_MAX 640

/* Records are numbered in the order in which they are written, whichever CPU writes them. */
static struct spinlock lock = SPINLOCK(LOCK_RECORDS);
static uint64_t records;

void trace_json_open(void)
{
	static const char open[] = "{\"open\":1}";

	records = 0;
	console_record(open, sizeof(open) - 1);
}

void trace_json_close(void)
{
	char text[48] = "";

	text_add(text, sizeof(text), "{\"end\":%lu}", records);
	console_record(text, strlen(text));
}

/* How a fault was handled, by the counter that has changed. Fresh memory has no counter of its own. */
static const char *how(const struct addr_space_stats *before, const struct addr_space_stats *now)
{
	return now->handled_zero != before->handled_zero       ? "zero" :
	       now->handled_unzero != before->handled_unzero   ? "unzero" :
	       now->handled_copy != before->handled_copy       ? "copy" :
	       now->handled_reuse != before->handled_reuse     ? "reuse" :
	       now->handled_tracked != before->handled_tracked ? "tracked" :
								 "fresh";
}

static void add_area(struct addr_space *as, gpa_t gpa, char *text)
{
	struct addr_space_area area;
	char prot[TEXT_PROT_ROOM];

	if (addr_space_area_at(as, gpa, &area))
		text_add(text, RECORD_MAX, "\"area\":{\"start\":\"%#lx\",\"end\":\"%#lx\",\"prot\":\"%s\"},", area.start.raw,
			 area.start.raw + area.size, text_prot(prot, area.prot));
	else
		text_add(text, RECORD_MAX, "\"area\":null,");
}

/* What backs the address now. */
static void add_leaf(struct addr_space *as, gpa_t gpa, char *text)
{
	struct npt_leaf leaf;

	if (addr_space_query(as, gpa, &leaf) == ERR_OK)
		text_add(text, RECORD_MAX, "\"leaf\":%lu,\"hpa\":\"%#lx\"", npt_level_size(leaf.level),
			 leaf.hpa.raw + (gpa.raw - leaf.gpa.raw));
	else
		text_add(text, RECORD_MAX, "\"leaf\":0,\"hpa\":null");
}

static void add_fault(struct vcpu *vcpu, const struct vm_exit *exit, const struct addr_space_stats *before, char *text)
{
	const struct npt_fault *fault = &exit->fault;
	struct vm *vm = vcpu->vm;
	char prot[TEXT_PROT_ROOM];

	text_add(text, RECORD_MAX, "\"kind\":\"fault\",\"gpa\":\"%#lx\",\"access\":\"%s\",\"on_walk\":%s,", fault->gpa.raw,
		 text_prot(prot, fault->access), fault->on_guest_walk ? "true" : "false");
	add_area(&vm->as, fault->gpa, text);
	text_add(text, RECORD_MAX, "\"outcome\":\"%s\",\"how\":\"%s\",", fault_outcome_name((enum fault_outcome)exit->outcome),
		 exit->outcome == FAULT_HANDLED ? how(before, &vcpu->view->stats) : "");
	add_leaf(&vm->as, fault->gpa, text);
}

static void add_mmio(const struct io_access *io, char *text)
{
	text_add(text, RECORD_MAX,
		 "\"kind\":\"mmio\",\"gpa\":\"%#lx\",\"size\":%u,\"access\":\"%s\",\"on_walk\":false,\"area\":null,"
		 "\"outcome\":\"device\",\"how\":\"\",\"leaf\":0,\"hpa\":null",
		 io->addr, io->size, io->write ? "-w-" : "r--");
}

/* A call about a range of memory. */
static void add_call(struct vm *vm, const struct vm_exit *exit, char *text)
{
	const struct hypercall *call = &exit->hypercall;
	gpa_t gpa = GPA(call->arg[0]);

	text_add(text, RECORD_MAX, "\"kind\":\"%s\",\"gpa\":\"%#lx\",\"size\":%lu,\"access\":\"---\",\"on_walk\":false,",
		 hypercall_name(call->number), gpa.raw, call->arg[1]);
	add_area(&vm->as, gpa, text);
	if (call->number == HYPERCALL_SET_POLICY)
		text_add(text, RECORD_MAX, "\"policy\":\"%s\",",
			 call->arg[2] < ALLOC_POLICIES ? alloc_policy_names[call->arg[2]] : "");
	text_add(text, RECORD_MAX, "\"outcome\":\"%s\",\"how\":\"\",", exit->outcome ? "refused" : "done");
	add_leaf(&vm->as, gpa, text);
}

static bool is_about_memory(const struct vm_exit *exit)
{
	const uint64_t calls = BIT(HYPERCALL_DISCARD) | BIT(HYPERCALL_PROTECT) | BIT(HYPERCALL_SET_POLICY) | BIT(HYPERCALL_TRACK);

	switch (exit->kind) {
	case VM_EXIT_FAULT:
		return true;
	case VM_EXIT_IO:
		return exit->io.space == IO_MEMORY;
	case VM_EXIT_HYPERCALL:
		return exit->hypercall.number < HYPERCALL_COUNT && calls & BIT(exit->hypercall.number);
	default:
		return false;
	}
}

/* `fields` is all but the number. */
static void write_record(const char *fields)
{
	char record[RECORD_MAX + 32] = "";

	spin_lock(&lock);
	text_add(record, sizeof(record), "{\"seq\":%lu,%s}", ++records, fields);
	console_record(record, strlen(record));
	spin_unlock(&lock);
}

void trace_json_exit(struct vcpu *vcpu, const struct vm_exit *exit, uint64_t start, uint64_t end,
		     const struct addr_space_stats *before)
{
	struct vm *vm = vcpu->vm;
	char text[RECORD_MAX] = "";

	if (!is_about_memory(exit))
		return;
	text_add(text, RECORD_MAX,
		 "\"exit\":%lu,\"clock\":\"%s\",\"stamp\":%lu,\"cost\":%lu,\"vm\":%u,\"name\":\"%s\",\"vcpu\":%u,\"pc\":\"%#lx\",",
		 vcpu->exits.total, arch_cost_clock_name(), start, end - start, vm->number,
		 vm->console.name[0] != '\0' ? vm->console.name : vm->options.name, vcpu->id, exit->pc);
	if (exit->kind == VM_EXIT_FAULT)
		add_fault(vcpu, exit, before, text);
	else if (exit->kind == VM_EXIT_IO)
		add_mmio(&exit->io, text);
	else
		add_call(vm, exit, text);
	write_record(text);
}

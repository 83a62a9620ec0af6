/* SPDX-License-Identifier: BSD-2-Clause */
/* What is logged of a run that ends badly. */
#include "vmm/post_mortem.h"

#include <string.h>

#include "include/arch/virt.h"
#include "include/lock.h"
#include "include/log.h"
#include "vmm/cpu.h"
#include "vmm/hypercall.h"
#include "vmm/text.h"
#include "vmm/walk_log.h"

/* The number of lines of exits, without --trace. */
#define EXIT_LINES 16

static const struct vm_exit *exit_number(const struct vcpu *vcpu, uint64_t number)
{
	return &vcpu->ring[(number - 1) % VM_EXIT_RING];
}

/* Not the guest's doing: it is told with the exits around it. */
static bool is_interrupt(const struct vm_exit *exit)
{
	return exit->kind == VM_EXIT_INTERRUPT;
}

/* Can both exits share one line? */
static bool alike(const struct vm_exit *one, const struct vm_exit *other)
{
	if (one->kind != other->kind)
		return false;
	switch (one->kind) {
	case VM_EXIT_FAULT:
		return one->outcome == other->outcome && one->fault.access == other->fault.access &&
		       one->fault.on_guest_walk == other->fault.on_guest_walk;
	case VM_EXIT_IO:
		return one->io.space == other->io.space;
	case VM_EXIT_HYPERCALL:
		return one->hypercall.number == other->hypercall.number;
	default:
		return one->reason == other->reason;
	}
}

/*
 * From exit `from` on towards `end`, in steps of `step`: the last one that can share a line with it. Interrupts can with any; the
 * first exit that is none says what the line is about.
 */
static uint64_t last_alike(const struct vcpu *vcpu, uint64_t from, uint64_t end, uint64_t step)
{
	const struct vm_exit *about = exit_number(vcpu, from);

	for (; from != end; from += step) {
		const struct vm_exit *next = exit_number(vcpu, from + step);

		if (is_interrupt(about))
			about = next;
		else if (!is_interrupt(next) && !alike(next, about))
			break;
	}
	return from;
}

static uint64_t address_of(const struct vm_exit *exit)
{
	return exit->kind == VM_EXIT_FAULT ? exit->fault.gpa.raw : exit->io.addr;
}

static void add_addresses(const struct vcpu *vcpu, uint64_t first, uint64_t last, char *text, size_t size)
{
	uint64_t low = UINT64_MAX, high = 0;

	for (uint64_t n = first; n <= last; n++) {
		if (is_interrupt(exit_number(vcpu, n)))
			continue;
		low = min_u64(low, address_of(exit_number(vcpu, n)));
		high = max_u64(high, address_of(exit_number(vcpu, n)));
	}
	text_add(text, size, low == high ? " at %#lx" : " at %#lx to %#lx", low, high);
}

static void add_what(const struct vm_exit *exit, char *text, size_t size)
{
	switch (exit->kind) {
	case VM_EXIT_FAULT:
		text_add(text, size, "%s fault%s, %s,", access_text(exit->fault.access),
			 exit->fault.on_guest_walk ? " by a page walk" : "", fault_outcome_name((enum fault_outcome)exit->outcome));
		break;
	case VM_EXIT_IO:
		text_add(text, size, exit->io.space == IO_PORT ? "port I/O" : "MMIO");
		break;
	case VM_EXIT_HYPERCALL:
		text_add(text, size, "hypercall %s(%#lx, %#lx, %#lx, %#lx)", hypercall_name(exit->hypercall.number),
			 exit->hypercall.arg[0], exit->hypercall.arg[1], exit->hypercall.arg[2], exit->hypercall.arg[3]);
		break;
	default:
		arch_exit_name(exit, text, size);
	}
}

static void print_exits(const struct vcpu *vcpu, uint64_t first, uint64_t last)
{
	const struct vm_exit *exit = exit_number(vcpu, last);
	char what[192] = "", times[48] = "";
	uint64_t interrupts = 0;

	for (uint64_t n = first; n <= last; n++) {
		interrupts += is_interrupt(exit_number(vcpu, n));
		if (!is_interrupt(exit_number(vcpu, n)))
			exit = exit_number(vcpu, n);
	}
	if (is_interrupt(exit))
		interrupts = 0;
	add_what(exit, what, sizeof(what));
	if (exit->kind <= VM_EXIT_IO)
		add_addresses(vcpu, first, last, what, sizeof(what));
	if (last > first)
		text_add(times, sizeof(times), "-%lu", last);
	if (last > first + interrupts)
		text_add(times, sizeof(times), ", %lu times", last - first + 1 - interrupts);
	if (interrupts)
		text_add(what, sizeof(what), ", and %lu interrupt%s", interrupts, text_plural(interrupts));
	log_vm_err(vcpu->vm, "  exit %lu%s: %s, pc %#lx", first, times, what, exit->pc);
}

static void print_last_exits(const struct vcpu *vcpu)
{
	uint64_t total = vcpu->exits.total, oldest = total > VM_EXIT_RING ? total - VM_EXIT_RING + 1 : 1;
	uint64_t shown = total + 1, last;

	if (total == 0)
		return;
	for (unsigned lines = 0; shown > oldest && (lines < EXIT_LINES || vcpu->vm->options.trace != TRACE_OFF); lines++)
		shown = last_alike(vcpu, shown - 1, oldest, UINT64_MAX);
	log_vm_err(vcpu->vm, "the last %lu of %lu exit%s, alike ones in a row as one%s", total - shown + 1, total,
		   text_plural(total), shown > oldest ? "; --trace shows more" : "");
	for (; shown <= total; shown = last + 1) {
		last = last_alike(vcpu, shown, total, 1);
		print_exits(vcpu, shown, last);
	}
}

/* Whose registers and exits follow, and what the others do. Those may run meanwhile. */
static void print_vcpus(const struct vcpu *vcpu)
{
	static const char *const states[] = {
		[VCPU_OFF] = "off",
		[VCPU_READY] = "ready",
		[VCPU_RUNNING] = "running",
		[VCPU_WAITING] = "waiting",
	};
	const struct vm *vm = vcpu->vm;
	char others[512] = "";

	if (vm->vcpus == 1)
		return;
	for (unsigned i = 0; i < vm->vcpus; i++) {
		const struct vcpu *other = vm->vcpu_table[i];

		if (other != vcpu)
			text_add(others, sizeof(others), "%s%u %s after %lu exit%s", others[0] != '\0' ? ", " : "", i,
				 states[other->state], other->exits.total, text_plural(other->exits.total));
	}
	log_vm_err(vm, "vCPU %u; of the others, %s", vcpu->id, others);
}

/* Of what the guest has printed, so many lines, each cut there; more where that is what it is about: as many as are remembered. */
#define PRINTED_LINES     5
#define PRINTED_LINES_ALL CONSOLE_LAST_ROOM
#define PRINTED_MAX       120

/* The last `lines` of the text. */
static const char *last_lines(const char *text, size_t size, unsigned lines)
{
	size_t at = size > 0 && text[size - 1] == '\n' ? size - 1 : size;

	while (at > 0 && (text[at - 1] != '\n' || --lines > 0))
		at--;
	return text + at;
}

/* A guest prints what it likes; this is our line. */
static void print_quoted(const struct vm *vm, const char *text, size_t size)
{
	char line[PRINTED_MAX + 1];

	size = min_u64(size, PRINTED_MAX);
	for (size_t i = 0; i < size; i++)
		line[i] = text[i] >= ' ' && text[i] <= '~' ? text[i] : ' ';
	line[size] = '\0';
	log_vm_err(vm, "  | %s", line);
}

static void print_console(const struct vm *vm, unsigned lines)
{
	char text[CONSOLE_LAST_ROOM];
	size_t size = console_stream_last(&vm->console, text);
	const char *at = last_lines(text, size, lines), *end = text + size;

	if (size > 0)
		log_vm_err(vm, "what it printed last:");
	while (at < end) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		const char *next = newline ? newline + 1 : end;

		print_quoted(vm, at, (size_t)((newline ? newline : end) - at));
		at = next;
	}
}

static void print_all(struct vcpu *vcpu, const gpa_t *gpa, unsigned lines)
{
	/* Not all of its lines name the VM: those of another one follow these. */
	static struct spinlock lock = SPINLOCK(LOCK_REPORT);

	spin_lock(&lock);
	print_vcpus(vcpu);
	arch_vcpu_dump(vcpu);
	addr_space_dump(&vcpu->vm->as);
	if (gpa)
		walk_log(vcpu->vm, *gpa);
	print_last_exits(vcpu);
	print_console(vcpu->vm, lines);
	spin_unlock(&lock);
}

void post_mortem(struct vcpu *vcpu, const gpa_t *gpa)
{
	print_all(vcpu, gpa, PRINTED_LINES);
}

void post_mortem_of_kernel(struct vcpu *vcpu)
{
	print_all(vcpu, NULL, PRINTED_LINES_ALL);
}

void post_mortem_of_panic(void)
{
	struct cpu *cpu = arch_this_cpu();
	const struct vcpu *vcpu = cpu ? cpu->resident : NULL;
	const struct vm_exit *last;

	/* What is read here may be broken and cause another panic: that one must log no exits. */
	if (cpu)
		cpu->resident = NULL;
	if (!vcpu || vcpu->exits.total == 0)
		return;
	print_last_exits(vcpu);
	last = exit_number(vcpu, vcpu->exits.total);
	if (last->kind == VM_EXIT_FAULT)
		walk_log_of_panic(vcpu->vm, last->fault.gpa);
}

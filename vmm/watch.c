/* SPDX-License-Identifier: BSD-2-Clause */
/* What somebody who watches a VM is shown, exit by exit: a line each on the console. */
#include "vmm/watch.h"

#include "include/arch/virt.h"
#include "include/log.h"
#include "vmm/text.h"

static void trace(struct vcpu *vcpu, const struct vm_exit *exit)
{
	char what[192];

	if (exit->kind == VM_EXIT_FAULT) {
		log_info("trace: %lu pc %#lx %s fault at %#lx%s", vcpu->vm->exits.total, exit->pc,
			 access_text(exit->fault.access), exit->fault.gpa.raw,
			 exit->fault.on_guest_walk ? " by a page walk" : "");
		return;
	}
	arch_exit_describe(vcpu, exit, what, sizeof(what));
	log_info("trace: %lu pc %#lx %s", vcpu->vm->exits.total, exit->pc, what);
}

bool vm_is_watched(const struct vm_options *options)
{
	return options->trace;
}

void vm_watch(struct vcpu *vcpu, const struct vm_exit *exit)
{
	if (vcpu->vm->options.trace)
		trace(vcpu, exit);
}

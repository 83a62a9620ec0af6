/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An exit is decoded on the fast path or on the slow one (include/arch/virt.h). The targets of the decoders are not about what
 * serves it: every fault is handled, and there are no hypercalls.
 */
#ifndef NESTLING_TESTS_FUZZ_SERVED_H
#define NESTLING_TESTS_FUZZ_SERVED_H

#include "vmm/hypercall.h"
#include "vmm/walk_log.h"

enum fault_outcome addr_space_handle_fault(struct addr_space_view *view, const struct npt_fault *fault)
{
	(void)view;
	(void)fault;
	return FAULT_HANDLED;
}

static const hypercall_fn no_hypercalls[HYPERCALL_COUNT] = { [0 ... HYPERCALL_COUNT - 1] = hypercall_later };

void walk_log(struct vm *vm, gpa_t gpa)
{
	(void)vm;
	(void)gpa;
}

/* Both paths: `fast` is what entry.S calls. */
#define fuzz_decode(vcpu, fast_path, slow_path)                                                     \
	({                                                                                          \
		unsigned left_ = ((vcpu)->calls = no_hypercalls, (vcpu)->fast = true, (fast_path)); \
		struct vm_exit *exit_ = vm_last_exit(vcpu);                                         \
                                                                                                    \
		if (exit_->kind == VM_EXIT_UNDECODED) {                                             \
			CHECK(left_, "over, but not decoded");                                      \
			slow_path(vcpu, exit_);                                                     \
		}                                                                                   \
		exit_;                                                                              \
	})

#endif

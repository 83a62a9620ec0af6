/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An exit is decoded in two steps (vmm/vm.h), of which the first serves it, too. What serves is not what the targets of the
 * decoders are about: every fault is handled, and there are no hypercalls.
 */
#ifndef NESTLING_TESTS_FUZZ_SERVED_H
#define NESTLING_TESTS_FUZZ_SERVED_H

#include "vmm/hypercall.h"
#include "vmm/post_mortem.h"

enum fault_outcome addr_space_handle_fault(struct addr_space *as, const struct npt_fault *fault)
{
	(void)as;
	(void)fault;
	return FAULT_HANDLED;
}

const hypercall_fn hypercalls[HYPERCALL_COUNT];

void post_mortem_walk(const struct npt *npt, gpa_t gpa)
{
	(void)npt;
	(void)gpa;
}

/* Both steps: `first` is what entry.S calls. */
#define fuzz_decode(vcpu, first, second)                               \
	({                                                             \
		unsigned left_ = ((vcpu)->calls = hypercalls, (vcpu)->quick = true, (first)); \
		struct vm_exit *exit_ = vm_last_exit(vcpu);            \
								       \
		if (exit_->kind == VM_EXIT_UNDECODED) {                \
			CHECK(left_, "over, but not decoded");         \
			second(vcpu, exit_);                           \
		}                                                      \
		exit_;                                                 \
	})

#endif

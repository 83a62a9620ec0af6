/* SPDX-License-Identifier: BSD-2-Clause */
/* A forked VM has the CPU's registers as they were when it was made, whatever its parent does with them later. */
#include "tests/guests/check.h"
#include "fork_state.h"

static uint64_t fork_vm(void)
{
	return rt_hypercall(RT_CALL_FORK, 0, 0, 0, 0);
}

static int end(const char *name)
{
	rt_printf("fork_state: %s\n", name);
	return check_status("fork_state");
}

int guest_main(void)
{
	uint64_t vm;

	state_init();
	state_put(1);
	vm = fork_vm();
	if (vm == 0) {
		state_check(1);
		state_put(4);
		vm = fork_vm();
		state_check(4);
		if (vm == 0)
			return end("the first one's child");
		CHECK(vm == 2 || vm == 3); /* both go on at once: which of them forks first is open */
		state_put(5);
		return end("the first child");
	}
	CHECK(vm == 1);
	state_check(1);
	state_put(2);
	vm = fork_vm();
	state_check(2);
	if (vm == 0)
		return end("the second child");
	CHECK(vm == 2 || vm == 3);
	state_put(3);
	return end("the parent");
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Time that nobody wants is used to look for memory that VMs do not need: see vmm/tidy.h. */
#include "vmm/tidy.h"

#include "include/arch/cpu.h"
#include "vmm/vms.h"

/* How often it is seen to whether there is something to do, and after what time a VM is looked through though it has not grown. */
#define LOOK_SECONDS 5
#define LONG_SECONDS 60
/* A CPU that is to wake up in less than this part of a second does nothing before: it would be late. */
#define SOON_PART    1000
/* By so much a VM has grown if it is worth it. */
#define GROWN        MIB(1)

static uint64_t due;        /* atomic: arch_clock, of the next look; 0 before anybody has had nothing to do */
static uint32_t taken;      /* atomic: a CPU is at it, and what follows is that CPU's */
static unsigned number = 0; /* of the VM that it is at */

/* All of its vCPUs wait. */
static bool is_at_rest(const struct vm *vm)
{
	return __atomic_load_n(&vm->running, __ATOMIC_RELAXED) == __atomic_load_n(&vm->resting, __ATOMIC_RELAXED) &&
	       vm_is_running(vm);
}

/* Is there a round to make, or to go on with? */
static bool is_due(struct vm *vm, uint64_t now)
{
	uint64_t resident;

	if (!is_at_rest(vm))
		return false;
	if (vm->tidy.at.raw != 0)
		return true;
	resident = addr_space_get_stats(&vm->as).resident;
	vm->tidy.left = min_u64(vm->tidy.left, resident);
	return resident >= vm->tidy.left + GROWN || now >= vm->tidy.again;
}

/* A piece of the first VM from `number` on that needs it. False: none does. */
static bool tidy_one(uint64_t now)
{
	struct vm *vm;

	while ((vm = vms_get(number)) != NULL) {
		bool wanted = is_due(vm, now), more = wanted && addr_space_tidy(&vm->as, &vm->tidy.at);

		if (wanted && !more) {
			vm->tidy.left = addr_space_get_stats(&vm->as).resident;
			vm->tidy.again = now + LONG_SECONDS * arch_clock_frequency();
		}
		number = vm->number + !more;
		vms_put();
		if (wanted)
			return true;
	}
	number = 0;
	return false;
}

bool tidy_vms(uint64_t now, uint64_t until)
{
	bool done;

	if (now < __atomic_load_n(&due, __ATOMIC_RELAXED) || until < now + arch_clock_frequency() / SOON_PART ||
	    __atomic_exchange_n(&taken, 1, __ATOMIC_ACQUIRE))
		return false;
	done = due != 0 && tidy_one(now);
	if (!done)
		__atomic_store_n(&due, now + LOOK_SECONDS * arch_clock_frequency(), __ATOMIC_RELAXED);
	__atomic_store_n(&taken, 0, __ATOMIC_RELEASE);
	return done;
}

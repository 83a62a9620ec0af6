/* SPDX-License-Identifier: BSD-2-Clause */
/* For tests of VMs without memory: what CPUs that have nothing to do look through, which always has grown and is never done at
 * once. */
#include <unistd.h>

#include "include/panic.h"
#include "vmm/tidy.h"
#include "vmm/vm.h"

#define PIECES 5

struct addr_space_stats __wrap_addr_space_get_stats(struct addr_space *as);
bool __wrap_addr_space_tidy(struct addr_space *as, gpa_t *at);
bool __wrap_tidy_vms(uint64_t now, uint64_t until);
bool __real_tidy_vms(uint64_t now, uint64_t until);

static uint64_t resident; /* atomic */
static unsigned busy;     /* atomic */

struct addr_space_stats __wrap_addr_space_get_stats(struct addr_space *as)
{
	(void)as;
	return (struct addr_space_stats){ .resident = __atomic_add_fetch(&resident, MIB(2), __ATOMIC_RELAXED) };
}

/* One CPU at a time, and nobody frees or makes anew the VM meanwhile. */
bool __wrap_addr_space_tidy(struct addr_space *as, gpa_t *at)
{
	struct vm *vm = CONTAINER_OF(as, struct vm, as);

	if (__atomic_exchange_n(&busy, 1, __ATOMIC_ACQUIRE) != 0 || vm->absent)
		panic("a VM is looked through by two, or while it is being made anew");
	usleep(100);
	*at = GPA(at->raw < PIECES * PAGE_SIZE ? at->raw + PAGE_SIZE : 0);
	if (vm->absent || at != &vm->tidy.at)
		panic("a VM that is looked through has gone");
	__atomic_store_n(&busy, 0, __ATOMIC_RELEASE);
	return at->raw != 0;
}

/* Its time goes by quicker: seconds are too long for a test. */
bool __wrap_tidy_vms(uint64_t now, uint64_t until)
{
	return __real_tidy_vms(now * 4096, until > UINT64_MAX / 4096 ? until : until * 4096);
}

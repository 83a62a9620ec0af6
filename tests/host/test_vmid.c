/* SPDX-License-Identifier: BSD-2-Clause */
/* RISC-V's VMIDs: whatever vCPUs come onto whatever harts, no hart has another vCPU's translations cached by a VMID that is in use.
 */
#include "vmm/riscv64/vmid.h"

#include <string.h>

#include "tests/host/host.h"

enum { HARTS = 3, VCPUS = 24, STEPS = 200000 };

/* By VMID, whose translations a hart may have cached; 0: nobody's. */
static unsigned cached[HARTS][64];
static struct vmid_space spaces[HARTS];
static struct vmid vmids[VCPUS + 1]; /* of vCPU n, from 1 on */
static unsigned long flushes;

static void come_onto(unsigned hart, unsigned vcpu)
{
	unsigned *by;

	if (vmid_take(&spaces[hart], HARTS, &vmids[vcpu])) {
		flushes++;
		cached[hart][vmids[vcpu].number] = 0;
	}
	assert_true(vmids[vcpu].number < spaces[hart].size);
	by = &cached[hart][vmids[vcpu].number];
	CHECK(*by == 0 || *by == vcpu, "vCPU %u finds what vCPU %u has left on hart %u", vcpu, *by, hart);
	*by = vcpu;
}

static void start(uint64_t size)
{
	memset(cached, 0, sizeof(cached));
	memset(vmids, 0, sizeof(vmids));
	flushes = 0;
	for (unsigned hart = 0; hart < HARTS; hart++)
		vmid_space_init(&spaces[hart], hart, size);
}

static void never_mixed(void **state)
{
	static const uint64_t sizes[] = { 1, 2, 3, 4, 16, 64 };
	uint64_t random = 1;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		start(sizes[i]);
		for (unsigned step = 0; step < STEPS; step++) {
			random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
			come_onto((unsigned)(random >> 33) % HARTS, 1 + (unsigned)(random >> 40) % VCPUS);
			if (random >> 57 == 0)
				vmids[1 + (unsigned)(random >> 48) % VCPUS] = (struct vmid){ 0 }; /* it ends, another one begins */
		}
	}
}

/* What comes back to its hart while the VMIDs last finds its translations there. */
static void kept_while_they_last(void **state)
{
	(void)state;
	start(16);
	for (unsigned round = 0; round < 10; round++)
		for (unsigned vcpu = 1; vcpu <= 15; vcpu++)
			come_onto(0, vcpu);
	CHECK_EQ(flushes, 15);
	come_onto(0, 16); /* and now they have run out */
	CHECK_EQ(flushes, 16);
	come_onto(0, 1);
	CHECK_EQ(flushes, 17);
	come_onto(0, 16);
	CHECK_EQ(flushes, 17);
}

/* With no VMID to tell them apart every switch flushes, and no switch but that. */
static void without_any(void **state)
{
	(void)state;
	start(1);
	come_onto(0, 1);
	come_onto(0, 1);
	CHECK_EQ(flushes, 1);
	come_onto(0, 2);
	come_onto(0, 1);
	CHECK_EQ(flushes, 3);
	CHECK_EQ(vmids[1].number, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(never_mixed),
		cmocka_unit_test(kept_while_they_last),
		cmocka_unit_test(without_any),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

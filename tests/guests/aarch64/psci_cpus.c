/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vCPUs started and stopped by PSCI (DEN0022), as any kernel does it: calls that make no sense, then each vCPU on and off several
 * times. A vCPU begins with its MMU off, what the call said in x0, and nothing in any other register.
 */
#include "el1.h"
#include "tests/guests/check.h"

#define PSCI_CPU_OFF       0x84000002ul
#define PSCI_CPU_ON        0x84000003ul
#define PSCI_CPU_ON_64     0xc4000003ul
#define PSCI_AFFINITY_INFO 0xc4000004ul

#define INVALID_PARAMETERS -2l
#define ALREADY_ON         -4l
#define INVALID_ADDRESS    -9l
#define IS_ON              0l
#define IS_OFF             1l

#define CPUS   16
#define ROUNDS 3

/* What a vCPU finds when it begins; cpu_begin knows where. */
static volatile struct slot {
	uint64_t stack_top;
	uint64_t x[31]; /* x1 is at the place of x0 */
	uint64_t began, go;
	uint64_t mpidr, sctlr, daif, offset;
} slots[CPUS];
static uint64_t stacks[CPUS][256];

static long call(uint64_t function, uint64_t first, uint64_t second, uint64_t third)
{
	register uint64_t x0 __asm__("x0") = function;
	register uint64_t x1 __asm__("x1") = first;
	register uint64_t x2 __asm__("x2") = second;
	register uint64_t x3 __asm__("x3") = third;

	__asm__ volatile("hvc #0" : "+r"(x0) : "r"(x1), "r"(x2), "r"(x3) : "memory");
	return (long)x0;
}

/* Between the counters, of which two readings are not made at once: the least of several, since any may be interrupted. */
static uint64_t offset_of_time(void)
{
	uint64_t least = ~0ul;

	for (unsigned i = 0; i < 16; i++) {
		uint64_t virtual = MRS("cntvct_el0"), offset = MRS("cntpct_el0") - virtual;

		least = offset < least ? offset : least;
	}
	return least;
}

void cpu_main(struct slot *slot);

void cpu_main(struct slot *slot)
{
	volatile struct slot *own = slot;

	own->mpidr = MRS("mpidr_el1");
	own->sctlr = MRS("sctlr_el1");
	own->daif = MRS("daif");
	own->offset = offset_of_time();
	own->began = 1;
	while (!own->go)
		__asm__ volatile("yield");
	call(PSCI_CPU_OFF, 0, 0, 0);
	rt_printf("FAILED: a vCPU goes on that is off\n");
}

extern const char cpu_begin[];
__asm__(".text\n"
	"cpu_begin:\n\t"
	"str x1, [x0, #8]\n\t"
	"stp x2, x3, [x0, #16]\n\t"
	"stp x4, x5, [x0, #32]\n\t"
	"stp x6, x7, [x0, #48]\n\t"
	"stp x8, x9, [x0, #64]\n\t"
	"stp x10, x11, [x0, #80]\n\t"
	"stp x12, x13, [x0, #96]\n\t"
	"stp x14, x15, [x0, #112]\n\t"
	"stp x16, x17, [x0, #128]\n\t"
	"stp x18, x19, [x0, #144]\n\t"
	"stp x20, x21, [x0, #160]\n\t"
	"stp x22, x23, [x0, #176]\n\t"
	"stp x24, x25, [x0, #192]\n\t"
	"stp x26, x27, [x0, #208]\n\t"
	"stp x28, x29, [x0, #224]\n\t"
	"str x30, [x0, #240]\n\t"
	"ldr x1, [x0]\n\t"
	"mov sp, x1\n\t"
	"bl cpu_main\n\t"
	"b .\n");

static uint64_t count_cpus(void)
{
	uint64_t count = 1;

	while (call(PSCI_AFFINITY_INFO, count, 0, 0) == IS_OFF)
		count++;
	return count;
}

static void refused(uint64_t count)
{
	const uint64_t entry = (uintptr_t)cpu_begin;

	CHECK(call(PSCI_AFFINITY_INFO, 0, 0, 0) == IS_ON);
	CHECK(call(PSCI_AFFINITY_INFO, 0, 1, 0) == INVALID_PARAMETERS);
	CHECK(call(PSCI_AFFINITY_INFO, count, 0, 0) == INVALID_PARAMETERS);
	CHECK(call(PSCI_AFFINITY_INFO, 0x101, 0, 0) == INVALID_PARAMETERS);
	CHECK(call(PSCI_CPU_ON_64, 0, entry, 0) == ALREADY_ON);
	CHECK(call(PSCI_CPU_ON_64, count, entry, 0) == INVALID_PARAMETERS);
	CHECK(call(PSCI_CPU_ON_64, 0x100000001, entry, 0) == INVALID_PARAMETERS);
	CHECK(call(PSCI_CPU_ON_64, ~0ul, entry, 0) == INVALID_PARAMETERS);
	if (count == 1)
		return;
	CHECK(call(PSCI_CPU_ON_64, 1, 0x9000000, 0) == INVALID_ADDRESS);
	CHECK(call(PSCI_CPU_ON_64, 1, entry + 2, 0) == INVALID_ADDRESS);
	CHECK(call(PSCI_CPU_ON_64, 1, ~0ul - 3, 0) == INVALID_ADDRESS);
	for (uint64_t id = 1; id < count; id++)
		CHECK(call(PSCI_AFFINITY_INFO, id, 0, 0) == IS_OFF);
}

static void check_begun(uint64_t id)
{
	volatile struct slot *slot = &slots[id];

	CHECK((slot->mpidr & 0xff00ffffff) == id);
	CHECK((slot->sctlr & 5) == 0);
	CHECK((slot->daif >> 6 & 15) == 15);
	CHECK(slot->offset - offset_of_time() + 1000 < 2000);
	for (unsigned i = 0; i < 30; i++)
		CHECK(slot->x[i] == 0);
}

static void on_and_off(uint64_t count, uint64_t round)
{
	/* Of the 32-bit call all arguments are cut; here RAM is below 4 GiB. */
	uint64_t function = round == 1 ? PSCI_CPU_ON : PSCI_CPU_ON_64;

	for (uint64_t id = 1; id < count; id++) {
		slots[id].began = 0;
		slots[id].go = 0;
		slots[id].stack_top = (uintptr_t)(stacks[id] + 256);
		CHECK(call(function, id, (uintptr_t)cpu_begin, (uintptr_t)&slots[id]) == 0);
		CHECK(call(function, id, (uintptr_t)cpu_begin, (uintptr_t)&slots[0]) == ALREADY_ON);
	}
	for (uint64_t id = 1; id < count; id++) {
		while (!slots[id].began)
			__asm__ volatile("yield");
		CHECK(call(PSCI_AFFINITY_INFO, id, 0, 0) == IS_ON);
		check_begun(id);
		slots[id].go = 1;
		while (call(PSCI_AFFINITY_INFO, id, 0, 0) != IS_OFF)
			__asm__ volatile("wfe");
	}
}

int guest_main(void)
{
	uint64_t count = count_cpus();

	rt_printf("psci_cpus: %lu vCPUs\n", count);
	refused(count);
	for (uint64_t round = 0; round < ROUNDS; round++)
		on_and_off(count, round);
	return check_status("psci_cpus");
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reboots twice. Nothing of a life may survive but what others keep of it: each life forks a child, whose number tells how many
 * there have been; the first life's child waits for the end of its parent, which is the end of the last life. "storm" in the
 * command line: it reboots for ever. An ISA's file defines ask_for_reboot and includes this one.
 */
#ifndef NESTLING_TESTS_GUESTS_REBOOT_H
#define NESTLING_TESTS_GUESTS_REBOOT_H

#include <string.h>

#include "command_line.h" /* of the ISA */
#include "guest/rt/smp.h"
#include "tests/guests/check.h"

#define LIVES 3
#define PAGES 64
#define DATA  0x1234567890abcdeful

static void ask_for_reboot(void);

static uint64_t data = DATA, zero;
static const uint64_t constant[] = { DATA, DATA };
static volatile unsigned at_work;

/* What an earlier life has left would be seen by this one. */
static void check_fresh(void)
{
	CHECK(data == DATA && zero == 0 && at_work == 0);
	CHECK(*(const volatile uint64_t *)constant == DATA);
	for (unsigned i = 0; i < PAGES; i++) {
		const uint64_t *page = fresh_page();

		for (unsigned word = 0; word < RT_PAGE_SIZE / sizeof(*page); word++)
			CHECK(page[word] == 0);
		memset((void *)(uintptr_t)page, 0xa5, RT_PAGE_SIZE);
	}
	/* A permission that was taken away is there again. */
	memset(fresh_page(), 0xa5, RT_PAGE_SIZE);
}

static void spoil(void)
{
	uint64_t page = (uintptr_t)fresh_page();

	data = zero = ~DATA;
	*(volatile uint64_t *)(uintptr_t)constant = ~DATA;
	CHECK(rt_hypercall(RT_CALL_PROTECT, page + RT_PAGE_SIZE, RT_PAGE_SIZE, RT_READ, 0) == 0);
}

/* A vCPU that is at work while the first one asks for the reboot. */
static void work(void *unused)
{
	(void)unused;
	for (;;)
		at_work++;
}

/* Of the first life it outlives its parent. */
static void child(bool first)
{
	if (first)
		CHECK(rt_vm_wait(0) == 0);
	CHECK(data == ~DATA && zero == ~DATA && at_work == 0);
	rt_printf("reboot: a child has what it was forked with\n");
	rt_exit(check_failures != 0);
}

int guest_main(void)
{
	uint64_t life, others = rt_memory_info(RT_MEMORY_FORKS_LIVE);

	if (command_line() && strstr(command_line(), "storm"))
		ask_for_reboot();
	check_fresh();
	spoil();
	life = rt_fork();
	if (life == 0)
		child(others == 1);
	rt_printf("reboot: life %lu\n", life);
	for (unsigned id = 1; id < rt_cpu_count(); id++)
		CHECK(rt_cpu_start(id, work, NULL) == 0);
	for (unsigned tries = 0; rt_cpu_count() > 1 && at_work == 0;)
		rt_relax(&tries);
	if (life < LIVES && check_failures == 0)
		ask_for_reboot();
	return check_status("reboot");
}

#endif

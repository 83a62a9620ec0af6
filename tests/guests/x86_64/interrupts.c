/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interrupts of the local APIC, its timer, the IOAPIC and other vCPUs: each is taken once, in its order, when it may be. Wants two
 * vCPUs.
 */
#include "guest/rt/smp.h"
#include "tests/guests/x86_64/cpu.h"
#include "tests/guests/x86_64/local_apic.h"

#define MILLISECOND 1000000ul /* of the TSC, or so */

static uint8_t order[16];
static unsigned orders;

static void note(uint8_t vector)
{
	if (orders < sizeof(order))
		order[orders++] = vector;
	write_msr(X2_EOI, 0);
}
static void note_40(void)
{
	note(0x40);
}
static void note_50(void)
{
	note(0x50);
}
static void note_61(void)
{
	note(0x61);
}

static void by_priority(void)
{
	on_vector[0x40] = note_40;
	on_vector[0x50] = note_50;
	on_vector[0x61] = note_61;
	write_msr(X2_SELF, 0x50);
	write_msr(X2_SELF, 0x40);
	write_msr(X2_SELF, 0x61);
	write_msr(X2_ICR, 1ul << 18 | 0x61);
	CHECK(orders == 0 && read_msr(X2_IRR + 2) == 0x10001 && read_msr(X2_IRR + 3) == 2);
	let_in();
	CHECK(orders == 3 && order[0] == 0x61 && order[1] == 0x50 && order[2] == 0x40);
	CHECK(read_msr(X2_IRR + 2) == 0 && read_msr(X2_ISR + 2) == 0 && read_msr(X2_PPR) == 0);
}

static void task_priority(void)
{
	orders = 0;
	__asm__ volatile("movq %0, %%cr8" : : "r"(5ul));
	write_msr(X2_SELF, 0x50);
	let_in();
	CHECK(orders == 0 && read_msr(X2_PPR) == 0x50);
	write_msr(X2_SELF, 0x61);
	let_in();
	CHECK(orders == 1 && order[0] == 0x61);
	__asm__ volatile("sti\n\tmovq %0, %%cr8\n\tnop\n\tcli" : : "r"(4ul) : "memory");
	CHECK(orders == 2 && order[1] == 0x50);
	write_msr(X2_TPR, 0xf0);
	write_msr(X2_SELF, 0x61);
	let_in();
	CHECK(orders == 2);
	write_msr(X2_TPR, 0);
	let_in();
	CHECK(orders == 3);
}

/* In service: what is lower waits for its end, what is higher does not. */
static void during_70(void)
{
	write_msr(X2_SELF, 0x61);
	write_msr(X2_SELF, 0x80);
	let_in();
	CHECK(taken[0x80] == 1 && orders == 0 && read_msr(X2_PPR) == 0x70);
	write_msr(X2_EOI, 0);
}

static void nested(void)
{
	orders = 0;
	on_vector[0x70] = during_70;
	write_msr(X2_SELF, 0x70);
	let_in();
	CHECK(taken[0x70] == 1 && orders == 1);
}

static void wait_for(unsigned vector, uint64_t count)
{
	while (taken[vector] < count)
		halt_once();
}

static void timer(void)
{
	uint64_t from, count;

	write_msr(X2_DIVIDE, 0xb);
	write_msr(X2_LVT_TIMER, 0x90);
	write_msr(X2_INITIAL, 0xf0000000);
	CHECK(read_msr(X2_CURRENT) > 0 && read_msr(X2_CURRENT) <= 0xf0000000);
	from = read_tsc();
	write_msr(X2_INITIAL, 2 * MILLISECOND);
	wait_for(0x90, 1);
	CHECK(read_tsc() - from >= 2 * MILLISECOND && read_msr(X2_CURRENT) == 0);
	write_msr(X2_DIVIDE, 0); /* by 2 */
	write_msr(X2_LVT_TIMER, LVT_PERIODIC | 0x90);
	from = read_tsc();
	write_msr(X2_INITIAL, MILLISECOND / 2);
	wait_for(0x90, 6);
	CHECK(read_tsc() - from >= 5 * MILLISECOND);
	write_msr(X2_LVT_TIMER, LVT_PERIODIC | LVT_MASKED | 0x90);
	let_in(); /* one may be pending */
	count = taken[0x90];
	for (from = read_tsc(); read_tsc() - from < 3 * MILLISECOND;)
		let_in();
	CHECK(taken[0x90] == count);
	write_msr(X2_INITIAL, 0);
}

static void deadline(void)
{
	uint64_t before, from;

	write_msr(X2_LVT_TIMER, LVT_DEADLINE | 0x91);
	write_msr(TSC_DEADLINE_MSR, 1); /* long past */
	CHECK(read_msr(TSC_DEADLINE_MSR) == 0);
	let_in();
	CHECK(taken[0x91] == 1);
	write_msr(TSC_DEADLINE_MSR, ~0ul); /* never */
	CHECK(read_msr(TSC_DEADLINE_MSR) == ~0ul);
	for (from = read_tsc(); read_tsc() - from < MILLISECOND;)
		let_in();
	CHECK(taken[0x91] == 1);
	for (unsigned i = 0; i < 20; i++) {
		from = read_tsc();
		before = taken[0x91];
		write_msr(TSC_DEADLINE_MSR, from + MILLISECOND / 4 * (i % 4));
		wait_for(0x91, before + 1);
		CHECK(read_tsc() - from >= MILLISECOND / 4 * (i % 4) && taken[0x91] == before + 1);
	}
	write_msr(TSC_DEADLINE_MSR, read_tsc() + MILLISECOND);
	write_msr(TSC_DEADLINE_MSR, 0); /* disarmed */
	for (from = read_tsc(); read_tsc() - from < 2 * MILLISECOND;)
		let_in();
	CHECK(taken[0x91] == before + 1);
}

/* Whenever it comes: never between STI and HLT, which would wait for it for ever. */
static void around_halts(void)
{
	uint64_t before = taken[0x91];

	for (uint64_t i = 0; i < 1000; i++) {
		write_msr(TSC_DEADLINE_MSR, read_tsc() + i * 7 % 1000 * MILLISECOND / 20000);
		wait_for(0x91, before + i + 1);
	}
	CHECK(taken[0x91] == before + 1000);
}

/* The delivery itself touches memory for the first time: the exit is in its middle, and the interrupt comes once. */
static void on_fresh_stacks(void)
{
	uint64_t before = taken[0x92];

	for (unsigned i = 0; i < 50; i++) {
		char *stack = (char *)fresh_page() + RT_PAGE_SIZE;

		__asm__ volatile("movq %%rsp, %%rbx\n\tmovq %0, %%rsp\n\tsti\n\tnop\n\twrmsr\n\tnop\n\tcli\n\tmovq %%rbx, %%rsp"
				 :
				 : "r"(stack), "c"(X2_SELF), "a"(0x92), "d"(0)
				 : "rbx", "memory");
	}
	CHECK(taken[0x92] == before + 50);
}

static volatile unsigned nmi_depth, nmi_deepest;

static void on_nmi(void)
{
	if (++nmi_depth > nmi_deepest)
		nmi_deepest = nmi_depth;
	if (taken[2] < 5)
		write_msr(X2_ICR, 1ul << 18 | ICR_NMI);
	(void)cpuid(0, 0);
	nmi_depth--;
}

static void nmis(void)
{
	uint64_t from = read_tsc();

	on_vector[2] = on_nmi;
	write_msr(X2_ICR, 1ul << 18 | ICR_NMI);
	while (taken[2] < 5 && read_tsc() - from < 1000 * MILLISECOND)
		(void)cpuid(0, 0);
	CHECK(taken[2] == 5 && nmi_deepest == 1);
}

static void write_ioapic(uint32_t number, uint32_t value)
{
	*(volatile uint32_t *)IOAPIC_PAGE = number;
	*(volatile uint32_t *)(IOAPIC_PAGE + 0x10) = value;
}

static uint32_t read_ioapic(uint32_t number)
{
	*(volatile uint32_t *)IOAPIC_PAGE = number;
	return *(volatile uint32_t *)(IOAPIC_PAGE + 0x10);
}

static void write_port(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static uint8_t read_port(uint16_t port)
{
	uint8_t value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

/* The serial port's transmitter is empty; its level stays until the second time it is asked. */
static void on_uart(void)
{
	if (taken[0x93] == 2)
		CHECK((read_port(0x3fa) & 0xf) == 2);
	write_msr(X2_EOI, 0);
}

static void serial_port(void)
{
	CHECK(read_ioapic(1) == 0x170020 && read_ioapic(0x18) == 0x10000);
	on_vector[0x93] = on_uart;
	write_ioapic(0x19, 0);
	write_ioapic(0x18, 0x8093); /* a level */
	write_port(0x3fc, 8);
	write_port(0x3f9, 2);
	let_in();
	CHECK(taken[0x93] == 2 && !(read_ioapic(0x18) & 0x4000));
	write_port(0x3f9, 0);
}

static void errors(void)
{
	write_msr(X2_LVT_ERROR, 0xfe);
	write_msr(X2_SELF, 3); /* illegal */
	let_in();
	CHECK(taken[0xfe] == 1 && read_msr(X2_ESR) == 0);
	write_msr(X2_ESR, 0);
	CHECK(read_msr(X2_ESR) == 0x20);
	write_msr(X2_LVT_ERROR, LVT_MASKED);
}

static volatile bool stop, sleeper;

static void other(void *argument)
{
	(void)argument;
	apic_begin();
	sleeper = true;
	while (!stop)
		halt_once();
	sleeper = false;
	__asm__ volatile("sti");
	while (stop)
		__asm__ volatile("pause");
	__asm__ volatile("cli");
}

/* To a vCPU that sleeps, then to one that does not, which cannot but take them; and to some that are not there. */
static void between_vcpus(void)
{
	uint64_t before;

	CHECK(rt_cpu_start(1, other, NULL) == 0);
	while (!sleeper)
		rt_yield();
	for (unsigned i = 0; i < 40; i++) {
		before = taken[0xa0];
		write_msr(X2_ICR, 1ul << 32 | 0xa0);
		while (taken[0xa0] == before)
			__asm__ volatile("pause");
	}
	CHECK(taken[0xa0] == 40);
	stop = true;
	write_msr(X2_ICR, ICR_OTHERS | 0xa0);
	while (sleeper)
		rt_yield();
	CHECK(taken[0xa0] == 41);
	for (unsigned i = 0; i < 40; i++) {
		before = taken[0xa1];
		write_msr(X2_ICR, i % 2 ? 2ul << 32 | 0x8a1 : 1ul << 32 | 0x1a1); /* logical, lowest priority */
		while (taken[0xa1] == before)
			__asm__ volatile("pause");
	}
	CHECK(taken[0xa1] == 40);
	write_msr(X2_ICR, 200ul << 32 | 0xa1);
	write_msr(X2_ICR, 0xfffffffeul << 32 | 0xa1);
	write_msr(X2_ICR, 0xfff0fffful << 32 | 0x8a1);
	stop = false;
	let_in();
	CHECK(taken[0xa1] == 40);
}

/* What is pending at a fork comes to both, once; and so does a timer. */
static bool forked(void)
{
	uint64_t result, before = taken[0x91], from;

	write_msr(X2_SELF, 0xb0);
	write_msr(X2_SELF, 0xb0);
	write_msr(TSC_DEADLINE_MSR, read_tsc() + 4 * MILLISECOND);
	result = rt_fork();
	CHECK(!rt_is_error(result) && taken[0xb0] == 0);
	let_in();
	CHECK(taken[0xb0] == 1);
	wait_for(0x91, before + 1);
	for (from = read_tsc(); read_tsc() - from < MILLISECOND;)
		let_in();
	CHECK(taken[0x91] == before + 1 && taken[0xb0] == 1);
	return result == 0;
}

int guest_main(void)
{
	apic_begin();
	by_priority();
	task_priority();
	nested();
	timer();
	deadline();
	around_halts();
	on_fresh_stacks();
	nmis();
	serial_port();
	errors();
	between_vcpus();
	if (forked()) {
		rt_printf("interrupts: the fork has all of its own\n");
		return check_failures != 0;
	}
	return check_status("interrupts");
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* The GICv3 that a guest sees, with a model of the CPU interface that delivers what is in list registers. */
#include "vmm/devices/vgicv3.h"

#include <string.h>

#include "tests/host/host.h"
#include "vmm/devices/vgic_relist.h"
#include "vmm/devices/vgic_lists.h"

#define GICD  0x8000000
#define GICR  0x80a0000
#define CPUS  4
#define LISTS 4
#define NONE  1023

enum { TIMER = 27, SPI = 40 };

static struct vgicv3 gic;
static bool told[VGIC_CPUS];
static struct vgic_links links; /* all of them can be */
static uint32_t linked;         /* interrupts of every CPU that are to be linked */
static uint32_t ended;          /* those whose physical one was ended, on any CPU */
static unsigned unlisted_ends;  /* ends for which there was no list register */

static void notify(struct vgic *of, unsigned cpu)
{
	assert_ptr_equal(of, &gic.gic);
	assert_true(cpu < gic.gic.cpus);
	told[cpu] = true;
}

static unsigned relisted; /* how often vgic_relist has done it all */

/* What is in list registers that hold nothing does not count. */
static void forget_unused(struct vgic_cpu *cpu)
{
	memset(&cpu->lr[cpu->used], 0, (VGIC_LISTS - cpu->used) * sizeof(cpu->lr[0]));
	cpu->latched &= (uint16_t)((1u << cpu->used) - 1);
}

static void compare(const struct vgicv3 *with, unsigned cpu)
{
	forget_unused(&gic.gic.cpu[cpu]);
	assert_memory_equal(&gic, with, sizeof(gic));
}

/* The shorter way is the same as the longer one, or none: with these lines. All is as it was afterwards. */
static void check_relist(unsigned cpu, uint32_t lines)
{
	static struct vgicv3 was, shorter;
	bool told_before[VGIC_CPUS];
	uint32_t its_ended = 0;
	enum relist how;

	memcpy(told_before, told, sizeof(told));
	was = gic;
	how = vgic_relist(&gic.gic, cpu, gic.gic.cpu[cpu].used > 0 ? gic.gic.cpu[cpu].lr[0] : 0, linked, lines, &links, &its_ended);
	if (how == RELIST_NOT) {
		assert_memory_equal(&gic, &was, sizeof(gic));
		return;
	}
	forget_unused(&gic.gic.cpu[cpu]);
	shorter = gic;
	gic = was;
	CHECK_EQ(its_ended, vgic_unlist(&gic.gic, cpu));
	vgic_set_private(&gic.gic, cpu, linked, lines);
	if (how == RELIST_TAKEN)
		compare(&shorter, cpu);
	vgic_list(&gic.gic, cpu, lines, &links);
	if (how == RELIST_DONE)
		compare(&shorter, cpu);
	else
		CHECK(gic.gic.cpu[cpu].used > 1, "several are to be listed");
	relisted += how == RELIST_DONE;
	gic = was;
	memcpy(told, told_before, sizeof(told));
}

/* What the hypervisor does in an exit of this CPU. */
static void refresh(unsigned cpu)
{
	if (unlisted_ends == 0) {
		check_relist(cpu, gic.gic.own[cpu].level & linked);
		check_relist(cpu, ~gic.gic.own[cpu].level & linked);
	}
	ended |= vgic_unlist(&gic.gic, cpu);
	vgic_end_unlisted(&gic.gic, cpu, unlisted_ends);
	unlisted_ends = 0;
	vgic_list(&gic.gic, cpu, linked, &links);
	told[cpu] = false;
}

static void sample(struct vgic *of, unsigned cpu)
{
	assert_ptr_equal(of, &gic.gic);
	ended |= vgic_unlist(&gic.gic, cpu);
}

static uint64_t access(struct io_device *device, unsigned cpu, uint64_t offset, uint8_t size, bool write, uint64_t value)
{
	struct io_access io = { .space = IO_MEMORY, .size = size, .write = write, .vcpu = (uint8_t)cpu, .value = value };

	io.addr = device->base + offset;
	device->access(device, offset, &io);
	refresh(cpu);
	for (unsigned i = 0; i < gic.gic.cpus; i++)
		if (told[i])
			refresh(i);
	return io.value;
}

static uint64_t read_d(uint64_t offset, uint8_t size)
{
	return access(&gic.distributor, 0, offset, size, false, 0xdeadbeefdeadbeef);
}

static void write_d(uint64_t offset, uint8_t size, uint64_t value)
{
	access(&gic.distributor, 0, offset, size, true, value);
}

static uint64_t read_r(unsigned cpu, uint64_t offset, uint8_t size)
{
	return access(&gic.redistributors, cpu, cpu * UINT64_C(0x20000) + offset, size, false, 0xdeadbeefdeadbeef);
}

static void write_r(unsigned cpu, uint64_t offset, uint8_t size, uint64_t value)
{
	access(&gic.redistributors, cpu, cpu * UINT64_C(0x20000) + offset, size, true, value);
}

/* IHI 0069, 6.3: the CPU takes the pending one of the highest priority. */
static unsigned take(unsigned cpu)
{
	struct vgic_cpu *of = &gic.gic.cpu[cpu];
	uint64_t *best = NULL;

	for (unsigned i = 0; i < of->used; i++)
		if (of->lr[i] & LR_PENDING && (!best || (of->lr[i] >> 48 & 0xff) < (*best >> 48 & 0xff)))
			best = &of->lr[i];
	if (!best)
		return NONE;
	*best = (*best & ~LR_PENDING) | LR_ACTIVE;
	return LR_VINTID(*best);
}

/* Its end in one step; a maintenance interrupt, where the list register asks for it, is served. */
static void end(unsigned cpu, unsigned id)
{
	struct vgic_cpu *of = &gic.gic.cpu[cpu];

	for (unsigned i = 0; i < of->used; i++) {
		if (LR_VINTID(of->lr[i]) != id || !(of->lr[i] & LR_ACTIVE))
			continue;
		of->lr[i] &= ~LR_ACTIVE;
		if (of->lr[i] & LR_EOI && !(of->lr[i] & LR_LINKED))
			refresh(cpu);
		return;
	}
	unlisted_ends++;
	refresh(cpu);
}

static int setup(void **state)
{
	(void)state;
	memset(&gic, 0xff, sizeof(gic));
	memset(told, 0, sizeof(told));
	vgicv3_init(&gic, CPUS, LISTS, GICD, GICR);
	gic.gic.notify = notify;
	gic.gic.sample = sample;
	linked = 1u << TIMER;
	ended = unlisted_ends = relisted = 0;
	links = (struct vgic_links){ .linkable = UINT32_MAX, .physical[TIMER - 16] = 19 };
	write_d(0, 4, 3);
	for (unsigned cpu = 0; cpu < CPUS; cpu++) {
		write_r(cpu, 0x14, 4, 0);
		write_r(cpu, 0x10080, 4, 0xffffffff);
		for (unsigned i = 0; i < 32; i += 4)
			write_r(cpu, 0x10400 + i, 4, 0xa0a0a0a0);
		write_r(cpu, 0x10100, 4, 0xffffffff);
	}
	return 0;
}

static void route(unsigned id, uint64_t cpu, uint8_t priority)
{
	write_d(0x80 + id / 32 * 4, 4, 0xffffffff);
	write_d(0x400 + id, 1, priority);
	write_d(0x6000 + 8 * id, 8, cpu);
	write_d(0x100 + id / 32 * 4, 4, 1u << id % 32);
}

static void set_line(unsigned id, bool level)
{
	vgic_set_line(&gic.gic, id, level);
	for (unsigned i = 0; i < CPUS; i++)
		if (told[i])
			refresh(i);
}

static void set_timer(unsigned cpu, bool level)
{
	vgic_set_private(&gic.gic, cpu, 1u << TIMER, level ? 1u << TIMER : 0);
	refresh(cpu);
}

static void send(unsigned from, unsigned group, uint64_t value)
{
	vgicv3_send(&gic, from, group, value);
	for (unsigned i = 0; i < CPUS; i++)
		if (told[i])
			refresh(i);
}

static void test_registers(void **state)
{
	(void)state;
	CHECK_EQ(read_d(0, 4), 0x53);
	CHECK_EQ(read_d(4, 4) & 0x1f, 2);
	CHECK_EQ(read_d(0xffe8, 4) >> 4 & 0xf, 3);
	CHECK_EQ(read_r(2, 0xffe8, 4) >> 4 & 0xf, 3);
	CHECK_EQ(read_r(2, 8, 8), UINT64_C(2) << 32 | 2 << 8);
	CHECK_EQ(read_r(3, 8, 8), UINT64_C(3) << 32 | 3 << 8 | 0x10);
	CHECK_EQ(read_r(3, 12, 4), 3);
	CHECK_EQ(read_r(1, 0x14, 4), 0);
	write_r(1, 0x14, 4, 2);
	CHECK_EQ(read_r(1, 0x14, 4), 6);
	CHECK_EQ(read_r(1, 0x10c00, 4), 0xaaaaaaaa);
	/* With affinity routing the distributor has nothing of a CPU's own interrupts. */
	write_d(0x100, 4, 0xffffffff);
	CHECK_EQ(read_d(0x100, 4), 0);
	write_d(0x6000 + 8 * SPI, 8, ~UINT64_C(0));
	CHECK_EQ(read_d(0x6000 + 8 * SPI, 8), UINT64_C(0xff00ffffff));
	write_d(0x6000 + 8 * SPI, 4, 1);
	CHECK_EQ(read_d(0x6000 + 8 * SPI, 8), UINT64_C(0xff00000001));
	write_d(0x6000 + 8 * 31, 8, 1);
	CHECK_EQ(read_d(0x6000 + 8 * 31, 8), 0);
	write_d(0x7ff8, 8, 1);
	CHECK_EQ(read_d(0x7ff8, 8), 0);
}

/* A linked one is ended by the guest alone; it is listed again when its level is high at the next look. */
static void test_timer(void **state)
{
	(void)state;
	set_timer(1, true);
	CHECK_EQ(gic.gic.cpu[1].lr[0], LR_LINKED | LR_PENDING | LR_GROUP_1 | UINT64_C(19) << 32 | UINT64_C(0xa0) << 48 | TIMER);
	CHECK_EQ(take(1), TIMER);
	CHECK_EQ(take(1), NONE);
	refresh(1);
	CHECK_EQ(ended, 0);
	CHECK_EQ(read_r(1, 0x10300, 4), 1u << TIMER);
	end(1, TIMER);
	set_timer(1, false);
	CHECK_EQ(ended, 1u << TIMER);
	CHECK_EQ(take(1), NONE);
	CHECK_EQ(read_r(1, 0x10300, 4), 0);
	/* One that nobody has taken goes with its level. */
	set_timer(1, true);
	set_timer(1, false);
	CHECK_EQ(take(1), NONE);
	CHECK(relisted > 0, "the shorter way is gone here");
}

/* Disabled while it is active, it is still found when its end comes. */
static void test_disabled_while_active(void **state)
{
	(void)state;
	set_timer(0, true);
	CHECK_EQ(take(0), TIMER);
	write_r(0, 0x10180, 4, 1u << TIMER);
	CHECK_EQ(gic.gic.cpu[0].used, 1);
	end(0, TIMER);
	refresh(0);
	CHECK_EQ(ended, 1u << TIMER);
	CHECK_EQ(take(0), NONE);
	write_r(0, 0x10100, 4, 1u << TIMER);
	CHECK_EQ(take(0), TIMER);
}

/* A level that is still high at the end comes again, and one that is not, does not. */
static void test_level(void **state)
{
	(void)state;
	route(SPI, 2, 0x80);
	set_line(SPI, true);
	CHECK_EQ(take(0), NONE);
	CHECK_EQ(take(2), SPI);
	end(2, SPI);
	CHECK_EQ(take(2), SPI);
	set_line(SPI, false);
	end(2, SPI);
	CHECK_EQ(take(2), NONE);
}

/* An edge while the first is handled, or while it waits in a list register. */
static void test_edge(void **state)
{
	(void)state;
	write_d(0xc00 + SPI / 16 * 4, 4, 2u << SPI % 16 * 2);
	route(SPI, 0, 0x80);
	set_line(SPI, true);
	set_line(SPI, false);
	set_line(SPI, true);
	CHECK_EQ(take(0), SPI);
	set_line(SPI, false);
	set_line(SPI, true);
	end(0, SPI);
	refresh(0);
	CHECK_EQ(take(0), SPI);
	end(0, SPI);
	refresh(0);
	CHECK_EQ(take(0), NONE);
}

/* What waits in the list registers of one CPU goes when it is disabled, taken back, or given to another CPU. */
static void test_changed_while_listed(void **state)
{
	(void)state;
	route(SPI, 1, 0x80);
	write_d(0x204, 4, 1u << (SPI - 32));
	CHECK_EQ(gic.gic.cpu[1].used, 1);
	write_d(0x184, 4, 1u << (SPI - 32));
	CHECK_EQ(gic.gic.cpu[1].used, 0);
	write_d(0x104, 4, 1u << (SPI - 32));
	CHECK_EQ(gic.gic.cpu[1].used, 1);
	write_d(0x6000 + 8 * SPI, 8, 3);
	CHECK_EQ(gic.gic.cpu[1].used, 0);
	CHECK_EQ(gic.gic.cpu[3].used, 1);
	write_d(0x284, 4, 1u << (SPI - 32));
	CHECK_EQ(take(3), NONE);
	write_d(0x204, 4, 1u << (SPI - 32));
	CHECK_EQ(take(3), SPI);
	/* It is active there; another CPU deactivates it. */
	CHECK_EQ(read_d(0x304, 4), 1u << (SPI - 32));
	write_d(0x384, 4, 1u << (SPI - 32));
	CHECK_EQ(read_d(0x304, 4), 0);
	CHECK_EQ(gic.gic.cpu[3].used, 0);
	/* Nowhere. */
	write_d(0x6000 + 8 * SPI, 8, CPUS);
	write_d(0x204, 4, 1u << (SPI - 32));
	for (unsigned i = 0; i < CPUS; i++)
		CHECK_EQ(take(i), NONE);
}

static void test_sgi(void **state)
{
	(void)state;
	send(1, 1, UINT64_C(5) << 24 | 1);
	send(2, 1, UINT64_C(5) << 24 | 1);
	CHECK_EQ(take(0), 5);
	end(0, 5);
	refresh(0);
	CHECK_EQ(take(0), NONE); /* without a source it is one */
	send(1, 1, UINT64_C(3) << 24 | BIT(40));
	CHECK_EQ(take(1), NONE);
	CHECK_EQ(take(0), 3);
	send(0, 1, UINT64_C(3) << 24 | 1); /* while it is active: again */
	end(0, 3);
	refresh(0);
	CHECK_EQ(take(0), 3);
	/* Nobody is there, or of this group. */
	send(0, 1, UINT64_C(7) << 24 | 0xfff0);
	send(0, 1, UINT64_C(7) << 24 | BIT(16) | 1);
	send(0, 1, UINT64_C(7) << 24 | BIT(32) | 1);
	send(0, 1, UINT64_C(7) << 24 | BIT(48) | 1);
	send(0, 1, UINT64_C(7) << 24 | BIT(44) | 1);
	send(0, 0, UINT64_C(7) << 24 | 2);
	CHECK_EQ(read_r(0, 0x10200, 4) & 1u << 7, 0);
	CHECK_EQ(read_r(1, 0x10200, 4) & 1u << 7, 0);
}

/* More than there are list registers: each is delivered once, by priority, and each end finds its interrupt. */
static void test_more_than_fit(void **state)
{
	enum { MANY = 12 };

	(void)state;
	for (unsigned i = 0; i < MANY; i++)
		route(SPI + i, 0, (uint8_t)(0x80 - 8 * i));
	for (unsigned i = 0; i < MANY; i++) /* each preempts the one before */
	{
		set_line(SPI + i, true);
		CHECK_EQ(take(0), SPI + i);
		set_line(SPI + i, false);
	}
	CHECK_EQ(take(0), NONE);
	for (unsigned i = MANY; i-- > 0;)
		end(0, SPI + i);
	CHECK_EQ(read_d(0x304, 4), 0);
	for (unsigned i = 0; i < MANY; i++)
		set_line(SPI + i, true);
	for (unsigned i = MANY; i-- > 0;) {
		CHECK_EQ(take(0), SPI + i);
		set_line(SPI + i, false);
		end(0, SPI + i);
	}
	CHECK_EQ(take(0), NONE);
	CHECK_EQ(read_d(0x304, 4), 0);
}

/* The end in two steps: the second one traps. */
static void test_deactivate(void **state)
{
	(void)state;
	route(SPI, 1, 0x80);
	set_line(SPI, true);
	CHECK_EQ(take(1), SPI);
	vgicv3_deactivate(&gic, 0, SPI);
	assert_true(told[1]);
	set_line(SPI, false);
	CHECK_EQ(read_d(0x304, 4), 0);
	set_timer(0, true);
	CHECK_EQ(take(0), TIMER);
	(void)vgic_unlist(&gic.gic, 0);
	vgicv3_deactivate(&gic, 0, TIMER);
	vgicv3_deactivate(&gic, 0, 5000);
	refresh(0);
	CHECK_EQ(take(0), TIMER);
}

/* What one CPU had in its list registers when it was forked is there in both, once. */
static void test_fork(void **state)
{
	static struct vgicv3 child;

	(void)state;
	send(1, 1, UINT64_C(5) << 24 | 1);
	set_timer(0, true);
	CHECK_EQ(take(0), 5);
	for (unsigned i = 0; i < CPUS; i++)
		(void)vgic_unlist(&gic.gic, i);
	vgicv3_fork(&child, &gic);
	for (unsigned i = 0; i < 2; i++) {
		refresh(0);
		CHECK_EQ(take(0), TIMER);
		CHECK_EQ(take(0), NONE);
		end(0, 5);
		gic = child;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_registers, setup),
		cmocka_unit_test_setup(test_timer, setup),
		cmocka_unit_test_setup(test_disabled_while_active, setup),
		cmocka_unit_test_setup(test_level, setup),
		cmocka_unit_test_setup(test_edge, setup),
		cmocka_unit_test_setup(test_changed_while_listed, setup),
		cmocka_unit_test_setup(test_sgi, setup),
		cmocka_unit_test_setup(test_more_than_fit, setup),
		cmocka_unit_test_setup(test_deactivate, setup),
		cmocka_unit_test_setup(test_fork, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

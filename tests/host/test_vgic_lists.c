/* SPDX-License-Identifier: BSD-2-Clause */
/* A guest's GICv2 whose CPUs have list registers: with a model of the CPU interface that delivers what is in them. */
#include "vmm/devices/vgic_lists.h"

#include <string.h>

#include "tests/host/host.h"
#include "vmm/devices/vgic_relist.h"
#include "vmm/devices/vgicv2.h"

#define GICD  0x8000000
#define GICC  0x8010000
#define CPUS  4
#define LISTS 4
#define NONE  1023

enum { TIMER = 27, SPI = 40 };

static struct vgicv2 gic;
static bool told[VGIC_CPUS];
static const struct vgic_links links; /* nothing is linked */
static unsigned maintained;           /* ends that were told of */

static void notify(struct vgic *of, unsigned cpu)
{
	assert_ptr_equal(of, &gic.gic);
	told[cpu] = true;
}

static void sample(struct vgic *of, unsigned cpu)
{
	CHECK_EQ(vgic_unlist(of, cpu), 0);
	told[cpu] = true;
}

/* What the hypervisor does in an exit of this CPU: by the shorter way where there is one. */
static void refresh(unsigned cpu)
{
	struct vgic_cpu *of = &gic.gic.cpu[cpu];
	uint32_t level = gic.gic.own[cpu].level, ended;

	told[cpu] = false;
	if (vgic_relist(&gic.gic, cpu, of->used ? of->lr[0] : 0, 1u << TIMER, level, &links, &ended) == RELIST_DONE)
		return;
	vgic_unlist(&gic.gic, cpu);
	vgic_list(&gic.gic, cpu, level, &links);
}

/* One that gives an interrupt back may tell another one, before it or behind it. */
static void refresh_told(void)
{
	for (unsigned i = 0; i < 2 * CPUS; i++)
		if (told[i % CPUS])
			refresh(i % CPUS);
}

static uint32_t access(struct io_device *device, unsigned cpu, uint64_t offset, uint8_t size, bool write, uint32_t value)
{
	struct io_access io = { .space = IO_MEMORY, .size = size, .write = write, .vcpu = (uint8_t)cpu, .value = value };

	io.addr = device->base + offset;
	device->access(device, offset, &io);
	refresh_told();
	return (uint32_t)io.value;
}

static uint32_t read_d(unsigned cpu, uint64_t offset)
{
	return access(&gic.distributor, cpu, offset, 4, false, 0);
}

static void write_d(unsigned cpu, uint64_t offset, uint32_t value)
{
	access(&gic.distributor, cpu, offset, 4, true, value);
}

static void set_line(unsigned id, bool level)
{
	vgic_set_line(&gic.gic, id, level);
	refresh_told();
}

/* "GICV_IAR", from what is in the registers: the pending one of the highest priority, an SGI with its sender. */
static uint32_t take(unsigned cpu)
{
	struct vgic_cpu *of = &gic.gic.cpu[cpu];
	uint64_t *best = NULL;
	uint32_t lr;

	for (unsigned i = 0; i < of->used; i++)
		if (of->lr[i] & LR_PENDING && (!best || (lr_to_gich(of->lr[i]) >> 23 & 0x1f) < (lr_to_gich(*best) >> 23 & 0x1f)))
			best = &of->lr[i];
	if (!best)
		return NONE;
	lr = lr_to_gich(*best);
	*best = lr_after_gich(*best, (lr & ~(1u << 28)) | 1u << 29);
	return (lr & 0x3ff) | ((lr & 0x3ff) < VGIC_SGIS ? lr & 7u << 10 : 0);
}

/* "GICV_EOIR"; a maintenance interrupt, where the list register asks for it, is served. */
static void end(unsigned cpu, uint32_t iar)
{
	struct vgic_cpu *of = &gic.gic.cpu[cpu];

	for (unsigned i = 0; i < of->used; i++) {
		uint32_t lr = lr_to_gich(of->lr[i]);

		if ((lr & 0x3ff) != (iar & 0x3ff) || !(lr >> 29 & 1))
			continue;
		of->lr[i] = lr_after_gich(of->lr[i], lr & ~(1u << 29));
		if (lr >> 19 & 1) {
			maintained++;
			refresh(cpu);
		}
		return;
	}
	fail_msg("%#x is in no list register", iar);
}

static int setup(void **state)
{
	(void)state;
	memset(&gic, 0xff, sizeof(gic));
	memset(told, 0, sizeof(told));
	vgicv2_init(&gic, CPUS, LISTS, GICD, GICC);
	gic.gic.notify = notify;
	gic.gic.sample = sample;
	maintained = 0;
	write_d(0, 0x000, 1);
	for (unsigned cpu = 0; cpu < CPUS; cpu++) {
		for (unsigned i = 0; i < 32; i += 4)
			write_d(cpu, 0x400 + i, 0xa0a0a0a0);
		write_d(cpu, 0x100, 0xffffffff);
	}
	return 0;
}

static void route(unsigned id, uint8_t cpus, uint8_t priority)
{
	access(&gic.distributor, 0, 0x400 + id, 1, true, priority);
	access(&gic.distributor, 0, 0x800 + id, 1, true, cpus);
	write_d(0, 0x100 + id / 32 * 4, 1u << id % 32);
}

/* The format of the manual, IHI 0048, 5.3.8: each field at its place. */
static void test_format(void **state)
{
	(void)state;
	CHECK_EQ(lr_to_gich(0), 0);
	CHECK_EQ(lr_to_gich(LR_PENDING | 27), 1u << 28 | 27);
	CHECK_EQ(lr_to_gich(LR_ACTIVE | 1019), 2u << 28 | 1019);
	CHECK_EQ(lr_to_gich(LR_LINKED | UINT64_C(30) << LR_PINTID_SHIFT), 1u << 31 | 30u << 10);
	CHECK_EQ(lr_to_gich(LR_EOI), 1u << 19);
	CHECK_EQ(lr_to_gich(LR_GROUP_1), 1u << 30);
	CHECK_EQ(lr_to_gich(UINT64_C(5) << LR_SENDER_SHIFT), 5u << 10);
	CHECK_EQ(lr_to_gich(UINT64_C(0xf8) << LR_PRIORITY_SHIFT), 0x1fu << 23);
	CHECK_EQ(lr_after_gich(LR_PENDING | LR_EOI | 40, 2u << 28 | 40), LR_ACTIVE | LR_EOI | 40);
	CHECK_EQ(lr_after_gich(LR_ACTIVE | 3, 0), 3);
}

/* Each CPU that has sent an SGI is told of, once, one after the other; one by itself ends without the hypervisor. */
static void test_sgi(void **state)
{
	(void)state;
	write_d(3, 0xf00, 1u << 16 | 2);
	CHECK_EQ(take(0), 3u << 10 | 2);
	end(0, 3u << 10 | 2);
	CHECK_EQ(maintained, 0);
	write_d(1, 0xf00, 1u << 16 | 5);
	write_d(1, 0xf00, 1u << 16 | 5);
	write_d(2, 0xf00, 1u << 16 | 5);
	CHECK_EQ(take(0), 1u << 10 | 5);
	CHECK_EQ(take(0), NONE);
	write_d(3, 0xf00, 1u << 16 | 5); /* while the first is active */
	write_d(1, 0xf00, 1u << 16 | 5); /* its sender once more */
	CHECK_EQ(take(0), NONE);
	for (unsigned sender = 1; sender < 4; sender++) {
		end(0, 5);
		CHECK_EQ(take(0), sender << 10 | 5);
	}
	end(0, 5);
	CHECK_EQ(maintained, 3);
	CHECK_EQ(take(0), NONE);
	CHECK_EQ(read_d(0, 0x200), 0);
}

/* Who has sent what is in a list register can be read, and taken back. */
static void test_senders(void **state)
{
	(void)state;
	write_d(2, 0xf00, 1u << 16 | 5);
	write_d(3, 0xf00, 1u << 16 | 5);
	CHECK_EQ(access(&gic.distributor, 0, 0xf15, 1, false, 0), 0xc);
	access(&gic.distributor, 0, 0xf15, 1, true, 4);
	CHECK_EQ(take(0), 3u << 10 | 5);
	CHECK_EQ(access(&gic.distributor, 0, 0xf15, 1, false, 0), 0);
	CHECK_EQ(read_d(0, 0x300), 1u << 5);
	end(0, 3u << 10 | 5);
	access(&gic.distributor, 1, 0xf27, 1, true, 0xff);
	CHECK_EQ(take(1), 7);
	access(&gic.distributor, 1, 0xf17, 1, true, 0xff);
	end(1, 7);
	CHECK_EQ(take(1), NONE);
}

/* A level interrupts again when it is high at its end, a timer's, too. */
static void test_level(void **state)
{
	(void)state;
	route(SPI, 2, 0x80);
	set_line(SPI, true);
	CHECK_EQ(take(1), SPI);
	CHECK_EQ(read_d(0, 0x304), 1u << (SPI - 32));
	end(1, SPI);
	CHECK_EQ(take(1), SPI);
	set_line(SPI, false);
	end(1, SPI);
	CHECK_EQ(take(1), NONE);
	CHECK_EQ(maintained, 2);
	vgic_set_private(&gic.gic, 0, 1u << TIMER, 1u << TIMER);
	refresh(0);
	CHECK_EQ(take(0), TIMER);
	end(0, TIMER);
	CHECK_EQ(maintained, 3);
	CHECK_EQ(take(0), TIMER);
}

/* Where an end is two steps, the second one is in the page that the guest does not have. */
static void test_split_end(void **state)
{
	(void)state;
	vgic_set_private(&gic.gic, 0, 1u << TIMER, 1u << TIMER);
	refresh(0);
	CHECK_EQ(take(0), TIMER);
	vgic_set_private(&gic.gic, 0, 1u << TIMER, 0);
	CHECK_EQ(read_d(0, 0x300), 1u << TIMER);
	CHECK_EQ(access(&gic.interface, 0, 0x1000, 4, false, 0), 0);
	access(&gic.interface, 0, 0x1000, 2, true, TIMER);
	CHECK_EQ(read_d(0, 0x300), 1u << TIMER);
	access(&gic.interface, 0, 0x1000, 4, true, 2000);
	access(&gic.interface, 0, 0x1000, 4, true, TIMER);
	CHECK_EQ(read_d(0, 0x300), 0);
	CHECK_EQ(take(0), NONE);
}

/* What several CPUs may take one has; when that goes, the others are told. */
static void test_one_of_many(void **state)
{
	(void)state;
	route(SPI, 0x0e, 0x80);
	set_line(SPI, true);
	CHECK_EQ(take(2), NONE);
	vgic_unlist(&gic.gic, 1);
	vgic_offer(&gic.gic, 1);
	assert_true(!told[0] && !told[1] && told[2] && told[3]);
	refresh_told();
	CHECK_EQ(take(2), SPI);
	CHECK_EQ(take(3), NONE);
	/* It moves to a CPU that could not have it before. */
	end(2, SPI);
	access(&gic.distributor, 0, 0x800 + SPI, 1, true, 1);
	CHECK_EQ(take(2), NONE);
	CHECK_EQ(take(0), SPI);
}

/* More than there are list registers for. */
static void test_many(void **state)
{
	(void)state;
	for (uint32_t id = 0; id < 8; id++)
		write_d(1, 0xf00, 1u << 16 | id);
	for (uint32_t id = 0; id < 8; id++) {
		CHECK_EQ(take(0), 1u << 10 | id);
		end(0, id);
	}
	CHECK_EQ(take(0), NONE);
}

/* A CPU for which there is nothing to give needs no list register: not as long as one is pending, listed or active. */
static void test_idle(void **state)
{
	(void)state;
	assert_true(vgic_is_idle(&gic.gic, 0));
	route(SPI, 1, 0x80);
	vgic_set_line(&gic.gic, SPI, true);
	assert_false(vgic_is_idle(&gic.gic, 0));
	refresh_told();
	assert_false(vgic_is_idle(&gic.gic, 0));
	CHECK_EQ(take(0), SPI);
	vgic_set_line(&gic.gic, SPI, false);
	vgic_unlist(&gic.gic, 0);
	assert_false(vgic_is_idle(&gic.gic, 0));
	refresh(0);
	end(0, SPI);
	assert_true(vgic_is_idle(&gic.gic, 0));
	write_d(1, 0xf00, 1u << 16 | 5);
	assert_false(vgic_is_idle(&gic.gic, 0));
	CHECK_EQ(take(0), 1u << 10 | 5);
	vgic_unlist(&gic.gic, 0);
	assert_false(vgic_is_idle(&gic.gic, 0));
	assert_true(vgic_is_idle(&gic.gic, 1));
}

static void test_fork(void **state)
{
	static struct vgicv2 child;

	(void)state;
	write_d(1, 0xf00, 1u << 16 | 5);
	write_d(2, 0xf00, 1u << 16 | 6);
	CHECK_EQ(take(0), 1u << 10 | 5);
	vgic_unlist(&gic.gic, 0);
	vgicv2_fork(&child, &gic);
	for (unsigned i = 0; i < 2; i++) {
		refresh(0);
		CHECK_EQ(take(0), 2u << 10 | 6);
		end(0, 6);
		end(0, 5);
		CHECK_EQ(take(0), NONE);
		gic = child;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_format),
		cmocka_unit_test_setup(test_sgi, setup),
		cmocka_unit_test_setup(test_senders, setup),
		cmocka_unit_test_setup(test_level, setup),
		cmocka_unit_test_setup(test_split_end, setup),
		cmocka_unit_test_setup(test_one_of_many, setup),
		cmocka_unit_test_setup(test_many, setup),
		cmocka_unit_test_setup(test_idle, setup),
		cmocka_unit_test_setup(test_fork, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

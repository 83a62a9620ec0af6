/* SPDX-License-Identifier: BSD-2-Clause */
/* The GICv2 that a guest sees: as its CPUs see it. */
#include "vmm/devices/vgicv2.h"

#include <string.h>

#include "tests/host/host.h"

#define GICD 0x8000000
#define GICC 0x8010000
#define CPUS 4
#define NONE 1023

enum { TIMER = 27, SPI = 40 };

static struct vgicv2 gic;
static bool request[VGICV2_CPUS];
static unsigned notified;

static void notify(struct vgic *of, unsigned cpu)
{
	assert_ptr_equal(of, &gic.gic);
	assert_true(cpu < gic.gic.cpus);
	request[cpu] = gic.cpu[cpu].signalled;
	notified++;
}

static uint64_t access(struct io_device *device, unsigned cpu, uint64_t offset, uint8_t size, bool write, uint64_t value)
{
	struct io_access io = { .space = IO_MEMORY, .size = size, .write = write, .vcpu = (uint8_t)cpu, .value = value };

	io.addr = device->base + offset;
	device->access(device, offset, &io);
	return io.value;
}

static uint32_t read_d(unsigned cpu, uint64_t offset)
{
	return (uint32_t)access(&gic.distributor, cpu, offset, 4, false, 0xdeadbeefdeadbeef);
}

static void write_d(unsigned cpu, uint64_t offset, uint32_t value)
{
	access(&gic.distributor, cpu, offset, 4, true, value);
}

static uint32_t read_c(unsigned cpu, uint64_t offset)
{
	return (uint32_t)access(&gic.interface, cpu, offset, 4, false, 0xdeadbeefdeadbeef);
}

static void write_c(unsigned cpu, uint64_t offset, uint32_t value)
{
	access(&gic.interface, cpu, offset, 4, true, value);
}

/* As Linux does it: all CPUs take all. */
static void start(void)
{
	write_d(0, 0x000, 1);
	for (unsigned cpu = 0; cpu < gic.gic.cpus; cpu++) {
		for (unsigned i = 0; i < 32; i += 4)
			write_d(cpu, 0x400 + i, 0xa0a0a0a0);
		write_d(cpu, 0x100, 0xffffffff);
		write_c(cpu, 0x4, 0xf0);
		write_c(cpu, 0x0, 1);
	}
}

static void make(unsigned cpus)
{
	memset(&gic, 0xff, sizeof(gic));
	memset(request, 0, sizeof(request));
	vgicv2_init(&gic, cpus, 0, GICD, GICC);
	gic.gic.notify = notify;
	notified = 0;
}

static int setup(void **state)
{
	(void)state;
	make(CPUS);
	start();
	return 0;
}

static uint32_t take(unsigned cpu)
{
	return read_c(cpu, 0xc);
}

static void end(unsigned cpu, uint32_t iar)
{
	write_c(cpu, 0x10, iar);
}

/* A device's interrupt `id` goes to `cpu`. */
static void route(unsigned id, unsigned cpu, uint8_t priority)
{
	access(&gic.distributor, 0, 0x400 + id, 1, true, priority);
	access(&gic.distributor, 0, 0x800 + id, 1, true, 1u << cpu);
	write_d(0, 0x100 + id / 32 * 4, 1u << id % 32);
}

static void test_registers(void **state)
{
	(void)state;
	CHECK_EQ(read_d(0, 0x004), (CPUS - 1) << 5 | 2);
	CHECK_EQ(read_d(3, 0x800), 0x08080808);
	CHECK_EQ(read_d(0, 0xfe8) >> 4 & 0xf, 2);
	CHECK_EQ(read_c(0, 0xfc) >> 16 & 0xf, 2);
	CHECK_EQ(read_d(0, 0xc00), 0xaaaaaaaa);
	write_d(0, 0x400 + SPI, 0xffffffff);
	CHECK_EQ(read_d(0, 0x400 + SPI), 0xf8f8f8f8);
	write_d(0, 0x800 + SPI, 0xffffffff);
	CHECK_EQ(read_d(0, 0x800 + SPI), 0x0f0f0f0f);
	write_d(0, 0xc00 + SPI / 16 * 4, 0xffffffff);
	CHECK_EQ(read_d(0, 0xc00 + SPI / 16 * 4), 0xaaaaaaaa);
	/* Interrupts that there are not. */
	write_d(0, 0x100 + 12, 0xffffffff);
	CHECK_EQ(read_d(0, 0x100 + 12), 0);
	write_d(0, 0x7fc, 0xffffffff);
	CHECK_EQ(read_d(0, 0x7fc), 0);
}

/* A level is pending as long as it is high; once taken, it interrupts again only when it has been ended. */
static void test_level(void **state)
{
	(void)state;
	route(SPI, 1, 0x80);
	vgic_set_line(&gic.gic, SPI, true);
	assert_true(request[1] && !request[0]);
	CHECK_EQ(take(0), NONE);
	CHECK_EQ(take(1), SPI);
	assert_false(request[1]);
	CHECK_EQ(read_d(0, 0x304), 1u << (SPI - 32));
	CHECK_EQ(read_d(0, 0x204), 1u << (SPI - 32));
	CHECK_EQ(take(1), NONE);
	end(1, SPI);
	assert_true(request[1]);
	CHECK_EQ(take(1), SPI);
	vgic_set_line(&gic.gic, SPI, false);
	end(1, SPI);
	assert_false(request[1]);
	CHECK_EQ(take(1), NONE);
}

/* An edge is delivered once, one that comes while the first is being handled, too. */
static void test_edge(void **state)
{
	(void)state;
	route(SPI, 0, 0x80);
	write_d(0, 0xc00 + SPI / 16 * 4, 2u << SPI % 16 * 2);
	vgic_set_line(&gic.gic, SPI, true);
	CHECK_EQ(take(0), SPI);
	vgic_set_line(&gic.gic, SPI, false);
	vgic_set_line(&gic.gic, SPI, true);
	end(0, SPI);
	CHECK_EQ(take(0), SPI);
	end(0, SPI);
	CHECK_EQ(take(0), NONE);
	assert_false(request[0]);
}

/* What is disabled waits, and so does what is not of sufficient priority. */
static void test_masks(void **state)
{
	(void)state;
	route(SPI, 0, 0x80);
	vgic_set_line(&gic.gic, SPI, true);
	write_d(0, 0x184, 1u << (SPI - 32));
	assert_false(request[0]);
	write_d(0, 0x104, 1u << (SPI - 32));
	assert_true(request[0]);
	write_c(0, 0x4, 0x80);
	assert_false(request[0]);
	write_c(0, 0x4, 0x88);
	assert_true(request[0]);
	write_c(0, 0x0, 0);
	assert_false(request[0]);
	write_c(0, 0x0, 1);
	write_d(0, 0x000, 0);
	assert_false(request[0]);
	CHECK_EQ(take(0), NONE);
	write_d(0, 0x000, 1);
	CHECK_EQ(take(0), SPI);
}

/* A higher priority preempts, by its group part only; the running priority goes back at each end. */
static void test_preemption(void **state)
{
	(void)state;
	route(SPI, 0, 0x80);
	route(SPI + 1, 0, 0x40);
	route(SPI + 2, 0, 0x48);
	vgic_set_line(&gic.gic, SPI, true);
	CHECK_EQ(take(0), SPI);
	CHECK_EQ(read_c(0, 0x14), 0x80);
	write_c(0, 0x8, 3); /* 0x40 and 0x48 are of one group priority */
	vgic_set_line(&gic.gic, SPI + 2, true);
	CHECK_EQ(take(0), SPI + 2);
	CHECK_EQ(read_c(0, 0x14), 0x40);
	vgic_set_line(&gic.gic, SPI + 1, true);
	assert_false(request[0]);
	CHECK_EQ(read_c(0, 0x18), SPI + 1);
	end(0, SPI + 2);
	CHECK_EQ(read_c(0, 0x14), 0x80);
	write_c(0, 0x8, 2);
	CHECK_EQ(take(0), SPI + 1);
	vgic_set_line(&gic.gic, SPI + 1, false);
	end(0, SPI + 1);
	CHECK_EQ(take(0), SPI + 2); /* its level is high yet */
	CHECK_EQ(read_c(0, 0x14), 0x48);
	end(0, SPI + 2);
	end(0, SPI);
	CHECK_EQ(read_c(0, 0x14), 0xff);
}

/* Each CPU that has sent an SGI is told of, once, whatever others have sent. */
static void test_sgi(void **state)
{
	(void)state;
	write_d(1, 0xf00, 1u << 16 | 5);
	write_d(1, 0xf00, 1u << 16 | 5);
	write_d(2, 0xf00, 1u << 16 | 5);
	assert_true(request[0] && !request[1]);
	CHECK_EQ(access(&gic.distributor, 0, 0xf15, 1, false, 0), 6);
	CHECK_EQ(take(0), 1u << 10 | 5);
	CHECK_EQ(take(0), NONE);
	end(0, 1u << 10 | 5);
	CHECK_EQ(take(0), 2u << 10 | 5);
	end(0, 2u << 10 | 5);
	CHECK_EQ(take(0), NONE);
	write_d(1, 0xf00, 1u << 24 | 3); /* to all others */
	assert_true(request[0] && !request[1] && request[2] && request[3]);
	write_d(3, 0xf00, 2u << 24 | 4); /* to itself */
	CHECK_EQ(take(3), 1u << 10 | 3);
	end(3, 3);
	CHECK_EQ(take(3), 3u << 10 | 4);
	write_d(0, 0xf00, 0xf0u << 16 | 1);            /* to those that are not there */
	write_d(0, 0xf00, 3u << 24 | 0xffu << 16 | 1); /* reserved */
	CHECK_EQ(read_d(1, 0x200), 0);
	access(&gic.distributor, 1, 0xf27, 1, true, 0xff);
	CHECK_EQ(take(1), 7);
	access(&gic.distributor, 1, 0xf17, 1, true, 0xff);
	end(1, 7);
	CHECK_EQ(take(1), NONE);
	/* GICD_ISPENDR does not make them: nobody has sent them. */
	write_d(1, 0x200, 0xffff);
	CHECK_EQ(read_d(1, 0x200), 0);
}

/* Where an end is two steps, the second one lets the interrupt come again. */
static void test_split_end(void **state)
{
	(void)state;
	write_c(0, 0x0, 0x201);
	vgic_set_private(&gic.gic, 0, 1u << TIMER, 1u << TIMER);
	assert_true(vgicv2_update(&gic, 0));
	CHECK_EQ(take(0), TIMER);
	end(0, TIMER);
	CHECK_EQ(read_c(0, 0x14), 0xff);
	CHECK_EQ(take(0), NONE);
	CHECK_EQ(read_d(0, 0x300), 1u << TIMER);
	CHECK_EQ(read_d(1, 0x300), 0);
	write_c(0, 0x1000, TIMER);
	CHECK_EQ(take(0), TIMER);
	/* In the other mode it does nothing. */
	write_c(0, 0x0, 0x001);
	write_c(0, 0x1000, TIMER);
	CHECK_EQ(read_d(0, 0x300), 1u << TIMER);
}

/* What software has made pending is until it is taken or taken back; by its line it goes on. */
static void test_set_pending(void **state)
{
	(void)state;
	route(SPI, 2, 0x80);
	write_d(0, 0x204, 1u << (SPI - 32));
	assert_true(request[2]);
	write_d(1, 0x284, 1u << (SPI - 32));
	assert_false(request[2]);
	vgic_set_line(&gic.gic, SPI, true);
	write_d(0, 0x284, 1u << (SPI - 32));
	assert_true(request[2]);
	CHECK_EQ(take(2), SPI);
	/* Another CPU may deactivate it. */
	write_d(0, 0x384, 1u << (SPI - 32));
	CHECK_EQ(read_d(0, 0x304), 0);
}

/* One of several CPUs takes it, and the request to the others is taken back. */
static void test_one_of_many(void **state)
{
	(void)state;
	route(SPI, 0, 0x80);
	access(&gic.distributor, 0, 0x800 + SPI, 1, true, 0x0f);
	vgic_set_line(&gic.gic, SPI, true);
	assert_true(request[0] && request[1] && request[2] && request[3]);
	CHECK_EQ(take(2), SPI);
	assert_true(!request[0] && !request[1] && !request[2] && !request[3]);
	CHECK_EQ(take(0), NONE);
}

/* Narrow accesses reach bytes where the manual says so, and wide ones nothing. */
static void test_sizes(void **state)
{
	(void)state;
	write_d(0, 0x400 + SPI, 0x11223344);
	CHECK_EQ(access(&gic.distributor, 0, 0x400 + SPI + 1, 1, false, 0), 0x30);
	CHECK_EQ(access(&gic.distributor, 0, 0x400 + SPI + 2, 2, false, 0), 0x1020);
	CHECK_EQ(access(&gic.distributor, 0, 0x400 + SPI, 8, false, ~UINT64_C(0)), 0);
	access(&gic.distributor, 0, 0x400 + SPI, 8, true, ~UINT64_C(0));
	CHECK_EQ(read_d(0, 0x400 + SPI), 0x10203040);
	access(&gic.distributor, 0, 0x105, 1, true, 0xff);
	CHECK_EQ(read_d(0, 0x104), 0);
	CHECK_EQ(access(&gic.distributor, 0, 0x101, 1, false, 0), 0xff);
	CHECK_EQ(access(&gic.interface, 0, 0x4, 8, false, ~UINT64_C(0)), 0);
	/* A CPU that the controller has not. */
	CHECK_EQ(read_d(CPUS, 0x4), 0);
	CHECK_EQ(read_c(200, 0xc), 0);
}

static void test_uniprocessor(void **state)
{
	(void)state;
	make(1);
	start();
	write_d(0, 0x104, 1u << (SPI - 32));
	vgic_set_line(&gic.gic, SPI, true);
	CHECK_EQ(take(0), SPI);
}

static void test_fork(void **state)
{
	static struct vgicv2 child;

	(void)state;
	write_d(1, 0xf00, 1u << 16 | 5);
	vgicv2_fork(&child, &gic);
	CHECK_EQ(take(0), 1u << 10 | 5);
	assert_true(vgicv2_update(&child, 0));
	gic = child;
	CHECK_EQ(take(0), 1u << 10 | 5);
	CHECK_EQ(take(0), NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_registers, setup),    cmocka_unit_test_setup(test_level, setup),
		cmocka_unit_test_setup(test_edge, setup),         cmocka_unit_test_setup(test_masks, setup),
		cmocka_unit_test_setup(test_preemption, setup),   cmocka_unit_test_setup(test_sgi, setup),
		cmocka_unit_test_setup(test_split_end, setup),    cmocka_unit_test_setup(test_set_pending, setup),
		cmocka_unit_test_setup(test_one_of_many, setup),  cmocka_unit_test_setup(test_sizes, setup),
		cmocka_unit_test_setup(test_uniprocessor, setup), cmocka_unit_test_setup(test_fork, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

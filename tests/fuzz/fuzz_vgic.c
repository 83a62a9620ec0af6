/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The interrupt controllers that guests of AArch64 see, driven by several CPUs at once: their registers with accesses of every
 * size, lines, and what CPUs take and end. Input: a byte that chooses the version and the number of CPUs, then what the steps are
 * drawn from. The model is only what must be true at any time: nothing is delivered that is not there, and what is told to a CPU is
 * so.
 */
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "vmm/devices/vgic_relist.h"
#include "vmm/devices/vgicv2.h"
#include "vmm/devices/vgicv3.h"

#define STEPS 400
#define NONE  1023u

static struct vgicv2 v2;
static struct vgicv3 v3;
static bool told[VGIC_CPUS];
static const struct vgic_links links = { .linkable = UINT32_C(1) << 27 | UINT32_C(1) << 30 };

static void notify_v2(struct vgic *gic, unsigned cpu)
{
	CHECK(cpu < gic->cpus, "cpu %u", cpu);
	told[cpu] = v2.cpu[cpu].signalled;
}

static void notify_lists(struct vgic *gic, unsigned cpu)
{
	CHECK(cpu < gic->cpus, "cpu %u", cpu);
	told[cpu] = true;
}

static void sample_lists(struct vgic *gic, unsigned cpu)
{
	(void)vgic_unlist(gic, cpu);
	told[cpu] = true;
}

/* Registers near those that there are, mostly; aligned as a CPU's accesses to a device are. */
static uint64_t draw_access(struct host_rng *rng, uint64_t size, struct io_access *io)
{
	static const uint16_t starts[] = { 0,     0x80,  0x100, 0x180, 0x200, 0x280, 0x300,  0x380,  0x400, 0x420,
					   0x440, 0x800, 0x820, 0xc00, 0xf00, 0xf10, 0x6100, 0xffe8, 0x1000 };
	uint64_t offset =
		host_chance(rng, 90) ? starts[host_below(rng, ARRAY_LEN(starts))] + host_below(rng, 32) : host_random(rng);

	io->space = IO_MEMORY;
	io->size = (uint8_t)(1u << (host_chance(rng, 80) ? 2 : host_below(rng, 4)));
	io->write = host_chance(rng, 60);
	io->value = host_random(rng) & ~UINT64_C(0) >> (64 - 8 * io->size);
	return align_down(offset % size, io->size);
}

static void access(struct io_device *device, uint64_t offset, struct io_access *io)
{
	io->addr = device->base + offset;
	device->access(device, offset, io);
	CHECK(io->size == 8 || io->value >> 8 * io->size == 0, "%#jx in %u bytes", (uintmax_t)io->value, io->size);
}

/* --- GICv2 ------------------------------------------------------------------------------------------------------------- */

static uint32_t word(unsigned cpu, uint64_t offset, bool write, uint32_t value)
{
	struct io_access io = { .space = IO_MEMORY, .size = 4, .write = write, .vcpu = (uint8_t)cpu, .value = value };

	access(&v2.interface, offset, &io);
	return (uint32_t)io.value;
}

/* What is signalled can be taken, and nothing else; it is active then, and comes from a CPU that there is. */
static void take_v2(unsigned cpu)
{
	bool signalled = v2.cpu[cpu].signalled;
	uint32_t iar = word(cpu, 0xc, false, 0), id = iar & NONE;

	CHECK_EQ(signalled, told[cpu]);
	CHECK_EQ(iar != NONE, signalled);
	if (iar == NONE)
		return;
	CHECK(id < VGIC_INTERRUPTS && iar >> 10 < v2.gic.cpus, "%#x", iar);
	CHECK(vgic_bank(&v2.gic, cpu, id)->active >> id % 32 & 1, "%u is not active", id);
	CHECK(vgic_bank(&v2.gic, cpu, id)->enabled >> id % 32 & 1, "%u is not enabled", id);
}

/* An SGI is pending as long as somebody has sent it. */
static void check_senders(void)
{
	for (unsigned i = 0; i < v2.gic.cpus; i++)
		for (unsigned id = 0; id < VGIC_SGIS; id++)
			CHECK_EQ(v2.gic.sgis[i].pending[id] != 0, v2.gic.own[i].latched >> id & 1);
}

static void step_v2(struct host_rng *rng)
{
	struct io_access io = { .vcpu = (uint8_t)host_below(rng, v2.gic.cpus + 1) };
	unsigned cpu = (unsigned)host_below(rng, v2.gic.cpus);

	switch (host_below(rng, 6)) {
	case 0:
		take_v2(cpu);
		break;
	case 1:
		word(cpu, 0x10, true, (uint32_t)host_below(rng, 128));
		break;
	case 2:
		vgic_set_line(&v2.gic, (unsigned)host_below(rng, 128), host_chance(rng, 50));
		break;
	case 3:
		access(&v2.interface, draw_access(rng, v2.interface.size, &io), &io);
		break;
	default:
		access(&v2.distributor, draw_access(rng, v2.distributor.size, &io), &io);
		break;
	}
	check_senders();
}

/* --- List registers ---------------------------------------------------------------------------------------------------- */

/* Each interrupt is in one list register at most, and the others hold nothing that there is not. */
static void check_lists(struct vgic *gic)
{
	for (unsigned n = 0; n < gic->cpus; n++) {
		uint32_t seen[VGIC_BANKS] = { 0 };
		const struct vgic_cpu *cpu = &gic->cpu[n];

		CHECK(cpu->used <= gic->lists, "%u", cpu->used);
		for (unsigned i = 0; i < cpu->used; i++) {
			unsigned id = LR_VINTID(cpu->lr[i]);

			CHECK(id < VGIC_INTERRUPTS, "%u", id);
			CHECK(!(seen[id / 32] >> id % 32 & 1), "%u twice", id);
			seen[id / 32] |= 1u << id % 32;
			CHECK(vgic_bank(gic, n, id)->listed >> id % 32 & 1, "%u is not listed", id);
			CHECK(id < VGIC_PRIVATE || gic->holder[id - VGIC_PRIVATE] == n, "%u is another's", id);
			CHECK(!gic->senders || id >= VGIC_SGIS || (cpu->lr[i] >> LR_SENDER_SHIFT & 7) < gic->cpus, "%u is nobody's",
			      id);
			CHECK_EQ(lr_after_gich(cpu->lr[i] ^ LR_PENDING, lr_to_gich(cpu->lr[i])), cpu->lr[i]);
		}
		CHECK_EQ(seen[0], gic->own[n].listed);
	}
}

/* The CPU takes one, or ends one. */
static void deliver(struct host_rng *rng, struct vgic_cpu *cpu)
{
	uint64_t *lr;

	if (cpu->used == 0)
		return;
	lr = &cpu->lr[host_below(rng, cpu->used)];
	if (*lr & LR_PENDING && !(*lr & LR_ACTIVE))
		*lr ^= LR_PENDING | LR_ACTIVE;
	else
		*lr &= ~LR_ACTIVE;
}

/* By the shorter way, if that is one. */
static void relist(struct vgic *gic, unsigned cpu, uint32_t lines)
{
	const uint32_t timers = (uint32_t)(BIT(27) | BIT(30));
	uint64_t lr = gic->cpu[cpu].used > 0 ? gic->cpu[cpu].lr[0] : 0;
	uint32_t ended;

	if (vgic_relist(gic, cpu, lr, timers, lines & timers, &links, &ended) == RELIST_DONE)
		return;
	(void)vgic_unlist(gic, cpu);
	vgic_list(gic, cpu, timers, &links);
}

static void relist_told(struct host_rng *rng, struct vgic *gic)
{
	for (unsigned i = 0; i < gic->cpus; i++) {
		if (!told[i] && !host_chance(rng, 10))
			continue;
		relist(gic, i, (uint32_t)host_random(rng));
		told[i] = false;
	}
	check_lists(gic);
}

/* --- GICv2 with list registers ------------------------------------------------------------------------------------------ */

static void step_v2_lists(struct host_rng *rng)
{
	unsigned cpu = (unsigned)host_below(rng, v2.gic.cpus);
	struct io_access io = { .vcpu = (uint8_t)host_below(rng, v2.gic.cpus + 1) };

	switch (host_below(rng, 8)) {
	case 0:
	case 1:
		deliver(rng, &v2.gic.cpu[cpu]);
		break;
	case 2:
		vgic_set_line(&v2.gic, (unsigned)host_below(rng, 128), host_chance(rng, 50));
		break;
	case 3:
		vgicv2_send(&v2, cpu, (uint32_t)host_random(rng));
		break;
	case 4:
		sample_lists(&v2.gic, cpu);
		vgic_end_unlisted(&v2.gic, cpu, (unsigned)host_below(rng, 32));
		vgic_offer(&v2.gic, cpu);
		break;
	case 5:
		access(&v2.interface, host_chance(rng, 50) ? 0x1000 : draw_access(rng, v2.interface.size, &io), &io);
		break;
	default:
		access(&v2.distributor, draw_access(rng, v2.distributor.size, &io), &io);
		break;
	}
	relist_told(rng, &v2.gic);
	check_senders();
}

/* --- GICv3 ------------------------------------------------------------------------------------------------------------- */

static void step_v3(struct host_rng *rng)
{
	unsigned cpu = (unsigned)host_below(rng, v3.gic.cpus);
	struct io_access io = { .vcpu = (uint8_t)cpu };
	uint64_t offset;

	switch (host_below(rng, 9)) {
	case 0:
	case 1:
		deliver(rng, &v3.gic.cpu[cpu]);
		break;
	case 2:
		vgic_set_line(&v3.gic, (unsigned)host_below(rng, 128), host_chance(rng, 50));
		break;
	case 3:
		vgicv3_send(&v3, cpu, (unsigned)host_below(rng, 2),
			    host_random(rng) & (host_chance(rng, 90) ? 0x1000f00ffff : ~UINT64_C(0)));
		break;
	case 4:
		sample_lists(&v3.gic, cpu);
		vgic_end_unlisted(&v3.gic, cpu, (unsigned)host_below(rng, 32));
		vgicv3_deactivate(&v3, cpu, host_below(rng, 128));
		break;
	case 5:
		offset = draw_access(rng, 0x20000, &io) | (host_chance(rng, 80) ? 0x10000 : 0);
		access(&v3.redistributors, host_below(rng, v3.gic.cpus) * 0x20000 + offset, &io);
		break;
	default:
		access(&v3.distributor, draw_access(rng, v3.distributor.size, &io), &io);
		break;
	}
	relist_told(rng, &v3.gic);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct host_rng rng;
	unsigned lists;

	if (size < 2)
		return 0;
	rng = host_rng_of_bytes(data + 1, size - 1);
	memset(told, 0, sizeof(told));
	lists = data[0] / 32 * 2 + 1;
	vgicv2_init(&v2, data[0] / 4 % VGICV2_CPUS + 1, data[0] & 2 ? lists : 0, 0x8000000, 0x8010000);
	v2.gic.notify = data[0] & 2 ? notify_lists : notify_v2;
	v2.gic.sample = data[0] & 2 ? sample_lists : NULL;
	vgicv3_init(&v3, data[0] / 2 % VGIC_CPUS + 1, lists, 0x8000000, 0x80a0000);
	v3.gic.notify = notify_lists;
	v3.gic.sample = sample_lists;
	for (unsigned i = 0; i < STEPS && !host_rng_spent(&rng); i++) {
		if (data[0] & 1)
			step_v3(&rng);
		else if (data[0] & 2)
			step_v2_lists(&rng);
		else
			step_v2(&rng);
	}
	return 0;
}

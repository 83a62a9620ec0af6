/* SPDX-License-Identifier: BSD-2-Clause */
/* Distributor and redistributors of a virtual GICv3. There is one Security state (GICD_CTLR.DS), and no LPIs. */
#include "vmm/devices/vgicv3_registers.h"

/* What each interrupt has besides is vgic_access's, in the distributor and in the redistributors' second frame alike. */
enum {
	GICD_CTLR = 0x0000,
	GICD_TYPER = 0x0004,
	GICD_IIDR = 0x0008,
	GICD_IROUTER = 0x6000, /* from here on 8 bytes for each interrupt, those of SPIs only */
	GICD_IROUTER_END = 0x8000,
	GIC_PIDR2 = 0xffe8,
};
enum {
	GICR_CTLR = 0x0000,
	GICR_IIDR = 0x0004,
	GICR_TYPER = 0x0008,
	GICR_WAKER = 0x0014,
	GICR_FRAME = 0x10000,
};

#define CTLR_ENABLES    0x3u
#define CTLR_ARE        BIT(4)
#define CTLR_DS         BIT(6)
#define TYPER_ID_BITS   (9u << 19) /* ten of them */
#define TYPER_NO_1_OF_N BIT(25)
#define IIDR_ARM        0x43bu
#define PIDR2_V3        0x3bu
#define ROUTER_BITS     (BITS(39, 32) | BITS(23, 0))
#define WAKER_SLEEP     BIT(1)
#define WAKER_ASLEEP    BIT(2)
#define GICR_TYPER_LAST BIT(4)

/* Words, of which a read may take a part, and a write must not. */
static void access_word(struct io_access *io, uint64_t offset, uint32_t value)
{
	if (!io->write)
		vgic_give_word(io, offset, value);
}

static bool is_word_write(const struct io_access *io, uint64_t offset)
{
	return io->write && io->size == 4 && offset % 4 == 0;
}

/*
 * What list registers hold is needed for reads of GICD_ISPENDR to GICD_ICACTIVER only: what is written of them is noted, and the
 * CPU lists anew where it matters (vgic_changed).
 */
static void before_access(struct vgicv3 *gic, uint64_t offset, const struct io_access *io)
{
	if (!io->write && offset >= 0x200 && offset < 0x400 && gic->gic.sample)
		gic->gic.sample(&gic->gic, io->vcpu);
}

/* --- Distributor ------------------------------------------------------------------------------------------------------ */

/* "GICD_IROUTER<n>": an affinity that no CPU has stands for none. 64 bits, or either half of them. */
static void access_router(struct vgicv3 *gic, uint64_t offset, struct io_access *io)
{
	unsigned i = (unsigned)(offset - GICD_IROUTER) / 8 - VGIC_PRIVATE, shift = 8 * (unsigned)(offset % 8), touched;
	uint64_t mask = ~UINT64_C(0) >> (64 - 8 * io->size), *router;

	if (i >= ARRAY_LEN(gic->router) || offset % io->size != 0)
		return;
	router = &gic->router[i];
	if (!io->write) {
		io->value = *router >> shift & mask;
		return;
	}
	if (io->size < 4)
		return;
	*router = ((*router & ~(mask << shift)) | io->value << shift) & ROUTER_BITS;
	touched = gic->gic.targets[i] | 1u << gic->gic.holder[i];
	gic->gic.targets[i] = (uint16_t)(*router < gic->gic.cpus ? 1u << *router : 0);
	vgic_changed(&gic->gic, touched | gic->gic.targets[i]);
}

static uint32_t read_distributor(const struct vgicv3 *gic, uint64_t offset)
{
	switch (offset) {
	case GICD_CTLR:
		return gic->gic.ctlr | (uint32_t)(CTLR_ARE | CTLR_DS);
	case GICD_TYPER:
		return (VGIC_BANKS - 1) | TYPER_ID_BITS | (uint32_t)TYPER_NO_1_OF_N;
	case GICD_IIDR:
		return IIDR_ARM;
	case GIC_PIDR2:
		return PIDR2_V3;
	default:
		return 0;
	}
}

static void access_distributor(struct io_device *device, uint64_t offset, struct io_access *io)
{
	struct vgicv3 *gic = CONTAINER_OF(device, struct vgicv3, distributor);

	before_access(gic, offset, io);
	if (!io->write)
		io->value = 0;
	if (offset >= GICD_IROUTER && offset < GICD_IROUTER_END) {
		access_router(gic, offset, io);
		return;
	}
	if (io->size > 4 || vgic_access(&gic->gic, io->vcpu, 1, VGIC_BANKS, offset, io))
		return;
	access_word(io, offset, read_distributor(gic, align_down(offset, 4)));
	if (is_word_write(io, offset) && offset == GICD_CTLR) {
		gic->gic.ctlr = (uint32_t)io->value & CTLR_ENABLES;
		vgic_changed(&gic->gic, (1u << gic->gic.cpus) - 1);
	}
}

/* --- Redistributors --------------------------------------------------------------------------------------------------- */

/* The CPU's affinity, which is its number, and that number; the last one says so. */
static uint64_t typer(const struct vgicv3 *gic, unsigned cpu)
{
	return (uint64_t)cpu << 32 | (uint64_t)cpu << 8 | (cpu == gic->gic.cpus - 1 ? GICR_TYPER_LAST : 0);
}

static uint32_t read_redistributor(const struct vgicv3 *gic, unsigned cpu, uint64_t offset)
{
	switch (offset) {
	case GICR_IIDR:
		return IIDR_ARM;
	case GICR_TYPER:
		return (uint32_t)typer(gic, cpu);
	case GICR_TYPER + 4:
		return (uint32_t)(typer(gic, cpu) >> 32);
	case GICR_WAKER:
		return gic->awake[cpu] ? 0 : (uint32_t)(WAKER_SLEEP | WAKER_ASLEEP);
	case GIC_PIDR2:
		return PIDR2_V3;
	default:
		return 0;
	}
}

static void access_control(struct vgicv3 *gic, unsigned cpu, uint64_t offset, struct io_access *io)
{
	if (!io->write && io->size == 8 && offset == GICR_TYPER)
		io->value = typer(gic, cpu);
	if (io->size > 4)
		return;
	access_word(io, offset, read_redistributor(gic, cpu, align_down(offset, 4)));
	if (is_word_write(io, offset) && offset == GICR_WAKER)
		gic->awake[cpu] = !(io->value & WAKER_SLEEP);
}

static void access_redistributors(struct io_device *device, uint64_t offset, struct io_access *io)
{
	struct vgicv3 *gic = CONTAINER_OF(device, struct vgicv3, redistributors);
	unsigned cpu = (unsigned)(offset / VGICV3_GICR_BYTES);

	before_access(gic, offset % GICR_FRAME, io);
	if (!io->write)
		io->value = 0;
	offset %= VGICV3_GICR_BYTES;
	if (offset < GICR_FRAME)
		access_control(gic, cpu, offset, io);
	else if (io->size <= 4)
		(void)vgic_access(&gic->gic, cpu, 0, 1, offset - GICR_FRAME, io);
}

void vgicv3_attach(struct vgicv3 *gic, uint64_t gicd, uint64_t gicr)
{
	gic->distributor = (struct io_device){
		.space = IO_MEMORY,
		.base = gicd,
		.size = VGICV3_GICD_BYTES,
		.access = access_distributor,
	};
	gic->redistributors = (struct io_device){
		.space = IO_MEMORY,
		.base = gicr,
		.size = VGICV3_GICR_BYTES * (uint64_t)gic->gic.cpus,
		.access = access_redistributors,
	};
}

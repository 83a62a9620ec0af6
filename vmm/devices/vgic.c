/* SPDX-License-Identifier: BSD-2-Clause */
/* The state of a virtual GIC's interrupts, and the registers that show it. */
#include "vmm/devices/vgic.h"

#include "include/types.h"

/* Each has a bit for each interrupt, 32 words at most. */
enum {
	GICD_IGROUPR = 0x080,
	GICD_ISENABLER = 0x100,
	GICD_ICENABLER = 0x180,
	GICD_ISPENDR = 0x200,
	GICD_ICPENDR = 0x280,
	GICD_ISACTIVER = 0x300,
	GICD_ICACTIVER = 0x380,
	GICD_IPRIORITYR = 0x400,
	GICD_IPRIORITYR_END = 0x800,
	GICD_ICFGR = 0xc00,
	GICD_ICFGR_END = 0xd00,
};
#define BITMAP_BYTES 0x80u

void vgic_init(struct vgic *gic, unsigned cpus, unsigned lists)
{
	*gic = (struct vgic){ .cpus = cpus, .lists = lists };
	for (unsigned i = 0; i < ARRAY_LEN(gic->own); i++)
		gic->own[i].edge = BITS(VGIC_SGIS - 1, 0);
}

void vgic_changed(struct vgic *gic, unsigned cpus)
{
	for (; cpus != 0; cpus &= cpus - 1)
		gic->changed(gic, (unsigned)__builtin_ctz(cpus));
}

void vgic_set_line(struct vgic *gic, unsigned id, bool level)
{
	uint32_t bit = 1u << id % 32;

	if (id < VGIC_PRIVATE || id >= VGIC_INTERRUPTS)
		return;
	vgic_set_level(vgic_bank(gic, 0, id), bit, level ? bit : 0);
	vgic_changed(gic, gic->targets[id - VGIC_PRIVATE]);
}

/* --- Which one is next ---------------------------------------------------------------------------------------------- */

/* The better of `best` and those of a bank, each as its priority and, below that, its number. */
static inline unsigned better(const struct vgic *gic, const struct vgic_bank *bank, unsigned cpu, unsigned first, unsigned best)
{
	for (uint32_t left = vgic_ready(gic, bank); left != 0; left &= left - 1) {
		unsigned i = (unsigned)__builtin_ctz(left), one = (unsigned)bank->priority[i] << 16 | (first + i);

		if (one < best && (first < VGIC_PRIVATE || gic->targets[first - VGIC_PRIVATE + i] >> cpu & 1))
			best = one;
	}
	return best;
}

unsigned vgic_best(const struct vgic *gic, unsigned cpu, unsigned *priority)
{
	unsigned best = VGIC_PRIORITY_IDLE << 16 | VGIC_NONE;

	best = better(gic, &gic->own[cpu], cpu, 0, best);
	best = better(gic, &gic->shared[0], cpu, 32, best);
	best = better(gic, &gic->shared[1], cpu, 64, best);
	*priority = best >> 16;
	return best & 0xffff;
}
_Static_assert(VGIC_BANKS == 3, "vgic_best");

/* --- Registers ------------------------------------------------------------------------------------------------------ */

void vgic_give_word(struct io_access *io, uint64_t offset, uint32_t word)
{
	io->value = (uint64_t)word >> 8 * (offset & 3) & ~UINT64_C(0) >> (64 - 8 * io->size);
}

/* Who may get the interrupts of a word with these bits. */
static unsigned targets_of(const struct vgic *gic, unsigned cpu, unsigned bank, uint32_t bits)
{
	unsigned targets = 0;

	if (bank == 0)
		return 1u << cpu;
	for (; bits != 0; bits &= bits - 1) {
		unsigned i = (unsigned)__builtin_ctz(bits);

		targets |= gic->targets[32 * (bank - 1) + i];
		if (gic->shared[bank - 1].listed >> i & 1)
			targets |= 1u << gic->holder[32 * (bank - 1) + i];
	}
	return targets;
}

static uint32_t read_bitmap(const struct vgic_bank *bank, unsigned kind)
{
	switch (kind) {
	case GICD_IGROUPR:
		return bank->group1;
	case GICD_ISENABLER:
	case GICD_ICENABLER:
		return bank->enabled;
	case GICD_ISPENDR:
	case GICD_ICPENDR:
		return bank->latched | (bank->level & ~bank->edge);
	default: /* what is listed is taken for active, until its CPU has been asked */
		return bank->active | bank->listed;
	}
}

/* IHI 0048, 4.3.7: what is pending by its level stays so. */
static void write_bitmap(struct vgic_bank *bank, unsigned kind, uint32_t bits, uint32_t fixed_pending)
{
	switch (kind) {
	case GICD_ISENABLER:
		bank->enabled |= bits;
		break;
	case GICD_ICENABLER:
		bank->enabled &= ~bits;
		break;
	case GICD_ISPENDR:
		bank->latched |= bits & ~fixed_pending;
		break;
	case GICD_ICPENDR:
		bank->latched &= ~bits | fixed_pending;
		bank->dropped_pending |= bits & bank->listed;
		break;
	case GICD_ISACTIVER:
		bank->active |= bits;
		break;
	case GICD_ICACTIVER:
		bank->active &= ~bits;
		bank->dropped_active |= bits & bank->listed;
		break;
	}
}

static void access_bitmap(struct vgic *gic, unsigned cpu, unsigned n, unsigned kind, uint64_t offset, struct io_access *io)
{
	struct vgic_bank *bank = vgic_bank(gic, cpu, 32 * n);
	uint32_t bits = (uint32_t)io->value;

	if (!io->write) {
		vgic_give_word(io, offset, read_bitmap(bank, kind));
		vgic_changed(gic, bank->listed ? targets_of(gic, cpu, n, bank->listed) : 0);
		return;
	}
	if (io->size != 4 || offset % 4 != 0)
		return;
	if (kind == GICD_IGROUPR && gic->groups) {
		bits ^= bank->group1;
		bank->group1 ^= bits;
	} else {
		write_bitmap(bank, kind, bits, n == 0 ? gic->fixed_pending : 0);
	}
	vgic_changed(gic, targets_of(gic, cpu, n, bits));
}

static void access_priorities(struct vgic *gic, unsigned cpu, unsigned id, struct io_access *io)
{
	struct vgic_bank *bank = vgic_bank(gic, cpu, id);
	uint32_t bits = 0;

	for (unsigned i = 0; i < io->size && i + id % 32 < 32; i++) {
		uint8_t *priority = &bank->priority[(id + i) % 32];

		if (io->write)
			*priority = vgic_byte_of(io, i) & VGIC_PRIORITY_MASK;
		else
			vgic_put_byte(io, i, *priority);
		bits |= 1u << (id + i) % 32;
	}
	if (io->write)
		vgic_changed(gic, targets_of(gic, cpu, id / 32, bits));
}

/* Of each pair of bits the upper one says "by edge". Only an SPI's can be changed. */
static void access_config(struct vgic *gic, unsigned cpu, unsigned id, uint64_t offset, struct io_access *io)
{
	struct vgic_bank *bank = vgic_bank(gic, cpu, id);
	uint32_t half = bank->edge >> id % 32, word = 0;

	for (unsigned i = 0; i < 16; i++)
		word |= (half >> i & 1) << (2 * i + 1);
	if (!io->write) {
		vgic_give_word(io, offset, word);
		return;
	}
	if (io->size != 4 || offset % 4 != 0 || id < VGIC_PRIVATE)
		return;
	half = 0;
	for (unsigned i = 0; i < 16; i++)
		half |= (uint32_t)(io->value >> (2 * i + 1) & 1) << i;
	bank->edge = (bank->edge & ~(UINT32_C(0xffff) << id % 32)) | half << id % 32;
	vgic_changed(gic, targets_of(gic, cpu, id / 32, UINT32_C(0xffff) << id % 32));
}

bool vgic_access(struct vgic *gic, unsigned cpu, unsigned first, unsigned end, uint64_t offset, struct io_access *io)
{
	unsigned bank;

	if (!io->write)
		io->value = 0;
	if (offset >= GICD_IGROUPR && offset < GICD_IPRIORITYR) {
		bank = (unsigned)(offset % BITMAP_BYTES) / 4;
		if (bank >= first && bank < end)
			access_bitmap(gic, cpu, bank, (unsigned)offset & ~(BITMAP_BYTES - 1), offset, io);
	} else if (offset >= GICD_IPRIORITYR && offset < GICD_IPRIORITYR_END) {
		bank = (unsigned)(offset - GICD_IPRIORITYR) / 32;
		if (bank >= first && bank < end)
			access_priorities(gic, cpu, (unsigned)(offset - GICD_IPRIORITYR), io);
	} else if (offset >= GICD_ICFGR && offset < GICD_ICFGR_END) {
		bank = (unsigned)(offset - GICD_ICFGR) / 8;
		if (bank >= first && bank < end)
			access_config(gic, cpu, (unsigned)(offset - GICD_ICFGR) / 4 * 16, offset, io);
	} else {
		return false;
	}
	return true;
}

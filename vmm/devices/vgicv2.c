/* SPDX-License-Identifier: BSD-2-Clause */
/* The registers of a virtual GICv2, and what it signals to its CPUs. */
#include "vmm/devices/vgicv2.h"

#include "vmm/devices/vgic_lists.h"

/* 4.1.2 "Distributor register map"; what each interrupt has is vgic_access's. */
enum {
	GICD_CTLR = 0x000,
	GICD_TYPER = 0x004,
	GICD_IIDR = 0x008,
	GICD_ISPENDR = 0x200,
	GICD_IPRIORITYR = 0x400,
	GICD_ITARGETSR = 0x800,
	GICD_ITARGETSR_END = 0xc00,
	GICD_CPENDSGIR = 0xf10,
	GICD_SPENDSGIR = 0xf20,
	GICD_SPENDSGIR_END = 0xf30,
	GICD_ICPIDR2 = 0xfe8,
};
/* 4.1.3 "CPU interface register map" */
enum {
	GICC_CTLR = 0x0000,
	GICC_PMR = 0x0004,
	GICC_BPR = 0x0008,
	GICC_RPR = 0x0014,
	GICC_HPPIR = 0x0018,
	GICC_ABPR = 0x001c,
	GICC_AIAR = 0x0020,
	GICC_AHPPIR = 0x0028,
	GICC_APR0 = 0x00d0,
	GICC_IIDR = 0x00fc,
	GICC_DIR = 0x1000,
};

#define CTLR_ENABLE   0x1u
#define CTLR_EOIMODE  0x200u
#define IIDR_ARM      0x43bu
#define GICC_IIDR_V2  0x20000u
#define ICPIDR2_V2    0x2bu
#define IAR_ID        0x3ffu
#define IAR_CPU_SHIFT 10
#define PMR_IDLE      0xffu
#define BPR_LEAST     2u /* five bits of priority are group priority at most */
#define BPR_MOST      7u
#define SGIR_ID       0xfu
#define APR_SHIFT     (8 - VGIC_PRIORITY_BITS)

/* --- What is signalled ---------------------------------------------------------------------------------------------- */

/* 3.3.1: the part of a priority by which one interrupt preempts another. */
static unsigned group_priority(const struct vgicv2_cpu *cpu, unsigned priority)
{
	return priority & 0xffu << (cpu->bpr + 1);
}

static unsigned running_priority(const struct vgicv2_cpu *cpu)
{
	return cpu->apr ? (unsigned)__builtin_ctz(cpu->apr) << APR_SHIFT : PMR_IDLE;
}

/* The interrupt that the CPU would take now. */
static unsigned deliverable(const struct vgicv2 *gic, unsigned n, unsigned *priority)
{
	const struct vgicv2_cpu *cpu = &gic->cpu[n];
	unsigned id = cpu->ctlr & CTLR_ENABLE ? vgic_best(&gic->gic, n, priority) : VGIC_NONE;

	if (id == VGIC_NONE || *priority >= cpu->pmr || (cpu->apr && group_priority(cpu, *priority) >= running_priority(cpu)))
		return VGIC_NONE;
	return id;
}

bool vgicv2_update(struct vgicv2 *gic, unsigned n)
{
	struct vgicv2_cpu *cpu = &gic->cpu[n];

	cpu->next = deliverable(gic, n, &cpu->priority);
	return cpu->signalled = cpu->next != VGIC_NONE;
}

static void changed(struct vgic *common, unsigned n)
{
	struct vgicv2 *gic = vgicv2_of(common);
	bool before = gic->cpu[n].signalled;

	if (vgicv2_update(gic, n) != before)
		common->notify(common, n);
}

static void changed_lists(struct vgic *gic, unsigned n)
{
	if (vgic_has_to_list(gic, n))
		gic->notify(gic, n);
}

/* --- CPU interface --------------------------------------------------------------------------------------------------- */

/* An SGI comes with the CPU that sent it: of several, the first. */
static uint32_t with_sender(const struct vgic_senders *sgis, unsigned id)
{
	if (id >= VGIC_SGIS || sgis->pending[id] == 0)
		return id;
	return id | (uint32_t)__builtin_ctz(sgis->pending[id]) << IAR_CPU_SHIFT;
}

/* The other CPUs that a shared interrupt may go to, when it has become active, or is no more. */
static void tell_others(struct vgicv2 *gic, unsigned n, unsigned id)
{
	if (id >= VGIC_PRIVATE)
		vgic_changed(&gic->gic, gic->gic.targets[id - VGIC_PRIVATE] & ~(1u << n));
}

/*
 * "GICC_IAR": what is pending by its line stays pending as long as that is high. What has no higher priority than this one, which
 * is all, is not signalled until its end.
 */
uint32_t vgicv2_acknowledge(struct vgicv2 *gic, unsigned n)
{
	struct vgicv2_cpu *cpu = &gic->cpu[n];
	uint8_t *senders = gic->gic.sgis[n].pending;
	unsigned id = cpu->next;
	uint32_t iar, bit = 1u << id % 32;
	struct vgic_bank *bank;

	if (!cpu->signalled)
		return VGIC_NONE;
	iar = with_sender(&gic->gic.sgis[n], id);
	bank = vgic_bank(&gic->gic, n, id);
	cpu->apr |= 1u << (group_priority(cpu, cpu->priority) >> APR_SHIFT);
	cpu->signalled = false;
	bank->active |= bit;
	if (id < VGIC_SGIS)
		senders[id] &= (uint8_t)(senders[id] - 1);
	if (id >= VGIC_SGIS || senders[id] == 0)
		bank->latched &= ~bit;
	tell_others(gic, n, id);
	return iar;
}

static void deactivate(struct vgicv2 *gic, unsigned n, unsigned id)
{
	vgic_bank(&gic->gic, n, id)->active &= ~(1u << id % 32);
	tell_others(gic, n, id);
}

/* "GICC_EOIR": the highest of the active priorities is dropped, whichever interrupt is named. */
void vgicv2_end(struct vgicv2 *gic, unsigned n, uint32_t value)
{
	struct vgicv2_cpu *cpu = &gic->cpu[n];
	unsigned id = value & IAR_ID;

	if (id < VGIC_INTERRUPTS) {
		cpu->apr &= cpu->apr - 1;
		if (!(cpu->ctlr & CTLR_EOIMODE))
			deactivate(gic, n, id);
	}
	vgicv2_update(gic, n);
}

/* As an access does it that is served like others: `notify` is called for the CPU itself, too. */
static uint32_t read_iar(struct vgicv2 *gic, unsigned n)
{
	uint32_t iar;

	changed(&gic->gic, n);
	iar = vgicv2_acknowledge(gic, n);
	if (iar != VGIC_NONE)
		gic->gic.notify(&gic->gic, n);
	return iar;
}

static void write_eoir(struct vgicv2 *gic, unsigned n, uint32_t value)
{
	bool before = gic->cpu[n].signalled;

	vgicv2_end(gic, n, value);
	if (gic->cpu[n].signalled != before)
		gic->gic.notify(&gic->gic, n);
}

static uint32_t read_interface(struct vgicv2 *gic, unsigned n, uint64_t offset)
{
	const struct vgicv2_cpu *cpu = &gic->cpu[n];
	unsigned priority;

	switch (offset) {
	case GICC_CTLR:
		return cpu->ctlr;
	case GICC_PMR:
		return cpu->pmr;
	case GICC_BPR:
		return cpu->bpr;
	case GICC_IAR:
		return read_iar(gic, n);
	case GICC_RPR:
		return running_priority(cpu);
	case GICC_HPPIR:
		return with_sender(&gic->gic.sgis[n], vgic_best(&gic->gic, n, &priority));
	case GICC_ABPR:
		return cpu->abpr;
	case GICC_AIAR: /* of group 1, in which none is */
	case GICC_AHPPIR:
		return VGIC_NONE;
	case GICC_APR0:
		return cpu->apr;
	case GICC_IIDR:
		return GICC_IIDR_V2 | IIDR_ARM;
	default:
		return 0;
	}
}

static uint32_t binary_point(uint32_t value, uint32_t least)
{
	value &= BPR_MOST;
	return value < least ? least : value;
}

static void write_interface(struct vgicv2 *gic, unsigned n, uint64_t offset, uint32_t value)
{
	struct vgicv2_cpu *cpu = &gic->cpu[n];

	switch (offset) {
	case GICC_CTLR:
		cpu->ctlr = value & (CTLR_ENABLE | CTLR_EOIMODE);
		break;
	case GICC_PMR:
		cpu->pmr = value & VGIC_PRIORITY_MASK;
		break;
	case GICC_BPR:
		cpu->bpr = binary_point(value, BPR_LEAST);
		break;
	case GICC_EOIR:
		write_eoir(gic, n, value);
		return;
	case GICC_ABPR:
		cpu->abpr = binary_point(value, BPR_LEAST + 1);
		return;
	case GICC_APR0:
		cpu->apr = value;
		break;
	case GICC_DIR:
		if (cpu->ctlr & CTLR_EOIMODE && (value & IAR_ID) < VGIC_INTERRUPTS)
			deactivate(gic, n, value & IAR_ID);
		break;
	default:
		return;
	}
	changed(&gic->gic, n);
}

static void sample(struct vgicv2 *gic, unsigned n)
{
	if (gic->gic.sample)
		gic->gic.sample(&gic->gic, n);
}

/* What the CPU's own interface leaves to be done. */
static void access_rest(struct vgicv2 *gic, unsigned n, uint64_t offset, struct io_access *io)
{
	if (!io->write) {
		io->value = 0;
	} else if (offset == GICC_DIR && io->size == 4) {
		sample(gic, n);
		vgic_deactivate(&gic->gic, n, (uint32_t)io->value & IAR_ID);
	}
}

/* Registers are words: others than whole ones are not written. */
static void access_interface(struct io_device *device, uint64_t offset, struct io_access *io)
{
	struct vgicv2 *gic = CONTAINER_OF(device, struct vgicv2, interface);
	unsigned n = io->vcpu;

	if (n >= gic->gic.cpus || io->size > 4) {
		if (!io->write)
			io->value = 0;
		return;
	}
	if (gic->gic.lists > 0) {
		access_rest(gic, n, offset, io);
		return;
	}
	sample(gic, n);
	if (!io->write)
		vgic_give_word(io, offset, read_interface(gic, n, align_down(offset, 4)));
	else if (io->size == 4 && offset % 4 == 0)
		write_interface(gic, n, offset, (uint32_t)io->value);
}

/* --- Distributor ----------------------------------------------------------------------------------------------------- */

static unsigned all_cpus(const struct vgicv2 *gic)
{
	return (1u << gic->gic.cpus) - 1;
}

static void send_to(struct vgicv2 *gic, unsigned from, unsigned targets, unsigned id)
{
	targets &= all_cpus(gic);
	for (unsigned left = targets; left != 0; left &= left - 1) {
		unsigned n = (unsigned)__builtin_ctz(left);

		gic->gic.sgis[n].pending[id] |= (uint8_t)(1u << from);
		gic->gic.own[n].latched |= 1u << id;
	}
	vgic_changed(&gic->gic, targets);
}

/* "GICD_SGIR" */
void vgicv2_send(struct vgicv2 *gic, unsigned from, uint32_t value)
{
	const unsigned targets[] = { value >> 16 & 0xff, ~(1u << from), 1u << from, 0 };

	send_to(gic, from, targets[value >> 24 & 3], value & SGIR_ID);
}

/* "GICD_CPENDSGIRn", "GICD_SPENDSGIRn": a byte for each SGI, with a bit for each CPU that has sent it. */
static void access_senders(struct vgicv2 *gic, unsigned n, bool set, unsigned first, struct io_access *io)
{
	uint8_t *senders = gic->gic.sgis[n].pending;

	for (unsigned i = 0; i < io->size && first + i < VGIC_SGIS; i++) {
		unsigned id = first + i;
		uint8_t bits = vgic_byte_of(io, i) & (uint8_t)all_cpus(gic);

		if (!io->write) {
			vgic_put_byte(io, i, senders[id]);
			continue;
		}
		senders[id] = set ? senders[id] | bits : senders[id] & (uint8_t)~bits;
		gic->gic.own[n].latched &= ~(1u << id);
		gic->gic.own[n].latched |= senders[id] ? 1u << id : 0;
	}
	if (io->write)
		gic->gic.changed(&gic->gic, n);
}

/* "GICD_ITARGETSRn": a CPU reads of its own interrupts which CPU it is. */
static void access_targets(struct vgicv2 *gic, unsigned n, unsigned first, struct io_access *io)
{
	unsigned touched = 0;

	for (unsigned i = 0; i < io->size && first + i < VGIC_INTERRUPTS; i++) {
		unsigned id = first + i;
		uint16_t *target = &gic->gic.targets[id < VGIC_PRIVATE ? 0 : id - VGIC_PRIVATE];

		if (!io->write) {
			vgic_put_byte(io, i, (uint8_t)(id < VGIC_PRIVATE ? 1u << n : *target));
		} else if (id >= VGIC_PRIVATE) {
			touched |= *target | 1u << gic->gic.holder[id - VGIC_PRIVATE];
			*target = vgic_byte_of(io, i) & (uint16_t)all_cpus(gic);
			touched |= *target;
		}
	}
	vgic_changed(&gic->gic, touched);
}

static uint32_t read_distributor(const struct vgicv2 *gic, uint64_t offset)
{
	switch (offset) {
	case GICD_CTLR:
		return gic->gic.ctlr;
	case GICD_TYPER:
		return (VGIC_BANKS - 1) | (gic->gic.cpus - 1) << 5;
	case GICD_IIDR:
		return IIDR_ARM;
	case GICD_ICPIDR2:
		return ICPIDR2_V2;
	default:
		return 0;
	}
}

static void write_distributor(struct vgicv2 *gic, unsigned n, uint64_t offset, uint32_t value)
{
	if (offset == GICD_SGIR) {
		vgicv2_send(gic, n, value);
	} else if (offset == GICD_CTLR) {
		gic->gic.ctlr = value & CTLR_ENABLE;
		vgic_changed(&gic->gic, all_cpus(gic));
	}
}

static void access_words(struct vgicv2 *gic, unsigned n, uint64_t offset, struct io_access *io)
{
	if (!io->write)
		vgic_give_word(io, offset, read_distributor(gic, align_down(offset, 4)));
	else if (io->size == 4 && offset % 4 == 0)
		write_distributor(gic, n, offset, (uint32_t)io->value);
}

/* What list registers hold is needed for what is pending and active; else who changes that notes it. */
static void before_access(struct vgicv2 *gic, unsigned n, uint64_t offset, const struct io_access *io)
{
	bool state = !io->write && offset >= GICD_ISPENDR && offset < GICD_IPRIORITYR;

	if (gic->gic.lists == 0 || state || (offset >= GICD_CPENDSGIR && offset < GICD_SPENDSGIR_END))
		sample(gic, n);
}

static void access_distributor(struct io_device *device, uint64_t offset, struct io_access *io)
{
	struct vgicv2 *gic = CONTAINER_OF(device, struct vgicv2, distributor);
	unsigned n = io->vcpu;

	if (!io->write)
		io->value = 0;
	if (n >= gic->gic.cpus || io->size > 4)
		return;
	before_access(gic, n, offset, io);
	if (vgic_access(&gic->gic, n, 0, VGIC_BANKS, offset, io))
		return;
	if (offset >= GICD_ITARGETSR && offset < GICD_ITARGETSR_END)
		access_targets(gic, n, (unsigned)(offset - GICD_ITARGETSR), io);
	else if (offset >= GICD_CPENDSGIR && offset < GICD_SPENDSGIR)
		access_senders(gic, n, false, (unsigned)(offset - GICD_CPENDSGIR), io);
	else if (offset >= GICD_SPENDSGIR && offset < GICD_SPENDSGIR_END)
		access_senders(gic, n, true, (unsigned)(offset - GICD_SPENDSGIR), io);
	else
		access_words(gic, n, offset, io);
}

/* --- Made ------------------------------------------------------------------------------------------------------------ */

static void attach(struct vgicv2 *gic, uint64_t gicd, uint64_t gicc)
{
	gic->distributor = (struct io_device){
		.space = IO_MEMORY,
		.base = gicd,
		.size = VGICV2_GICD_BYTES,
		.access = access_distributor,
	};
	gic->interface = (struct io_device){
		.space = IO_MEMORY,
		.base = gicc,
		.size = VGICV2_GICC_BYTES,
		.access = access_interface,
	};
}

void vgicv2_init(struct vgicv2 *gic, unsigned cpus, unsigned lists, uint64_t gicd, uint64_t gicc)
{
	*gic = (struct vgicv2){ 0 };
	vgic_init(&gic->gic, cpus, lists);
	gic->gic.changed = lists > 0 ? changed_lists : changed;
	gic->gic.senders = true;
	gic->gic.fixed_pending = BITS(VGIC_SGIS - 1, 0);
	for (unsigned i = 0; i < cpus; i++) {
		gic->cpu[i].bpr = BPR_LEAST;
		gic->cpu[i].abpr = BPR_LEAST + 1;
	}
	/* With one CPU there is nobody else to go to. */
	for (unsigned i = 0; i < ARRAY_LEN(gic->gic.targets) && cpus == 1; i++)
		gic->gic.targets[i] = 1;
	attach(gic, gicd, gicc);
}

void vgicv2_fork(struct vgicv2 *child, const struct vgicv2 *parent)
{
	*child = *parent;
	attach(child, parent->distributor.base, parent->interface.base);
}

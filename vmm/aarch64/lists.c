/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * List registers of a GICv3 or a GICv2, by which the CPU delivers a guest's interrupts by itself: list_registers.h. Source: GIC
 * Architecture Specification, versions 3 and 4 (IHI 0069), 6.3 "Operation of the virtual CPU interface".
 */
#include "include/arch/virt.h"

#include "drivers/aarch64/guest_timers.h"
#include "vmm/aarch64/aarch64.h"
#include "vmm/aarch64/list_registers.h"
#include "vmm/devices/vgic_relist.h"

/* Set on the first CPU; constant afterwards. */
unsigned lists_number;        /* 0: there are none */
uint64_t lists_gicv;          /* 0: they are a GICv3's, if there are any */
static uint64_t gich;         /* the same */
static unsigned ap_registers; /* of each group; of a GICv3 */
/* The machine's interrupts that a guest's are linked to. */
static struct vgic_links links;
static const struct vgic_links no_links;

/*
 * QEMU's GICv2 does not look anew at what is pending in the machine's when a guest ends a linked interrupt, and one that is due by
 * then would come late. It looks whenever a line changes. So, where the only interrupt that is listed is linked, one line does at
 * that end: the maintenance interrupt's, which is disabled then, by GICH_HCR.UIE. That tells when no more than one list register
 * holds anything, and this is in the last one, which is used for nothing else: an interrupt that is no device's, active for ever.
 * IHI 0048, 5.3.1 "Hypervisor Control Register, GICH_HCR".
 */
#define LR_NOBODYS (LR_ACTIVE | 1019)

#define AP0R0_EL2 S3_4_C12_C8_0
#define AP0R1_EL2 S3_4_C12_C8_1
#define AP0R2_EL2 S3_4_C12_C8_2
#define AP0R3_EL2 S3_4_C12_C8_3
#define AP1R0_EL2 S3_4_C12_C9_0
#define AP1R1_EL2 S3_4_C12_C9_1
#define AP1R2_EL2 S3_4_C12_C9_2
#define AP1R3_EL2 S3_4_C12_C9_3

static void read_sysregs(struct interface_state *state)
{
	state->vmcr = read_sysreg(ICH_VMCR_EL2);
	switch (ap_registers) {
	case 4:
		state->ap[0][3] = read_sysreg(AP0R3_EL2);
		state->ap[1][3] = read_sysreg(AP1R3_EL2);
		state->ap[0][2] = read_sysreg(AP0R2_EL2);
		state->ap[1][2] = read_sysreg(AP1R2_EL2);
		__attribute__((fallthrough));
	case 2:
		state->ap[0][1] = read_sysreg(AP0R1_EL2);
		state->ap[1][1] = read_sysreg(AP1R1_EL2);
		__attribute__((fallthrough));
	default:
		state->ap[0][0] = read_sysreg(AP0R0_EL2);
		state->ap[1][0] = read_sysreg(AP1R0_EL2);
	}
}

static void write_sysregs(const struct interface_state *state)
{
	write_sysreg(ICH_VMCR_EL2, state->vmcr);
	switch (ap_registers) {
	case 4:
		write_sysreg(AP0R3_EL2, state->ap[0][3]);
		write_sysreg(AP1R3_EL2, state->ap[1][3]);
		write_sysreg(AP0R2_EL2, state->ap[0][2]);
		write_sysreg(AP1R2_EL2, state->ap[1][2]);
		__attribute__((fallthrough));
	case 2:
		write_sysreg(AP0R1_EL2, state->ap[0][1]);
		write_sysreg(AP1R1_EL2, state->ap[1][1]);
		__attribute__((fallthrough));
	default:
		write_sysreg(AP0R0_EL2, state->ap[0][0]);
		write_sysreg(AP1R0_EL2, state->ap[1][0]);
	}
}

void lists_read_interface(struct interface_state *state)
{
	write_list_hcr(gich, 0); /* what is left in list registers tells of nothing */
	if (gich == 0) {
		read_sysregs(state);
		return;
	}
	state->vmcr = mmio_read32(gich + GICH_VMCR);
	state->ap[0][0] = mmio_read32(gich + GICH_APR);
}

void lists_write_interface(const struct interface_state *state)
{
	if (gich == 0) {
		write_sysregs(state);
		return;
	}
	mmio_write32(gich + GICH_VMCR, (uint32_t)state->vmcr);
	mmio_write32(gich + GICH_APR, (uint32_t)state->ap[0][0]);
	write_list(gich, lists_number, LR_NOBODYS); /* the last guest may have ended it */
}

void lists_init(bool by_sysregs)
{
	struct interrupts_lists lists;
	uint64_t vtr;

	if (!interrupts_have_lists(&lists) || by_sysregs != (lists.gich == 0))
		return;
	gich = lists.gich;
	lists_gicv = lists.gicv;
	vtr = read_list_vtr(gich);
	lists_number = (unsigned)min_u64(ICH_VTR_LISTS(vtr) - (gich != 0), VGIC_LISTS);
	ap_registers = 1u << (ICH_VTR_PREBITS(vtr) - 5);
	links.linkable = GUEST_TIMER_LINES;
	links.physical[GUEST_VIRTUAL_TIMER - VGIC_SGIS] = (uint16_t)lists.timers[GUEST_TIMER_VIRTUAL];
	links.physical[GUEST_PHYSICAL_TIMER - VGIC_SGIS] = (uint16_t)lists.timers[GUEST_TIMER_PHYSICAL];
}

void lists_reset(void)
{
	static const struct interface_state none;

	if (lists_number == 0)
		return;
	if (gich == 0)
		write_sysreg(ICC_SRE_EL1, ICC_SRE_SRE | ICC_SRE_NO_BYPASS);
	write_list_hcr(gich, 0);
	for (unsigned i = 0; i < lists_number; i++)
		write_list(gich, i, 0);
	lists_write_interface(&none);
}

static void timers_ended(uint32_t ended)
{
	interrupts_timers_ended((ended & BIT(GUEST_VIRTUAL_TIMER) ? 1u << GUEST_TIMER_VIRTUAL : 0) |
				(ended & BIT(GUEST_PHYSICAL_TIMER) ? 1u << GUEST_TIMER_PHYSICAL : 0));
}

void lists_take(struct vgic *gic, unsigned n)
{
	struct vgic_cpu *cpu = &gic->cpu[n];
	const uint64_t base = gich;
	uint64_t hcr = cpu->more ? read_list_hcr(base) : 0;
	uint32_t ended;

	for (unsigned i = 0; i < cpu->used; i++)
		cpu->lr[i] = read_list(base, i, cpu->lr[i]);
	ended = vgic_unlist(gic, n);
	timers_ended(ended);
	if (hcr >> ICH_HCR_EOICOUNT_SHIFT & 0x1f)
		vgic_end_unlisted(gic, n, (unsigned)(hcr >> ICH_HCR_EOICOUNT_SHIFT) & 0x1f);
	cpu->more = false; /* they have been counted */
}

/* What a GICv2's list registers tell of interrupts this CPU, or not. */
static void listen(bool listen)
{
	struct cpu_arch *cpu = &arch_this_cpu()->arch;

	if (cpu->listens == listen)
		return;
	cpu->listens = listen;
	interrupts_listen_to_lists(listen);
}

void lists_give(struct vgic *gic, unsigned n, uint32_t lines)
{
	struct vgic_cpu *cpu = &gic->cpu[n];
	uint8_t *filled = &arch_this_cpu()->arch.lists;
	const uint64_t base = gich;
	uint32_t closed = (lines | gic->own[n].active) & GUEST_TIMER_LINES;

	timer_open(closed);
	vgic_list(gic, n, closed, base == 0 ? &links : &no_links);
	for (unsigned i = 0; i < cpu->used; i++)
		write_list(base, i, cpu->lr[i]);
	for (unsigned i = cpu->used; i < *filled; i++)
		write_list(base, i, 0);
	*filled = cpu->used;
	if (base != 0)
		listen(true);
	write_list_hcr(base, ICH_HCR_EN | ICH_HCR_TDIR | (cpu->more ? ICH_HCR_LRENPIE : 0) |
				     (cpu->more && cpu->used > 1 ? ICH_HCR_UIE : 0));
}

void lists_give_nothing(void)
{
	uint8_t *filled = &arch_this_cpu()->arch.lists;

	for (unsigned i = 0; i < *filled; i++)
		write_list(gich, i, 0);
	*filled = 0;
	write_list_hcr(gich, ICH_HCR_EN | ICH_HCR_TDIR);
}

/* Compiled for each of the two ways to the registers. */
static inline __attribute__((always_inline)) bool update(struct vgic *gic, unsigned n, uint32_t lines, const uint64_t base)
{
	struct vgic_cpu *cpu = &gic->cpu[n];
	uint8_t *filled = &arch_this_cpu()->arch.lists;
	enum relist done;
	uint32_t ended;
	uint64_t lr;

	if (*filled > 1)
		return false;
	done = vgic_relist(gic, n, cpu->used ? read_list(base, 0, cpu->lr[0]) : 0, GUEST_TIMER_LINES, lines, &links, &ended);
	if (done != RELIST_NOT)
		timers_ended(ended);
	if (done != RELIST_DONE)
		return false;
	timer_open(lines);
	lr = cpu->used ? cpu->lr[0] : 0;
	write_list(base, 0, lr);
	*filled = cpu->used;
	if (base != 0)
		listen(lr & LR_EOI);
	write_list_hcr(base, ICH_HCR_EN | ICH_HCR_TDIR | (base != 0 && !(lr & LR_EOI) ? ICH_HCR_UIE : 0));
	return true;
}

bool lists_update(struct vgic *gic, unsigned n, uint32_t lines)
{
	return gich == 0 ? update(gic, n, lines, 0) : update(gic, n, lines, gich);
}

/* As far as EL2 can tell without looking at the priority that the guest runs at. */
bool lists_signal(const struct vgic *gic, unsigned n)
{
	const struct vgic_cpu *cpu = &gic->cpu[n];
	uint64_t vmcr = read_list_vmcr(gich);

	for (unsigned i = 0; i < cpu->used; i++) {
		uint64_t lr = cpu->lr[i];

		if (lr & LR_PENDING && vmcr & (lr & LR_GROUP_1 ? ICH_VMCR_VENG1 : ICH_VMCR_VENG0) &&
		    (lr >> LR_PRIORITY_SHIFT & 0xff) < (vmcr >> ICH_VMCR_VPMR_SHIFT & 0xff))
			return true;
	}
	return false;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * List registers of a GICv3, by which the CPU delivers a guest's interrupts by itself. Source: GIC Architecture Specification,
 * versions 3 and 4 (IHI 0069), 6.3 "Operation of the virtual CPU interface", "ICH_HCR_EL2", "ICH_VTR_EL2", "ICH_AP1R<n>_EL2".
 */
#include "include/arch/virt.h"

#include "drivers/aarch64/interrupts.h"
#include "vmm/aarch64/aarch64.h"

#define AP_REGISTERS_MOST 4

/* Set on the first CPU; constant afterwards. */
unsigned lists_number;               /* 0: there are none, or no GICv3 */
static unsigned ap_registers;        /* of each group */
static uint16_t physical[VGIC_SGIS]; /* numbers of the machine's interrupts that a guest's, from 16 on, are linked to */

#define FOR_LISTS(each)                                                                                                         \
	each(0, S3_4_C12_C12_0) each(1, S3_4_C12_C12_1) each(2, S3_4_C12_C12_2) each(3, S3_4_C12_C12_3) each(4, S3_4_C12_C12_4) \
		each(5, S3_4_C12_C12_5) each(6, S3_4_C12_C12_6) each(7, S3_4_C12_C12_7) each(8, S3_4_C12_C13_0)                 \
			each(9, S3_4_C12_C13_1) each(10, S3_4_C12_C13_2) each(11, S3_4_C12_C13_3) each(12, S3_4_C12_C13_4)      \
				each(13, S3_4_C12_C13_5) each(14, S3_4_C12_C13_6) each(15, S3_4_C12_C13_7)

static inline uint64_t read_list(unsigned n)
{
#define READ_LIST(number, name) \
	case number:            \
		return read_sysreg(name);
	switch (n) {
		FOR_LISTS(READ_LIST)
	}
	return 0;
}

static inline void write_list(unsigned n, uint64_t value)
{
#define WRITE_LIST(number, name)           \
	case number:                       \
		write_sysreg(name, value); \
		break;
	switch (n) {
		FOR_LISTS(WRITE_LIST)
	}
}

#define AP0R0_EL2 S3_4_C12_C8_0
#define AP0R1_EL2 S3_4_C12_C8_1
#define AP0R2_EL2 S3_4_C12_C8_2
#define AP0R3_EL2 S3_4_C12_C8_3
#define AP1R0_EL2 S3_4_C12_C9_0
#define AP1R1_EL2 S3_4_C12_C9_1
#define AP1R2_EL2 S3_4_C12_C9_2
#define AP1R3_EL2 S3_4_C12_C9_3

void lists_read_interface(struct interface_state *state)
{
	write_sysreg(ICH_HCR_EL2, 0); /* what is left in list registers tells of nothing */
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

void lists_write_interface(const struct interface_state *state)
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

void lists_init(void)
{
	unsigned timers[GUEST_TIMERS];
	uint64_t vtr;

	if (!interrupts_have_lists(timers))
		return;
	vtr = read_sysreg(ICH_VTR_EL2);
	lists_number = (unsigned)min_u64(ICH_VTR_LISTS(vtr), VGICV3_LISTS);
	ap_registers = 1u << (ICH_VTR_PREBITS(vtr) - 5);
	physical[GUEST_VIRTUAL_TIMER - VGIC_SGIS] = (uint16_t)timers[GUEST_TIMER_VIRTUAL];
	physical[GUEST_PHYSICAL_TIMER - VGIC_SGIS] = (uint16_t)timers[GUEST_TIMER_PHYSICAL];
}

void lists_reset(void)
{
	static const struct interface_state none;

	if (lists_number == 0)
		return;
	write_sysreg(ICC_SRE_EL1, ICC_SRE_SRE | ICC_SRE_NO_BYPASS);
	write_sysreg(ICH_HCR_EL2, 0);
	for (unsigned i = 0; i < lists_number; i++)
		write_list(i, 0);
	lists_write_interface(&none);
}

static void timers_ended(uint32_t ended)
{
	interrupts_timers_ended((ended & BIT(GUEST_VIRTUAL_TIMER) ? 1u << GUEST_TIMER_VIRTUAL : 0) |
				(ended & BIT(GUEST_PHYSICAL_TIMER) ? 1u << GUEST_TIMER_PHYSICAL : 0));
}

void lists_take(struct vgicv3 *gic, unsigned n)
{
	struct vgicv3_cpu *cpu = &gic->cpu[n];
	uint64_t hcr = cpu->more ? read_sysreg(ICH_HCR_EL2) : 0;
	uint32_t ended;

	for (unsigned i = 0; i < cpu->used; i++)
		cpu->lr[i] = read_list(i);
	ended = vgicv3_unlist(gic, n);
	timers_ended(ended);
	if (hcr >> ICH_HCR_EOICOUNT_SHIFT & 0x1f)
		vgicv3_end_unlisted(gic, n, (unsigned)(hcr >> ICH_HCR_EOICOUNT_SHIFT) & 0x1f);
	cpu->more = false; /* they have been counted */
}

void lists_give(struct vgicv3 *gic, unsigned n, uint32_t lines)
{
	struct vgicv3_cpu *cpu = &gic->cpu[n];
	uint8_t *filled = &arch_this_cpu()->arch.lists;
	uint32_t closed = (lines | gic->gic.own[n].active) & GUEST_TIMER_LINES;

	timer_open(closed);
	vgicv3_list(gic, n, closed, physical);
	for (unsigned i = 0; i < cpu->used; i++)
		write_list(i, cpu->lr[i]);
	for (unsigned i = cpu->used; i < *filled; i++)
		write_list(i, 0);
	*filled = cpu->used;
	write_sysreg(ICH_HCR_EL2, ICH_HCR_EN | ICH_HCR_TDIR | (cpu->more ? ICH_HCR_LRENPIE : 0) |
					  (cpu->more && cpu->used > 1 ? ICH_HCR_UIE : 0));
}

bool lists_update(struct vgicv3 *gic, unsigned n, uint32_t lines)
{
	struct vgicv3_cpu *cpu = &gic->cpu[n];
	uint8_t *filled = &arch_this_cpu()->arch.lists;
	enum relist done = RELIST_NOT;
	uint32_t ended;

	if (*filled <= 1)
		done = vgicv3_relist(gic, n, cpu->used ? read_list(0) : 0, GUEST_TIMER_LINES, lines, physical, &ended);
	if (done != RELIST_NOT)
		timers_ended(ended);
	if (done != RELIST_DONE)
		return false;
	timer_open(lines);
	write_list(0, cpu->used ? cpu->lr[0] : 0);
	*filled = cpu->used;
	write_sysreg(ICH_HCR_EL2, ICH_HCR_EN | ICH_HCR_TDIR);
	return true;
}

/* As far as EL2 can tell without looking at the priority that the guest runs at. */
bool lists_signal(const struct vgicv3 *gic, unsigned n)
{
	const struct vgicv3_cpu *cpu = &gic->cpu[n];
	uint64_t vmcr = read_sysreg(ICH_VMCR_EL2);

	for (unsigned i = 0; i < cpu->used; i++) {
		uint64_t lr = cpu->lr[i];

		if (lr & LR_PENDING && vmcr & (lr & LR_GROUP_1 ? ICH_VMCR_VENG1 : ICH_VMCR_VENG0) &&
		    (lr >> LR_PRIORITY_SHIFT & 0xff) < (vmcr >> ICH_VMCR_VPMR_SHIFT & 0xff))
			return true;
	}
	return false;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* The parts of vmm/aarch64 that see one another. */
#ifndef NESTLING_VMM_AARCH64_AARCH64_H
#define NESTLING_VMM_AARCH64_AARCH64_H

#include "include/arch/aarch64/e2h.h"
#include "include/arch/aarch64/esr.h"
#include "vmm/vm.h"

/* Where a guest finds things: as on QEMU's "virt" machine. docs/guest-abi.md says so to guest writers. */
#define GUEST_RAM_BASE       UINT64_C(0x40000000)
#define GUEST_UART_BASE      UINT64_C(0x09000000)
#define GUEST_UART_SIZE      UINT64_C(0x1000)
#define GUEST_UART_HZ        24000000
#define GUEST_UART_LINE      33 /* interrupt id: SPI 1 */
#define GUEST_GICD_BASE      UINT64_C(0x08000000)
#define GUEST_GICC_BASE      UINT64_C(0x08010000) /* of a GICv2 */
#define GUEST_GICR_BASE      UINT64_C(0x080a0000) /* of a GICv3 */
/* Interrupt ids of the timers: Arm BSA (DEN0094), "PPI assignments". */
#define GUEST_VIRTUAL_TIMER  27
#define GUEST_PHYSICAL_TIMER 30
#define GUEST_TIMER_LINES    ((uint32_t)(BIT(GUEST_VIRTUAL_TIMER) | BIT(GUEST_PHYSICAL_TIMER)))
/* The device tree lies at RAM's start, programs from here on. */
#define GUEST_LOAD_FLOOR     (GUEST_RAM_BASE + MIB(2))

/* fp.S: copy the FP and SIMD registers. */
void fp_save(struct fp_state *fp);
void fp_load(const struct fp_state *fp);

/* --- inject.c ------------------------------------------------------------------------------------------------------- */

/* Was it a program of the guest's, at EL0, that was stopped? */
static inline bool from_el0(const struct vcpu_arch *arch)
{
	return arch->pstate & PSTATE_AARCH32 || (arch->pstate & PSTATE_MODE) == PSTATE_EL0T;
}

/* Step over the instruction that was trapped. */
static inline void skip_instruction(struct vcpu_arch *arch)
{
	arch->pc += arch->esr & ESR_IL ? 4 : 2;
	arch->pstate &= ~(PSTATE_BTYPE | PSTATE_SS);
}

/* Let the guest take an exception for an instruction that its CPU does not have. */
void inject_undefined(struct vcpu_arch *arch);

/* --- registers.c ---------------------------------------------------------------------------------------------------- */

/* The keys of pointer authentication, by their registers' numbers; the CPU has them. */
#define PAUTH_KEYS 10
void read_pauth_keys(uint64_t keys[PAUTH_KEYS]);
void write_pauth_keys(const uint64_t keys[PAUTH_KEYS]);

/* Find out which of them this CPU has; the others are like it. */
void registers_init(void);
/* The registers that not every CPU has; 0 where it does not. */
void read_extra_registers(struct extra_registers *extra);
void write_extra_registers(const struct extra_registers *extra);

/* --- el2.c, serror.c ------------------------------------------------------------------------------------------------- */

/* What HCR_EL2 holds while guests run. */
uint64_t guest_hcr(void);
/* The same, once it has been set on the first CPU. */
extern uint64_t el2_hcr;
/* Set all controls of EL2 on this CPU; guests read `midr` as MIDR_EL1. */
void el2_reset(uint64_t midr);
/* When a vCPU leaves the CPU: errors that are pending are taken for its own. */
void take_late_errors(struct vcpu *vcpu);

/* --- speculation.c -------------------------------------------------------------------------------------------------- */

/* Ask firmware, which must be there yet, whether this CPU needs its help; and between two VMs, have it. */
void speculation_find(void);
void speculation_forget(void);

/* --- virt.c, resident.c --------------------------------------------------------------------------------------------- */

/* Stage 2 of a VM: the registers' values. ERR_RANGE: the CPU has no such addresses. */
MUST_CHECK enum err new_stage2(struct vm *vm);

/* On the first CPU, before there is a VM. */
void resident_init(void);

/* --- interrupts.c, lists.c, timer.c --------------------------------------------------------------------------------- */

/* The interrupt controller of a new VM, whose address space is there; of one that is forked, as its parent's. Errors: ERR_NO_MEMORY
 * (for tables). */
MUST_CHECK enum err interrupts_init(struct vm *vm);
void interrupts_fork(struct vm *child, const struct vm *parent);

/*
 * A vCPU, which is resident here, is to wait for an interrupt. False: one is there. Else vcpu->wake_at is when one of its timers
 * will interrupt.
 */
bool interrupts_wait(struct vcpu *vcpu);

/* Of a vCPU that comes into this CPU, or leaves it; its timers are in the CPU, or stopped already. */
void interrupts_get(struct vcpu *vcpu);
void interrupts_put(struct vcpu *vcpu);

/*
 * A word of its GICv2's at `gpa` by which it sends an interrupt, or, in software, takes or ends one: served by a shorter way than a
 * device's. False: it is none of these.
 */
bool interrupts_access(struct vcpu *vcpu, uint64_t gpa, bool write, uint32_t *value);

/* Its GIC's system registers that trap. False: it has no such register. */
bool interrupts_sysreg_read(uint32_t id, uint64_t *value);
bool interrupts_sysreg_write(struct vcpu *vcpu, uint32_t id, uint64_t value);

#define ICC_DIR    SYSREG_ID(3, 0, 12, 11, 1)
#define ICC_SGI1R  SYSREG_ID(3, 0, 12, 11, 5)
#define ICC_ASGI1R SYSREG_ID(3, 0, 12, 11, 6)
#define ICC_SGI0R  SYSREG_ID(3, 0, 12, 11, 7)
#define ICC_SRE    SYSREG_ID(3, 0, 12, 12, 5)

/*
 * On the first CPU: how many list registers the CPUs have, and on each, empty them. 0: there are none, so guests have a GICv2 in
 * software. `by_sysregs`: this CPU uses its GIC by system registers.
 */
void lists_init(bool by_sysregs);
void lists_reset(void);
extern __attribute__((visibility("hidden"))) unsigned lists_number; /* lists.c sets it, and the next one */
extern __attribute__((visibility("hidden"))) uint64_t lists_gicv;
static inline unsigned lists_count(void)
{
	return lists_number;
}
/* A guest's GIC is of the version that has the list registers. */
static inline bool guests_have_gicv3(void)
{
	return lists_number > 0 && lists_gicv == 0;
}

/*
 * With the lock of the VM's devices, of the vCPU that is in this CPU: take all interrupts out of the list registers, which makes
 * what memory has of them right; and give those that are pending or active to them, while the lines of its timers are `lines`.
 * After that, is there one that the CPU takes when it can?
 */
void lists_take(struct vgic *gic, unsigned cpu);
void lists_give(struct vgic *gic, unsigned cpu, uint32_t lines);
bool lists_signal(const struct vgic *gic, unsigned cpu);

/* Without the lock, of a vCPU that comes into this CPU, and for which there is nothing to give: no list register holds anything. */
void lists_give_nothing(void);

/* Both, with the new lines in between, by a shorter way where little is listed. False: they are to be called. */
bool lists_update(struct vgic *gic, unsigned cpu, uint32_t lines);

/* The rest of the CPU interface. */
void lists_read_interface(struct interface_state *state);
void lists_write_interface(const struct interface_state *state);

/* Of the guest that is in this CPU, the timers whose lines are high: a bit for each, by the interrupt's id. */
uint32_t timer_lines(void);
/* Have this CPU interrupted by those timers whose lines, as of timer_lines, are low. */
void timer_open(uint32_t lines);
/* When the line of one of these timers is high; NEVER. Time goes on: perhaps it is already, although it was low a moment ago. */
uint64_t timer_wakes_at(uint32_t lines);
/* None of them interrupts this CPU any more. */
void timer_stop_all(void);

/* --- sysreg.c, id.c ------------------------------------------------------------------------------------------------- */

/* Serve a trapped MSR or MRS: carried out, or an undefined-instruction exception for the guest. */
void emulate_sysreg(struct vcpu *vcpu);

/* The value that a guest reads from register S3_0_C0_C<crm>_<op2> of the identification space; crm 1 to 7. */
uint64_t guest_id_register(const struct vm *vm, unsigned crm, unsigned op2);

/* On the first CPU, before that: all of them, for guests whose physical addresses are of any width. */
void id_tables_init(void);
/* The same as a table, for entry.S: by crm * 8 + op2. NO_ID: it is not for the table to say. */
const uint64_t *id_table(const struct vm *vm);
#define NO_ID UINT64_MAX

#endif

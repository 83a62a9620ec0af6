/* SPDX-License-Identifier: BSD-2-Clause */
/* The parts of vmm/aarch64 that see one another. */
#ifndef NESTLING_VMM_AARCH64_AARCH64_H
#define NESTLING_VMM_AARCH64_AARCH64_H

#include "include/arch/aarch64/esr.h"
#include "include/arch/aarch64/insn.h"
#include "vmm/vm.h"

/* Where a guest finds things: as on QEMU's "virt" machine. docs/guest-abi.md says so to guest writers. */
#define GUEST_RAM_BASE   UINT64_C(0x40000000)
#define GUEST_UART_BASE  UINT64_C(0x09000000)
#define GUEST_UART_SIZE  UINT64_C(0x1000)
#define GUEST_UART_HZ    24000000
#define GUEST_UART_LINE  33 /* interrupt id: SPI 1 */
/* The device tree lies at RAM's start, programs from here on. */
#define GUEST_LOAD_FLOOR (GUEST_RAM_BASE + MIB(2))

/* fp.S: copy the FP and SIMD registers. */
void fp_save(struct fp_state *fp);
void fp_load(const struct fp_state *fp);

/* --- inject.c ------------------------------------------------------------------------------------------------------- */

/* Was it a program of the guest's, at EL0, that was stopped? */
bool from_el0(const struct vcpu_arch *arch);

/* Step over the instruction that was trapped. */
void skip_instruction(struct vcpu_arch *arch);

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

/* --- hcr.S, el2.c, serror.c ------------------------------------------------------------------------------------------ */

/* Write HCR_EL2 and return what it reads as then; the old value is restored. */
uint64_t try_hcr(uint64_t value);
/* What it holds while guests run. */
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

/* --- sysreg.c, id.c ------------------------------------------------------------------------------------------------- */

/* Serve a trapped MSR or MRS: carried out, or an undefined-instruction exception for the guest. */
void emulate_sysreg(struct vcpu *vcpu);

/* The value that a guest reads from register S3_0_C0_C<crm>_<op2> of the identification space; crm 1 to 7. */
uint64_t guest_id_register(const struct vm *vm, unsigned crm, unsigned op2);

#endif

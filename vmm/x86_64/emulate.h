/* SPDX-License-Identifier: BSD-2-Clause */
/* What both vendors do for a guest once an exit is decoded. */
#ifndef NESTLING_VMM_X86_64_EMULATE_H
#define NESTLING_VMM_X86_64_EMULATE_H

#include "include/arch/x86_64/cpu.h"
#include "include/arch/x86_64/insn.h"
#include "vmm/vm.h"

/* fp.S: x87 and SSE registers. */
void fp_save(struct fp_state *fp);
void fp_load(const struct fp_state *fp);

/*
 * inject.c: an instruction has met a fault, `vector`, in the middle of delivering an event. Which exception does the
 * CPU raise? False: none that the guest could go on after.
 */
enum event_kind { EVENT_BY_HARDWARE, EVENT_BY_INSTRUCTION, EVENT_OUTSIDE };
bool fault_in_delivery(enum event_kind kind, uint8_t delivered, enum vector *vector);

/*
 * #DB and #AC exit, since the CPU would try for ever to deliver one whose delivery raises it again: CVE-2015-8104,
 * CVE-2015-5307. Told of each exit that such a delivery may have made, this says when nothing else will come any more.
 */
bool delivery_repeats(struct vcpu *vcpu);
/* Is the guest at the first instruction of its handler of an exception? */
bool at_handler(struct vcpu *vcpu, enum vector vector);

/* debug.c: the breakpoints' addresses. */
#define BREAKPOINTS 4
void debug_save(uint64_t dr[BREAKPOINTS]);
void debug_load(const uint64_t dr[BREAKPOINTS]);

/* The I/O breakpoints, as bits of DR6, that an access hits: of the guest that is in the CPU, or of given registers. */
uint64_t io_breakpoints(struct vcpu *vcpu, const struct io_access *io);
uint64_t debug_io_hits(uint64_t dr7, const uint64_t dr[BREAKPOINTS], uint64_t port, unsigned size);

/* What CPUID reports to the guest. */
struct cpuid_regs guest_cpuid(const struct vm *vm, uint32_t leaf, uint32_t subleaf);

/* Carry out CPUID on gpr[RAX..RBX]. */
void emulate_cpuid(struct vcpu *vcpu);

/* Carry out RDMSR or WRMSR on gpr[RAX, RCX, RDX]. False: the guest is to get #GP(0). */
bool emulate_rdmsr(struct vcpu *vcpu);
bool emulate_wrmsr(struct vcpu *vcpu);

/* MSRs that a guest may read and write without an exit: its own while it runs. */
extern const uint32_t msr_passthrough[];
extern const size_t msr_passthrough_count;

/* The bits of CR4 that the guest may set: those whose features CPUID offers it. */
uint64_t guest_cr4_valid(const struct vm *vm);

/* RAX after a port read: 8 and 16 bits leave the rest alone, 32 clear it. */
static inline uint64_t io_result(uint64_t rax, const struct io_access *io)
{
	uint64_t mask = io->size == 1 ? 0xff : io->size == 2 ? 0xffff : ~UINT64_C(0);

	return (rax & ~mask) | (io->value & mask);
}

/* The `size` low bytes of RAX, for a port write. */
static inline uint64_t io_operand(uint64_t rax, unsigned size)
{
	return rax & (~UINT64_C(0) >> (64 - 8 * size));
}

#endif

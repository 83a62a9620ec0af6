/* SPDX-License-Identifier: BSD-2-Clause */
/* The parts of vmm/riscv64 that see one another. */
#ifndef NESTLING_VMM_RISCV64_RISCV_H
#define NESTLING_VMM_RISCV64_RISCV_H

#include "include/arch/riscv64/trap.h"
#include "include/arch/riscv64/csr.h"
#include "vmm/vm.h"

/* Where a guest finds things: as on QEMU's "virt" machine. docs/guest-abi.md says so to guest writers. */
#define GUEST_RAM_BASE   UINT64_C(0x80000000)
#define GUEST_UART_BASE  UINT64_C(0x10000000)
#define GUEST_UART_SIZE  UINT64_C(0x100)
#define GUEST_UART_HZ    3686400
#define GUEST_UART_LINE  10
#define GUEST_PLIC_BASE  UINT64_C(0x0c000000)
/* Boot data lies below, programs from here on. */
#define GUEST_LOAD_FLOOR (GUEST_RAM_BASE + MIB(2))

/*
 * Our hypercalls, as an SBI extension in the range that is for experiments (SBI specification, "Experimental SBI Extension
 * Space"): 0x08 and "NST". The function id is the hypercall's number.
 */
#define SBI_NESTLING 0x084e5354

/*
 * Exceptions that the guest takes itself: those that an operating system has handlers for on a machine without
 * hypervisor. Not its calls (ECALL from VS), and not what only exists because of us: guest-page faults and virtual
 * instructions.
 */
#define GUEST_EXCEPTIONS                                                                                               \
	(BIT(CAUSE_FETCH_MISALIGNED) | BIT(CAUSE_FETCH_ACCESS) | BIT(CAUSE_ILLEGAL_INSN) | BIT(CAUSE_BREAKPOINT) |     \
	 BIT(CAUSE_LOAD_MISALIGNED) | BIT(CAUSE_LOAD_ACCESS) | BIT(CAUSE_STORE_MISALIGNED) | BIT(CAUSE_STORE_ACCESS) | \
	 BIT(CAUSE_ECALL_U) | BIT(CAUSE_FETCH_PAGE) | BIT(CAUSE_LOAD_PAGE) | BIT(CAUSE_STORE_PAGE))

/* What this hart offers beyond what we need; found out by writing and reading back. */
struct riscv_features {
	bool sv39x4, sv48x4, sv57x4;
	bool instret; /* we may count instructions */
	uint8_t vmid_bits;
	uint64_t henvcfg;     /* what the guest is given: bits that stick */
	bool senvcfg;         /* the register is there */
	bool sstc;            /* the guest has a timer of its own, and its compare register is ours to reset */
	bool pbmt;            /* G-stage entries can carry a memory type */
	uint32_t cache_block; /* bytes that cbo.flush works on; 0: there is none that we may use */
	bool hardware_ad;     /* hardware sets A and D in G-stage entries */
	uint8_t fp_bytes;     /* of an FP register: 8, 4 without D, 0 without F */
	bool vectors;
	uint32_t vector_bytes;         /* of a vector register */
	bool vsiselect, scontext, jvt; /* registers that a guest can use where the hart has them */
};
extern struct riscv_features riscv_features;

/* features.c: fill in riscv_features. False: not one mode of hgatp that we know. */
bool riscv_find_features(void);
/* Does the hart that this runs on have what the first one has, as far as vCPUs that go from one to the other need it? */
bool riscv_same_features(void);

static inline bool is_guest_page_fault(uint64_t cause)
{
	return cause == CAUSE_STORE_GUEST_PAGE || cause == CAUSE_LOAD_GUEST_PAGE || cause == CAUSE_FETCH_GUEST_PAGE;
}

/* entry.S: the vector that a trap takes to HS-mode; exit.c: the fast path of a guest's. */
extern const char guest_exit[];
unsigned vcpu_exit(struct vcpu *vcpu);
/* `left` is what vm_take_interrupts has left to do. If that is only to deliver what is pending for the guest, it is done; else
 * returns it. */
unsigned vcpu_interrupted(struct vcpu *vcpu, unsigned left);

/*
 * fetch.c: read the instruction at a virtual address of the guest's, as the hart would fetch it; 16 bits of it if it is a
 * compressed one. False: the fetch would fault.
 */
bool guest_fetch(uint64_t gva, uint32_t *insn);
/* And 8 bytes of its data. */
bool guest_load(uint64_t gva, uint64_t *value);

/* mmio.c: decode the load or store that raised a guest-page fault. False: it is neither, or of FP registers. */
bool mmio_decode(const struct vcpu_arch *arch, struct access_insn *access);

/* sbi.c: serve an SBI call that is not one of our hypercalls. */
void sbi_serve(struct vcpu *vcpu);
/* The same on the fast path, but for the program counter. False: it is a call for the slow path, and nothing has been done. */
bool sbi_serve_fast(struct vcpu *vcpu);

/*
 * timer.c: the guest's timer, by Sstc or in software. Set it; load it into the hart; raise its interrupt if it is due and the hart
 * does not; and when, in host time, the hypervisor's own timer must fire for it.
 */
void timer_set(struct vcpu *vcpu, uint64_t deadline);
void timer_load(struct vcpu *vcpu);
void timer_serve(struct vcpu *vcpu);
/* Arm the hart's timer anew: for the hypervisor, and for the guest that is here, where the hart has none for it. */
void timer_rearm(void);
/* Is an interrupt pending that the guest has enabled? And when, in host time, will its timer raise one? */
bool timer_is_pending(void);
uint64_t timer_wakes_at(const struct vcpu *vcpu);
/* Let the guest give the CPU away until an interrupt is pending that it has enabled. */
void timer_wait(struct vcpu *vcpu);

/* harts_serve.c: serve what other vCPUs have asked of this one, which is resident. */
void harts_serve(struct vcpu *vcpu);
/* First-stage translations and fetches of the vCPU that is here: all of them anew. */
void harts_fence(void);

/* inject.c: make the guest take an exception, as if the hart had delivered it there. */
void inject_exception(struct vcpu *vcpu, enum cause cause, uint64_t tval);

/* vcpu.c: the state that every vCPU begins with, but for its entry. */
void vcpu_clear(struct vcpu *vcpu);

/* fp.S: copy FP and vector registers, which sstatus must have on; the first ones of 8 bytes, then of 4. */
void fp_save(struct fp_state *fp);
void fp_load(const struct fp_state *fp);
void fp_save_single(struct fp_state *fp);
void fp_load_single(const struct fp_state *fp);
void vector_save(void *registers, struct vector_csrs *csrs);
void vector_load(const void *registers, const struct vector_csrs *csrs);

/* walk.c: the guest-physical address behind a fault, for harts that do not report it. */
void walk_find_fault(struct vcpu *vcpu, struct npt_fault *fault);

#endif

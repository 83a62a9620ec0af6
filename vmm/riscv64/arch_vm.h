/* SPDX-License-Identifier: BSD-2-Clause */
/* What a VM and its vCPUs are made of on RISC-V; embedded by value in struct vm and struct vcpu. */
#ifndef NESTLING_VMM_RISCV64_ARCH_VM_H
#define NESTLING_VMM_RISCV64_ARCH_VM_H

#include "include/types.h"
#include "vmm/devices/plic.h"
#include "vmm/devices/v16550.h"
#include "vmm/riscv64/vmid.h"

struct cpu;

/* General registers that code here speaks of, by the calling convention's names. */
enum gpr { GPR_ZERO = 0, GPR_RA = 1, GPR_SP = 2, GPR_A0 = 10, GPR_A1, GPR_A2, GPR_A3, GPR_A6 = 16, GPR_A7, GPR_COUNT = 32 };

/* docs/guest-abi.md */
#define GUEST_CONTROL_PAGE UINT64_C(0x09100000)
#define GUEST_PANIC_SPACE  IO_MEMORY
#define GUEST_PANIC_BASE   UINT64_C(0x09101000)
#define GUEST_PANIC_SIZE   UINT64_C(0x1000)

/* The id of the generation, for a kernel: in RAM that it is told to leave alone. vmm/generation.h */
#define GUEST_GENERATION_PAGE UINT64_C(0x80010000)
#define GUEST_GENERATION_LINE 16

/* virtio devices: one after the other, where QEMU's "virt" has them, each with a line of its own behind those. */
#define GUEST_VIRTIO_BASE UINT64_C(0x10001000)
#define GUEST_VIRTIO_STEP 0x1000
#define GUEST_VIRTIO_LINE 17

struct vm_arch {
	struct v16550 console; /* the serial port it finds */
	struct plic plic;
	uint64_t hgatp;      /* without the VMID, which is the vCPU's */
	uint64_t htimedelta; /* from the host's time to the guest's */
};

struct fp_state {
	uint64_t f[32];
	uint64_t fcsr;
};

struct vector_csrs {
	uint64_t vstart, vcsr, vl, vtype;
};

/* State that is in the hart while the vCPU is resident, else here; FP and vector registers may be in both. */
struct kept_state {
	uint64_t vsstatus, vsie, vstvec, vsscratch, vsepc, vscause, vstval, vsatp;
	uint64_t scounteren;
	uint64_t sstatus, hstatus; /* where sret goes; of sstatus also FS and VS: are the units' registers changed? */
	uint64_t hvip;             /* what is pending for the guest; of external interrupts vm_arch.plic says it */
	uint64_t senvcfg, vsiselect, scontext, jvt; /* where there are such */
	struct fp_state fp;
	struct vector_csrs vector;
	hpa_t vectors; /* a block of frames with the vector registers; raw 0: the hart has none */
	unsigned vectors_order;
};

/* A load or store, decoded. */
struct access_insn {
	uint8_t size;   /* bytes: 1, 2, 4, 8 */
	uint8_t gpr;    /* loaded into, or stored */
	uint8_t length; /* of the instruction, bytes */
	bool write;
	bool sign; /* the value is sign-extended */
};

struct vcpu_arch {
	uint64_t gpr[GPR_COUNT]; /* [0] stays 0 */
	uint64_t pc;
	uint64_t host_sp;
	/* What the CPU said about the last exit; the latter two only after guest-page faults. */
	uint64_t stval, htval, htinst;
	struct access_insn access; /* behind the VM_EXIT_IO that is being served */
	/* When the guest's timer is to raise its interrupt, in its own time; NEVER: not. With Sstc, only while it is not resident.
	 */
	uint64_t timer;
	struct vmid vmid;
	struct cpu *units_cpu; /* the last one whose FP and vector registers had its values: vcpu.c */
	struct kept_state kept;
	/* What other vCPUs have asked of it, served when it comes into a CPU or is interrupted there: harts.c. */
	uint32_t ipi;          /* atomic: raise its software interrupt */
	uint64_t fence_wanted; /* atomic: fences asked for */
	uint64_t fence_done;   /* atomic: of these, done */
};

#endif

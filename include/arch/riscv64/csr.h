/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Control and status registers of HS-mode, by the manual's names, for C and for assembly.
 * Source: RISC-V Privileged Architecture (1.12 and later), "Control and Status Registers (CSRs)", "Supervisor CSRs",
 * "Hypervisor and Virtual Supervisor CSRs"; RISC-V Advanced Interrupt Architecture, "CSRs"; "Smstateen"; the debug specification's
 * scontext; Zcmt's jvt.
 */
#ifndef NESTLING_ARCH_RISCV64_CSR_H
#define NESTLING_ARCH_RISCV64_CSR_H

/* Numbers, because not every assembler supports every name. */
#define CSR_JVT        0x017
#define CSR_SSTATUS    0x100
#define CSR_SIE        0x104
#define CSR_STVEC      0x105
#define CSR_SCOUNTEREN 0x106
#define CSR_SENVCFG    0x10a
#define CSR_SSCRATCH   0x140
#define CSR_SEPC       0x141
#define CSR_SCAUSE     0x142
#define CSR_STVAL      0x143
#define CSR_SIP        0x144
#define CSR_SATP       0x180
#define CSR_STIMECMP   0x14d
#define CSR_SCONTEXT   0x5a8
#define CSR_VSSTATUS   0x200
#define CSR_VSIE       0x204
#define CSR_VSTVEC     0x205
#define CSR_VSSCRATCH  0x240
#define CSR_VSEPC      0x241
#define CSR_VSCAUSE    0x242
#define CSR_VSTVAL     0x243
#define CSR_VSIP       0x244
#define CSR_VSTIMECMP  0x24d
#define CSR_VSISELECT  0x250
#define CSR_VSATP      0x280
#define CSR_HSTATUS    0x600
#define CSR_HEDELEG    0x602
#define CSR_HIDELEG    0x603
#define CSR_HIE        0x604
#define CSR_HTIMEDELTA 0x605
#define CSR_HCOUNTEREN 0x606
#define CSR_HGEIE      0x607
#define CSR_HVIEN      0x608
#define CSR_HVICTL     0x609
#define CSR_HENVCFG    0x60a
#define CSR_HSTATEEN0  0x60c
#define CSR_HSTATEEN1  0x60d
#define CSR_HSTATEEN2  0x60e
#define CSR_HSTATEEN3  0x60f
#define CSR_HTVAL      0x643
#define CSR_HIP        0x644
#define CSR_HVIP       0x645
#define CSR_HVIPRIO1   0x646
#define CSR_HVIPRIO2   0x647
#define CSR_HTINST     0x64a
#define CSR_HGATP      0x680
#define CSR_SEED       0x015
#define CSR_CYCLE      0xc00
#define CSR_TIME       0xc01
#define CSR_INSTRET    0xc02
#define CSR_VLENB      0xc22
#define CSR_MHARTID    0xf14

#ifndef __ASSEMBLER__

#include "include/types.h"

/* sstatus and vsstatus. "Supervisor Status (sstatus) Register". */
#define SSTATUS_SIE        BIT(1)
#define SSTATUS_SPIE       BIT(5)
#define SSTATUS_SPP        BIT(8)
#define SSTATUS_VS         BITS(10, 9)
#define SSTATUS_FS         BITS(14, 13)
#define SSTATUS_SUM        BIT(18)
#define SSTATUS_MXR        BIT(19)
#define SSTATUS_VS_INITIAL BIT(9)
#define SSTATUS_VS_CLEAN   BIT(10)
#define SSTATUS_FS_INITIAL BIT(13)
#define SSTATUS_FS_CLEAN   BIT(14)
#define SSTATUS_UXL_64     (UINT64_C(2) << 32)

/* hstatus. "Hypervisor Status (hstatus) Register". */
#define HSTATUS_GVA     BIT(6) /* stval holds a guest virtual address */
#define HSTATUS_SPV     BIT(7) /* the trap came from V=1; sret goes back there */
#define HSTATUS_SPVP    BIT(8) /* and from VS, not VU: also the privilege of HLV and HSV */
#define HSTATUS_VTVM    BIT(20)
#define HSTATUS_VTW     BIT(21) /* WFI in VS-mode traps */
#define HSTATUS_VTSR    BIT(22)
#define HSTATUS_VSXL_64 (UINT64_C(2) << 32)

/* Standard interrupts: bits of sip, hip, hvip, hideleg. "Machine Interrupt (mip and mie) Registers" and chapter "Hypervisor". */
#define IRQ_SSI       1
#define IRQ_VSSI      2
#define IRQ_STI       5
#define IRQ_VSTI      6
#define IRQ_VSEI      10
#define IRQ_ALL_VS    (BIT(IRQ_VSSI) | BIT(IRQ_VSTI) | BIT(IRQ_VSEI))
/* The guest's own view of them, in vsie and vsip: one bit lower. */
#define VSIE_OF(irqs) ((irqs) >> 1)

/* scause. "Supervisor Cause (scause) Register" as augmented by "Hypervisor": its table of exception codes. */
#define SCAUSE_INTERRUPT BIT(63)
enum cause {
	CAUSE_FETCH_MISALIGNED = 0,
	CAUSE_FETCH_ACCESS = 1,
	CAUSE_ILLEGAL_INSN = 2,
	CAUSE_BREAKPOINT = 3,
	CAUSE_LOAD_MISALIGNED = 4,
	CAUSE_LOAD_ACCESS = 5,
	CAUSE_STORE_MISALIGNED = 6,
	CAUSE_STORE_ACCESS = 7,
	CAUSE_ECALL_U = 8, /* or VU */
	CAUSE_ECALL_HS = 9,
	CAUSE_ECALL_VS = 10,
	CAUSE_FETCH_PAGE = 12,
	CAUSE_LOAD_PAGE = 13,
	CAUSE_STORE_PAGE = 15,
	CAUSE_FETCH_GUEST_PAGE = 20,
	CAUSE_LOAD_GUEST_PAGE = 21,
	CAUSE_VIRTUAL_INSN = 22,
	CAUSE_STORE_GUEST_PAGE = 23,
};

/*
 * htinst after a guest-page fault of the guest's own page-table walk. "Transformed Instruction or Pseudoinstruction for
 * mtinst or htinst", table of special pseudoinstructions: 64-bit entries, and 32-bit ones of Sv32.
 */
#define HTINST_WALK_READ    0x3000
#define HTINST_WALK_WRITE   0x3020
#define HTINST_WALK_READ32  0x2000
#define HTINST_WALK_WRITE32 0x2020

/* henvcfg: what menvcfg lets us give, it lets us set. "Hypervisor Environment Configuration (henvcfg) Register". */
#define HENVCFG_CBIE_FLUSH BIT(4) /* CBO.INVAL flushes */
#define HENVCFG_CBCFE      BIT(6)
#define HENVCFG_CBZE       BIT(7)
#define HENVCFG_ADUE       BIT(61)
#define HENVCFG_PBMTE      BIT(62)
#define HENVCFG_STCE       BIT(63)

/* hstateen0. "Smstateen/Ssstateen": senvcfg, and the guest's own sstateen. */
#define HSTATEEN0_SENVCFG BIT(62)

/* hcounteren and scounteren: cycle, time, instret. */
#define COUNTEREN_BASE UINT64_C(7)

/* satp and hgatp. "Supervisor Address Translation and Protection", "Hypervisor Guest Address Translation and Protection". */
#define ATP_MODE_SHIFT 60
#define ATP_PPN        BITS(43, 0)
enum atp_mode { ATP_BARE = 0, ATP_SV39 = 8, ATP_SV48 = 9, ATP_SV57 = 10 }; /* in hgatp: Sv39x4, Sv48x4, Sv57x4 */
#define HGATP_VMID_SHIFT 44
#define HGATP_VMID       BITS(57, 44)

#define CSR_STRING_(x) #x
#define CSR_STRING(x)  CSR_STRING_(x)

#define csr_read(csr)                                                                          \
	({                                                                                     \
		uint64_t csr_value_;                                                           \
		__asm__ volatile("csrr %0, " CSR_STRING(csr) : "=r"(csr_value_) : : "memory"); \
		csr_value_;                                                                    \
	})

#define csr_write(csr, value) __asm__ volatile("csrw " CSR_STRING(csr) ", %0" : : "rK"((uint64_t)(value)) : "memory")

#define csr_set(csr, bits) __asm__ volatile("csrs " CSR_STRING(csr) ", %0" : : "rK"((uint64_t)(bits)) : "memory")

#define csr_clear(csr, bits) __asm__ volatile("csrc " CSR_STRING(csr) ", %0" : : "rK"((uint64_t)(bits)) : "memory")

/* Write, and see what of it the register keeps. */
#define csr_write_read(csr, value)     \
	({                             \
		csr_write(csr, value); \
		csr_read(csr);         \
	})

#endif

#endif

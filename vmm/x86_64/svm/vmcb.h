/* SPDX-License-Identifier: BSD-2-Clause */
/* The virtual machine control block. AMD APM vol. 2, appendix "VMCB Layout", and "SVM Intercept Exit Codes". */
#ifndef NESTLING_VMM_X86_64_SVM_VMCB_H
#define NESTLING_VMM_X86_64_SVM_VMCB_H

#include "include/types.h"

/* Bits of intercept_misc1. */
#define INTERCEPT_INTR          BIT(0)
#define INTERCEPT_NMI           BIT(1)
#define INTERCEPT_INIT          BIT(3)
#define INTERCEPT_VINTR         BIT(4)
#define INTERCEPT_CR0_SEL_WRITE BIT(5) /* other bits than TS and MP change */
#define INTERCEPT_RDPMC         BIT(15)
#define INTERCEPT_CPUID         BIT(18)
#define INTERCEPT_IRET          BIT(20)
#define INTERCEPT_RSM           BIT(19)
#define INTERCEPT_INVD          BIT(22)
#define INTERCEPT_HLT           BIT(24)
#define INTERCEPT_INVLPGA       BIT(26)
#define INTERCEPT_IOIO          BIT(27)
#define INTERCEPT_MSR           BIT(28)
#define INTERCEPT_SHUTDOWN      BIT(31)
/* Bits of intercept_misc2. */
#define INTERCEPT_VMRUN         BIT(0)
#define INTERCEPT_VMMCALL       BIT(1)
#define INTERCEPT_VMLOAD        BIT(2)
#define INTERCEPT_VMSAVE        BIT(3)
#define INTERCEPT_STGI          BIT(4)
#define INTERCEPT_CLGI          BIT(5)
#define INTERCEPT_SKINIT        BIT(6)
#define INTERCEPT_RDTSCP        BIT(7)
#define INTERCEPT_ICEBP         BIT(8)
#define INTERCEPT_MONITOR       BIT(10)
#define INTERCEPT_MWAIT         BIT(11)
#define INTERCEPT_MWAIT_ARMED   BIT(12)
#define INTERCEPT_XSETBV        BIT(13)
#define INTERCEPT_RDPRU         BIT(14)
/* Bits of intercept_misc3. */
#define INTERCEPT_INVPCID       BIT(2)

#define TLB_CONTROL_NONE       0
#define TLB_CONTROL_FLUSH_ALL  1 /* every ASID */
#define TLB_CONTROL_FLUSH_ASID 3 /* this guest's; needs FlushByAsid */

#define INT_CTL_V_IRQ          BIT(8) /* an interrupt waits for the guest to take it */
#define INT_CTL_V_IGN_TPR      BIT(20)
#define INT_CTL_V_INTR_MASKING BIT(24)
#define NESTED_CTL_NP_ENABLE   BIT(0)
#define INT_STATE_SHADOW       BIT(0)

/* EVENTINJ and EXITINTINFO */
#define EVENT_VALID      BIT(31)
#define EVENT_ERROR_CODE BIT(11)
#define EVENT_VECTOR(e)  ((uint8_t)(e))
#define EVENT_TYPE(e)    (unsigned)((e) >> 8 & 7)
enum event_type { EVENT_INTERRUPT = 0, EVENT_NMI = 2, EVENT_EXCEPTION = 3, EVENT_SOFTWARE = 4 };

/*
 * EXITINFO1 of VMEXIT_NPF has a page fault's bits and these. AMD APM vol. 2 "Nested versus Guest Page Faults, Fault
 * Ordering".
 */
#define NPF_FINAL      BIT(32) /* the translation of the access's own address */
#define NPF_GUEST_WALK BIT(33) /* an access of the guest's page-table walk */

/* EXITINFO1 of VMEXIT_IOIO */
#define IOIO_IN      BIT(0)
#define IOIO_STRING  BIT(2)
#define IOIO_SIZE(i) (unsigned)((i) >> 4 & 7) /* bytes: 1, 2, 4 */
#define IOIO_PORT(i) ((i) >> 16 & 0xffff)

enum vmexit {
	VMEXIT_CR0_READ = 0x00,
	VMEXIT_CR0_WRITE = 0x10,
	VMEXIT_CR8_WRITE = 0x18,
	VMEXIT_DR0_READ = 0x20,
	VMEXIT_DR0_WRITE = 0x30,
	VMEXIT_EXCP0 = 0x40,
	VMEXIT_INTR = 0x60,
	VMEXIT_NMI = 0x61,
	VMEXIT_INIT = 0x63,
	VMEXIT_VINTR = 0x64,
	VMEXIT_CR0_SEL_WRITE = 0x65,
	VMEXIT_RDPMC = 0x6f,
	VMEXIT_CPUID = 0x72,
	VMEXIT_RSM = 0x73,
	VMEXIT_IRET = 0x74,
	VMEXIT_INVD = 0x76,
	VMEXIT_HLT = 0x78,
	VMEXIT_INVLPGA = 0x7a,
	VMEXIT_IOIO = 0x7b,
	VMEXIT_MSR = 0x7c,
	VMEXIT_SHUTDOWN = 0x7f,
	VMEXIT_VMRUN = 0x80,
	VMEXIT_VMMCALL = 0x81,
	VMEXIT_VMLOAD = 0x82,
	VMEXIT_VMSAVE = 0x83,
	VMEXIT_STGI = 0x84,
	VMEXIT_CLGI = 0x85,
	VMEXIT_SKINIT = 0x86,
	VMEXIT_RDTSCP = 0x87,
	VMEXIT_ICEBP = 0x88,
	VMEXIT_MONITOR = 0x8a,
	VMEXIT_MWAIT = 0x8b,
	VMEXIT_MWAIT_ARMED = 0x8c,
	VMEXIT_XSETBV = 0x8d,
	VMEXIT_RDPRU = 0x8e,
	VMEXIT_INVPCID = 0xa2,
	VMEXIT_NPF = 0x400,
};
#define VMEXIT_INVALID UINT64_MAX

/* Attributes of a segment: a descriptor's bits 40..47 and 52..55 side by side. */
#define SEG_CODE64 0xa9b
#define SEG_CODE32 0xc9b
#define SEG_CODE16 0x09b
#define SEG_DATA   0xc93
#define SEG_DATA16 0x093
#define SEG_TSS    0x08b
#define SEG_LDT    0x082
#define SEG_L      BIT(9)
#define SEG_D      BIT(10)

struct vmcb_segment {
	uint16_t selector;
	uint16_t attrib;
	uint32_t limit;
	uint64_t base;
};

struct vmcb {
	/* Control area */
	uint16_t intercept_cr_read, intercept_cr_write;
	uint16_t intercept_dr_read, intercept_dr_write;
	uint32_t intercept_exceptions;
	uint32_t intercept_misc1, intercept_misc2, intercept_misc3;
	uint8_t reserved_018[0x40 - 0x18];
	uint64_t iopm_base_pa;
	uint64_t msrpm_base_pa;
	uint64_t tsc_offset;
	uint32_t asid;
	uint32_t tlb_control;
	uint64_t int_ctl;
	uint64_t int_state;
	uint64_t exitcode;
	uint64_t exitinfo1;
	uint64_t exitinfo2;
	uint64_t exitintinfo;
	uint64_t nested_ctl;
	uint8_t reserved_098[0xa8 - 0x98];
	uint64_t event_inj;
	uint64_t nested_cr3;
	uint64_t virt_ext;
	uint64_t clean;
	uint64_t next_rip;
	uint8_t insn_length;
	uint8_t insn_bytes[15];
	uint8_t reserved_0e0[0x400 - 0xe0];
	/* State-save area */
	struct vmcb_segment es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr;
	uint8_t reserved_4a0[0x4cb - 0x4a0];
	uint8_t cpl;
	uint32_t reserved_4cc;
	uint64_t efer;
	uint8_t reserved_4d8[0x548 - 0x4d8];
	uint64_t cr4, cr3, cr0, dr7, dr6, rflags, rip;
	uint8_t reserved_580[0x5d8 - 0x580];
	uint64_t rsp;
	uint8_t reserved_5e0[0x5f8 - 0x5e0];
	uint64_t rax;
	uint64_t star, lstar, cstar, sfmask, kernel_gs_base;
	uint64_t sysenter_cs, sysenter_esp, sysenter_eip;
	uint64_t cr2;
	uint8_t reserved_648[0x668 - 0x648];
	uint64_t g_pat;
	uint8_t reserved_670[0x1000 - 0x670];
};

#define VMCB_AT(member, offset) _Static_assert(offsetof(struct vmcb, member) == (offset), #member)
VMCB_AT(iopm_base_pa, 0x40);
VMCB_AT(asid, 0x58);
VMCB_AT(int_ctl, 0x60);
VMCB_AT(exitcode, 0x70);
VMCB_AT(nested_ctl, 0x90);
VMCB_AT(event_inj, 0xa8);
VMCB_AT(next_rip, 0xc8);
VMCB_AT(es, 0x400);
VMCB_AT(tr, 0x490);
VMCB_AT(cpl, 0x4cb);
VMCB_AT(efer, 0x4d0);
VMCB_AT(cr4, 0x548);
VMCB_AT(rip, 0x578);
VMCB_AT(rsp, 0x5d8);
VMCB_AT(rax, 0x5f8);
VMCB_AT(cr2, 0x640);
VMCB_AT(g_pat, 0x668);
_Static_assert(sizeof(struct vmcb) == PAGE_SIZE, "VMCB");

#endif

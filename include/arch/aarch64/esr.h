/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Exception syndromes. Source: Arm ARM (DDI 0487), "ESR_EL2, Exception Syndrome Register (EL2)": EC and the ISS
 * encodings of each class.
 */
#ifndef NESTLING_ARCH_AARCH64_ESR_H
#define NESTLING_ARCH_AARCH64_ESR_H

#include "include/types.h"

enum esr_ec {
	EC_UNKNOWN = 0x00,
	EC_WFX = 0x01,     /* WFI, WFE */
	EC_CP15_32 = 0x03, /* of AArch32: MCR, MRC and the like */
	EC_CP15_64 = 0x04,
	EC_CP14_32 = 0x05,
	EC_CP14_LS = 0x06,
	EC_FP = 0x07, /* SVE, SIMD or FP access */
	EC_CP10_ID = 0x08,
	EC_PAC = 0x09,
	EC_LS64 = 0x0a,
	EC_CP14_64 = 0x0c,
	EC_BTI = 0x0d,
	EC_ILLEGAL_STATE = 0x0e,
	EC_SVC32 = 0x11,
	EC_HVC32 = 0x12,
	EC_SMC32 = 0x13,
	EC_SVC64 = 0x15,
	EC_HVC64 = 0x16,
	EC_SMC64 = 0x17,
	EC_SYSREG = 0x18, /* MSR, MRS, SYS */
	EC_SVE = 0x19,
	EC_ERET = 0x1a,
	EC_PAC_FAIL = 0x1c,
	EC_SME = 0x1d,
	EC_IABT_LOW = 0x20, /* instruction abort from a lower level */
	EC_IABT_CUR = 0x21,
	EC_PC_ALIGN = 0x22,
	EC_DABT_LOW = 0x24,
	EC_DABT_CUR = 0x25,
	EC_SP_ALIGN = 0x26,
	EC_MOPS = 0x27,
	EC_FP32 = 0x28,
	EC_FP64 = 0x2c,
	EC_SERROR = 0x2f,
	EC_BREAKPT_LOW = 0x30,
	EC_BREAKPT_CUR = 0x31,
	EC_STEP_LOW = 0x32,
	EC_STEP_CUR = 0x33,
	EC_WATCHPT_LOW = 0x34,
	EC_WATCHPT_CUR = 0x35,
	EC_BKPT32 = 0x38,
	EC_BRK64 = 0x3c,
};

#define ESR_EC_SHIFT 26
#define ESR_EC(esr)  ((unsigned)((esr) >> ESR_EC_SHIFT) & 0x3f)
#define ESR_IL       BIT(25) /* the instruction is 32 bits long */

/* ISS of WFx. */
#define WFX_TI(esr) ((unsigned)(esr)&3)
enum { WFX_WFI = 0, WFX_WFE = 1, WFX_WFIT = 2, WFX_WFET = 3 };

/* ISS of HVC and SMC. */
#define ESR_IMM16(esr) ((unsigned)(esr)&0xffff)

/* ISS of data and instruction aborts; what is marked is of data aborts only. */
#define ABORT_FSC(esr) ((unsigned)(esr)&0x3f)
#define ABORT_WNR      BIT(6) /* data: a write */
#define ABORT_S1PTW    BIT(7) /* stage 2 fault of a stage 1 walk */
#define ABORT_CM       BIT(8) /* data: cache maintenance */
#define ABORT_EA       BIT(9)
#define ABORT_FNV      BIT(10) /* FAR is not valid */
#define ABORT_SF       BIT(15) /* data: 64-bit register */
#define ABORT_SRT(esr) ((unsigned)((esr) >> 16) & 0x1f)
#define ABORT_SSE      BIT(21) /* data: sign extension */
#define ABORT_SAS(esr) ((unsigned)((esr) >> 22) & 3)
#define ABORT_ISV      BIT(24) /* data: the fields that describe the access are valid */

/* Fault status codes; the low two bits of the first four kinds are the level of the walk. */
#define FSC_KIND(fsc) ((fsc) & ~3u)
enum {
	FSC_ADDRESS_SIZE = 0x00,
	FSC_TRANSLATION = 0x04,
	FSC_ACCESS_FLAG = 0x08,
	FSC_PERMISSION = 0x0c,
	FSC_EXTERNAL = 0x10,
	FSC_TAG_CHECK = 0x11,
	FSC_EXTERNAL_WALK = 0x14, /* to 0x17 by level */
	FSC_ECC = 0x18,
	FSC_ECC_WALK = 0x1c,
	FSC_ALIGNMENT = 0x21,
	FSC_TRANSLATION_M1 = 0x2b, /* level -1, with 52-bit addresses */
	FSC_TLB_CONFLICT = 0x30,
	FSC_ATOMIC_UPDATE = 0x31,
	FSC_LOCKDOWN = 0x34,
	FSC_EXCLUSIVE = 0x35,
};

/* ISS of MSR, MRS and SYS: the encoding of the register, without its direction and the general register. */
#define SYSREG_ID(op0, op1, crn, crm, op2) ((uint32_t)((op0) << 20 | (op2) << 17 | (op1) << 14 | (crn) << 10 | (crm) << 1))
#define ESR_SYSREG(esr)                    ((uint32_t)(esr) & (uint32_t)(BITS(21, 10) | BITS(4, 1)))
#define SYSREG_OP0(id)                     ((id) >> 20 & 3)
#define SYSREG_OP2(id)                     ((id) >> 17 & 7)
#define SYSREG_OP1(id)                     ((id) >> 14 & 7)
#define SYSREG_CRN(id)                     ((id) >> 10 & 15)
#define SYSREG_CRM(id)                     ((id) >> 1 & 15)
/* Op0 3, Op1 0, CRn 0, CRm 1 to 7: the space of identification registers. */
static inline bool sysreg_is_identification(uint32_t id)
{
	return (id & ~SYSREG_ID(0, 0, 0, 7, 7)) == SYSREG_ID(3, 0, 0, 0, 0) && SYSREG_CRM(id) != 0;
}
#define ESR_SYSREG_READ    BIT(0)
#define ESR_SYSREG_RT(esr) ((unsigned)((esr) >> 5) & 31)

/* "data abort from a lower level", ...; for reports. */
const char *esr_class_name(uint64_t esr);
/* "translation fault, level 2", ... of an abort's syndrome, into `text`. */
void esr_fault_name(uint64_t esr, char *text, size_t size);

#endif

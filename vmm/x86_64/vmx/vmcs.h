/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Field encodings, controls and exit codes of the VMCS. Intel SDM vol. 3 "Virtual Machine Control Structures" and
 * app. A to C.
 */
#ifndef NESTLING_VMM_X86_64_VMX_VMCS_H
#define NESTLING_VMM_X86_64_VMX_VMCS_H

#include "include/panic.h"
#include "include/types.h"

/* SDM vol. 3 app. B "Field Encoding in VMCS", by its names, in its order. */
enum vmcs_field {
	VPID = 0x0000,
	GUEST_ES_SELECTOR = 0x0800,
	GUEST_CS_SELECTOR = 0x0802,
	GUEST_SS_SELECTOR = 0x0804,
	GUEST_DS_SELECTOR = 0x0806,
	GUEST_FS_SELECTOR = 0x0808,
	GUEST_GS_SELECTOR = 0x080a,
	GUEST_LDTR_SELECTOR = 0x080c,
	GUEST_TR_SELECTOR = 0x080e,
	HOST_ES_SELECTOR = 0x0c00,
	HOST_CS_SELECTOR = 0x0c02,
	HOST_SS_SELECTOR = 0x0c04,
	HOST_DS_SELECTOR = 0x0c06,
	HOST_FS_SELECTOR = 0x0c08,
	HOST_GS_SELECTOR = 0x0c0a,
	HOST_TR_SELECTOR = 0x0c0c,
	MSR_BITMAP = 0x2004,
	TSC_OFFSET = 0x2010,
	EPT_POINTER = 0x201a,
	ENCLS_EXITING_BITMAP = 0x202e,
	ENCLV_EXITING_BITMAP = 0x2036,
	GUEST_PHYSICAL_ADDRESS = 0x2400,
	VMCS_LINK_POINTER = 0x2800,
	GUEST_IA32_DEBUGCTL = 0x2802,
	GUEST_IA32_PAT = 0x2804,
	GUEST_IA32_EFER = 0x2806,
	GUEST_PDPTE0 = 0x280a, /* and three more, 2 apart */
	GUEST_PDPTE1 = 0x280c,
	GUEST_PDPTE2 = 0x280e,
	GUEST_PDPTE3 = 0x2810,
	HOST_IA32_PAT = 0x2c00,
	HOST_IA32_EFER = 0x2c02,
	PIN_BASED_CONTROLS = 0x4000,
	PROCESSOR_BASED_CONTROLS = 0x4002,
	EXCEPTION_BITMAP = 0x4004,
	PAGE_FAULT_ERROR_CODE_MASK = 0x4006,
	PAGE_FAULT_ERROR_CODE_MATCH = 0x4008,
	CR3_TARGET_COUNT = 0x400a,
	EXIT_CONTROLS = 0x400c,
	EXIT_MSR_STORE_COUNT = 0x400e,
	EXIT_MSR_LOAD_COUNT = 0x4010,
	ENTRY_CONTROLS = 0x4012,
	ENTRY_MSR_LOAD_COUNT = 0x4014,
	ENTRY_INTERRUPTION_INFO = 0x4016,
	ENTRY_EXCEPTION_ERROR_CODE = 0x4018,
	ENTRY_INSTRUCTION_LENGTH = 0x401a,
	SECONDARY_CONTROLS = 0x401e,
	VM_INSTRUCTION_ERROR = 0x4400,
	EXIT_REASON = 0x4402,
	EXIT_INTERRUPTION_INFO = 0x4404,
	EXIT_INTERRUPTION_ERROR_CODE = 0x4406,
	IDT_VECTORING_INFO = 0x4408,
	IDT_VECTORING_ERROR_CODE = 0x440a,
	EXIT_INSTRUCTION_LENGTH = 0x440c,
	GUEST_ES_LIMIT = 0x4800,
	GUEST_CS_LIMIT = 0x4802,
	GUEST_SS_LIMIT = 0x4804,
	GUEST_DS_LIMIT = 0x4806,
	GUEST_FS_LIMIT = 0x4808,
	GUEST_GS_LIMIT = 0x480a,
	GUEST_LDTR_LIMIT = 0x480c,
	GUEST_TR_LIMIT = 0x480e,
	GUEST_GDTR_LIMIT = 0x4810,
	GUEST_IDTR_LIMIT = 0x4812,
	GUEST_ES_ACCESS_RIGHTS = 0x4814,
	GUEST_CS_ACCESS_RIGHTS = 0x4816,
	GUEST_SS_ACCESS_RIGHTS = 0x4818,
	GUEST_DS_ACCESS_RIGHTS = 0x481a,
	GUEST_FS_ACCESS_RIGHTS = 0x481c,
	GUEST_GS_ACCESS_RIGHTS = 0x481e,
	GUEST_LDTR_ACCESS_RIGHTS = 0x4820,
	GUEST_TR_ACCESS_RIGHTS = 0x4822,
	GUEST_INTERRUPTIBILITY = 0x4824,
	GUEST_ACTIVITY = 0x4826,
	GUEST_SYSENTER_CS = 0x482a,
	PREEMPTION_TIMER_VALUE = 0x482e,
	HOST_SYSENTER_CS = 0x4c00,
	CR0_MASK = 0x6000,
	CR4_MASK = 0x6002,
	CR0_SHADOW = 0x6004,
	CR4_SHADOW = 0x6006,
	EXIT_QUALIFICATION = 0x6400,
	GUEST_LINEAR_ADDRESS = 0x640a,
	GUEST_CR0 = 0x6800,
	GUEST_CR3 = 0x6802,
	GUEST_CR4 = 0x6804,
	GUEST_ES_BASE = 0x6806,
	GUEST_CS_BASE = 0x6808,
	GUEST_SS_BASE = 0x680a,
	GUEST_DS_BASE = 0x680c,
	GUEST_FS_BASE = 0x680e,
	GUEST_GS_BASE = 0x6810,
	GUEST_LDTR_BASE = 0x6812,
	GUEST_TR_BASE = 0x6814,
	GUEST_GDTR_BASE = 0x6816,
	GUEST_IDTR_BASE = 0x6818,
	GUEST_DR7 = 0x681a,
	GUEST_RSP = 0x681c,
	GUEST_RIP = 0x681e,
	GUEST_RFLAGS = 0x6820,
	GUEST_PENDING_DEBUG = 0x6822,
	GUEST_SYSENTER_ESP = 0x6824,
	GUEST_SYSENTER_EIP = 0x6826,
	HOST_CR0 = 0x6c00,
	HOST_CR3 = 0x6c02,
	HOST_CR4 = 0x6c04,
	HOST_FS_BASE = 0x6c06,
	HOST_GS_BASE = 0x6c08,
	HOST_TR_BASE = 0x6c0a,
	HOST_GDTR_BASE = 0x6c0c,
	HOST_IDTR_BASE = 0x6c0e,
	HOST_SYSENTER_ESP = 0x6c10,
	HOST_SYSENTER_EIP = 0x6c12,
	HOST_RSP = 0x6c14,
	HOST_RIP = 0x6c16,
};

/* Pin-based controls */
#define PIN_EXTERNAL_INTERRUPT_EXITING BIT(0)
#define PIN_NMI_EXITING                BIT(3)
#define PIN_VIRTUAL_NMIS               BIT(5)
#define PIN_PREEMPTION_TIMER           BIT(6)
/* Primary processor-based controls */
#define CPU_INTERRUPT_WINDOW_EXITING   BIT(2)
#define CPU_USE_TSC_OFFSETTING         BIT(3)
#define CPU_HLT_EXITING                BIT(7)
#define CPU_INVLPG_EXITING             BIT(9)
#define CPU_MWAIT_EXITING              BIT(10)
#define CPU_RDPMC_EXITING              BIT(11)
#define CPU_RDTSC_EXITING              BIT(12)
#define CPU_CR3_LOAD_EXITING           BIT(15)
#define CPU_CR3_STORE_EXITING          BIT(16)
#define CPU_CR8_LOAD_EXITING           BIT(19)
#define CPU_CR8_STORE_EXITING          BIT(20)
#define CPU_MOV_DR_EXITING             BIT(23)
#define CPU_NMI_WINDOW_EXITING         BIT(22)
#define CPU_UNCONDITIONAL_IO           BIT(24)
#define CPU_USE_MSR_BITMAPS            BIT(28)
#define CPU_MONITOR_EXITING            BIT(29)
#define CPU_SECONDARY_CONTROLS         BIT(31)
/* Secondary processor-based controls */
#define CPU2_ENABLE_EPT                BIT(1)
#define CPU2_ENABLE_VPID               BIT(5)
#define CPU2_UNRESTRICTED_GUEST        BIT(7)
#define CPU2_ENCLS_EXITING             BIT(15)
#define CPU2_ENCLV_EXITING             BIT(28)
/* VM-exit controls */
#define EXIT_SAVE_DEBUG_CONTROLS       BIT(2)
#define EXIT_HOST_64                   BIT(9)
#define EXIT_ACK_INTERRUPT             BIT(15)
#define EXIT_LOAD_IA32_PAT             BIT(19)
#define EXIT_SAVE_IA32_EFER            BIT(20)
#define EXIT_LOAD_IA32_EFER            BIT(21)
#define EXIT_SAVE_PREEMPTION_TIMER     BIT(22)
/* VM-entry controls */
#define ENTRY_LOAD_DEBUG_CONTROLS      BIT(2)
#define ENTRY_IA32E_GUEST              BIT(9)
#define ENTRY_LOAD_IA32_PAT            BIT(14)
#define ENTRY_LOAD_IA32_EFER           BIT(15)

/* IA32_VMX_BASIC */
#define VMX_BASIC_REVISION(v) ((uint32_t)(v)&0x7fffffff)
#define VMX_BASIC_32BIT_ADDR  BIT(48)
#define VMX_BASIC_TRUE_CTLS   BIT(55)

/* IA32_VMX_EPT_VPID_CAP */
#define EPT_CAP_EXEC_ONLY     BIT(0)
#define EPT_CAP_4_LEVEL       BIT(6)
#define EPT_CAP_WB            BIT(14)
#define EPT_CAP_2M            BIT(16)
#define EPT_CAP_1G            BIT(17)
#define EPT_CAP_INVEPT        BIT(20)
#define EPT_CAP_AD            BIT(21)
#define EPT_CAP_INVEPT_SINGLE BIT(25)
#define EPT_CAP_INVEPT_ALL    BIT(26)

/* IA32_VMX_MISC: the preemption timer counts down once when this bit of the TSC changes. */
#define VMX_MISC_TIMER_BIT(v) ((unsigned)(v)&31)

/* EPT pointer. SDM vol. 3 "Extended-Page-Table Pointer (EPTP)" */
#define EPTP_WB        6
#define EPTP_LEVELS(n) ((uint64_t)((n)-1) << 3)
#define EPTP_ENABLE_AD BIT(6)

enum invept_type { INVEPT_SINGLE_CONTEXT = 1, INVEPT_ALL_CONTEXT = 2 };

/* Interruption information: VM-entry's, VM-exit's and IDT-vectoring's agree on these. */
#define INTR_VALID      BIT(31)
#define INTR_ERROR_CODE BIT(11)
#define INTR_TYPE(i)    (unsigned)((i) >> 8 & 7)
#define INTR_VECTOR(i)  ((uint8_t)(i))
enum intr_type {
	INTR_EXTERNAL = 0,
	INTR_NMI = 2,
	INTR_EXCEPTION = 3,
	INTR_SOFTWARE = 4,
	INTR_PRIVILEGED = 5,
	INTR_SOFTWARE_EXCEPTION = 6,
};
/* An IDT-vectoring field without what only the other fields define. */
#define INTR_REINJECT (INTR_VALID | BITS(11, 0))

/* Interruptibility state */
#define BLOCKING_BY_STI    BIT(0)
#define BLOCKING_BY_MOV_SS BIT(1)
#define BLOCKING_BY_NMI    BIT(3)

/* Pending debug exceptions: as in DR6, but for this one, "enabled breakpoint" */
#define PENDING_DEBUG_ENABLED_BP BIT(12)

/* Exit qualification of an EPT violation. SDM vol. 3 "Exit Qualification for EPT Violations" */
#define EPTV_READ   BIT(0)
#define EPTV_WRITE  BIT(1)
#define EPTV_FETCH  BIT(2)
#define EPTV_PERMS  BITS(6, 3) /* what the entry allowed: none, if it was not present */
#define EPTV_LINEAR BIT(7)     /* there was a linear address */
#define EPTV_FINAL  BIT(8)     /* the access was to its translation; else to a paging structure */

/* Exit qualification of an I/O instruction */
#define IO_SIZE(q)    ((unsigned)((q)&7) + 1)
#define IO_IN         BIT(3)
#define IO_STRING     BIT(4)
#define IO_PORT_OF(q) ((q) >> 16 & 0xffff)

/* Exit qualification of a control-register access */
#define CR_NUMBER(q)      ((unsigned)((q)&15))
#define CR_ACCESS(q)      ((unsigned)((q) >> 4 & 3))
#define CR_GPR(q)         ((unsigned)((q) >> 8 & 15))
#define CR_LMSW_SOURCE(q) ((q) >> 16 & 0xffff)
enum cr_access { CR_MOV_TO, CR_MOV_FROM, CR_CLTS, CR_LMSW };

/* SDM vol. 3 app. C "VMX Basic Exit Reasons" */
enum exit_reason {
	EXIT_EXCEPTION_OR_NMI = 0,
	EXIT_EXTERNAL_INTERRUPT = 1,
	EXIT_TRIPLE_FAULT = 2,
	EXIT_INTERRUPT_WINDOW = 7,
	EXIT_NMI_WINDOW = 8,
	EXIT_CPUID = 10,
	EXIT_GETSEC = 11,
	EXIT_HLT = 12,
	EXIT_INVD = 13,
	EXIT_RDPMC = 15,
	EXIT_VMCALL = 18,
	EXIT_VMCLEAR = 19,
	EXIT_VMXON = 27,
	EXIT_CR_ACCESS = 28,
	EXIT_IO = 30,
	EXIT_RDMSR = 31,
	EXIT_WRMSR = 32,
	EXIT_INVALID_GUEST_STATE = 33,
	EXIT_MSR_LOADING = 34,
	EXIT_MWAIT = 36,
	EXIT_MONITOR = 39,
	EXIT_MACHINE_CHECK_ON_ENTRY = 41,
	EXIT_EPT_VIOLATION = 48,
	EXIT_EPT_MISCONFIGURATION = 49,
	EXIT_INVEPT = 50,
	EXIT_PREEMPTION_TIMER = 52,
	EXIT_INVVPID = 53,
	EXIT_XSETBV = 55,
	EXIT_ENCLS = 60,
	EXIT_ENCLV = 70,
};
#define EXIT_REASON_BASIC(r)     ((r)&0xffff)
#define EXIT_REASON_ENTRY_FAILED BIT(31)

/* Access rights of a segment. SDM vol. 3 "Guest Register State" */
#define AR_TYPE(ar) ((unsigned)((ar)&15))
#define AR_S        BIT(4)
#define AR_DPL(ar)  ((unsigned)((ar) >> 5 & 3))
#define AR_DPL_MASK BITS(6, 5)
#define AR_P        BIT(7)
#define AR_L        BIT(13)
#define AR_DB       BIT(14)
#define AR_UNUSABLE BIT(16)
#define AR_CODE64   0xa09b
#define AR_CODE32   0xc09b
#define AR_CODE16   0x009b
#define AR_DATA     0xc093
#define AR_DATA16   0x0093
#define AR_TSS_BUSY 0x008b
#define AR_LDT      0x0082

/* The current VMCS's field; one that this CPU has. */
static inline uint64_t vmread(enum vmcs_field field)
{
	uint64_t value;

	__asm__ volatile("vmread %1, %0" : "=r"(value) : "r"((uint64_t)field) : "cc");
	return value;
}

static inline void vmwrite(enum vmcs_field field, uint64_t value)
{
	bool failed;

	__asm__ volatile("vmwrite %2, %1" : "=@ccbe"(failed) : "r"((uint64_t)field), "r"(value) : "memory");
	if (__builtin_expect(failed, false))
		panic("vmx: VMWRITE of %#lx to field %#x failed", value, field);
}

/* The same of a field that was written before, so it is there. */
static inline void vmwrite_known(enum vmcs_field field, uint64_t value)
{
	__asm__ volatile("vmwrite %1, %0" : : "r"((uint64_t)field), "r"(value) : "cc", "memory");
}

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bits of control registers, descriptors and CPUID, by the manuals' names.
 * Sources: Intel SDM vol. 3 "Control Registers", "Segment Descriptors"; SDM vol. 2 "CPUID"; AMD APM vol. 3 "CPUID".
 */
#ifndef NESTLING_ARCH_X86_64_CPU_H
#define NESTLING_ARCH_X86_64_CPU_H

#include "include/types.h"

#define CR0_PE BIT(0)
#define CR0_MP BIT(1)
#define CR0_EM BIT(2)
#define CR0_TS BIT(3)
#define CR0_ET BIT(4)
#define CR0_NE BIT(5)
#define CR0_WP BIT(16)
#define CR0_AM BIT(18)
#define CR0_NW BIT(29)
#define CR0_CD BIT(30)
#define CR0_PG BIT(31)

/* Those that mean anything: writes to the others are ignored. */
#define CR0_KNOWN (CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD | CR0_PG)

#define CR4_VME        BIT(0)
#define CR4_PVI        BIT(1)
#define CR4_TSD        BIT(2)
#define CR4_DE         BIT(3)
#define CR4_PSE        BIT(4)
#define CR4_PAE        BIT(5)
#define CR4_MCE        BIT(6)
#define CR4_PGE        BIT(7)
#define CR4_PCE        BIT(8)
#define CR4_OSFXSR     BIT(9)
#define CR4_OSXMMEXCPT BIT(10)
#define CR4_UMIP       BIT(11)
#define CR4_LA57       BIT(12)
#define CR4_VMXE       BIT(13)
#define CR4_SMXE       BIT(14)
#define CR4_FSGSBASE   BIT(16)
#define CR4_PCIDE      BIT(17)
#define CR4_OSXSAVE    BIT(18)
#define CR4_SMEP       BIT(20)
#define CR4_SMAP       BIT(21)
#define CR4_PKE        BIT(22)
#define CR4_CET        BIT(23)

#define RFLAGS_ONE BIT(1) /* always set */
#define RFLAGS_TF  BIT(8)
#define RFLAGS_IF  BIT(9)
#define RFLAGS_DF  BIT(10)
#define RFLAGS_NT  BIT(14)
#define RFLAGS_RF  BIT(16)
#define RFLAGS_VM  BIT(17)
#define RFLAGS_AC  BIT(18)

#define DR6_HITS       BITS(3, 0) /* breakpoints 0 to 3 */
#define DR6_BD         BIT(13)
#define DR6_BS         BIT(14)
#define DR6_RESET      UINT64_C(0xffff0ff0)
#define DR7_ENABLE_ALL BITS(7, 0)
#define DR7_GD         BIT(13)
#define DR7_RESET      UINT64_C(0x400)

/* Exception vectors. Intel SDM vol. 3 "Exception and Interrupt Reference". */
enum vector {
	VECTOR_DE = 0,
	VECTOR_DB = 1,
	VECTOR_NMI = 2,
	VECTOR_BP = 3,
	VECTOR_OF = 4,
	VECTOR_BR = 5,
	VECTOR_UD = 6,
	VECTOR_NM = 7,
	VECTOR_DF = 8,
	VECTOR_TS = 10,
	VECTOR_NP = 11,
	VECTOR_SS = 12,
	VECTOR_GP = 13,
	VECTOR_PF = 14,
	VECTOR_MF = 16,
	VECTOR_AC = 17,
	VECTOR_MC = 18,
	VECTOR_XM = 19,
	VECTOR_VE = 20,
	VECTOR_CP = 21,
};

/* Error code of a page fault. Intel SDM vol. 3 "Page-Fault Exceptions"; AMD reports nested faults in the same bits. */
#define PF_PRESENT  BIT(0)
#define PF_WRITE    BIT(1)
#define PF_USER     BIT(2)
#define PF_RESERVED BIT(3)
#define PF_FETCH    BIT(4)

/* Entries of the four-level page tables of long mode. Intel SDM vol. 3 "4-Level Paging and 5-Level Paging". */
#define PTE_P    BIT(0)
#define PTE_RW   BIT(1)
#define PTE_US   BIT(2)
#define PTE_PWT  BIT(3)
#define PTE_PCD  BIT(4)
#define PTE_A    BIT(5)
#define PTE_D    BIT(6)
#define PTE_PS   BIT(7)
#define PTE_G    BIT(8)
#define PTE_NX   BIT(63)
#define PTE_ADDR BITS(51, 12)

/* Segment descriptors: flat ones as a GDT holds them. */
#define GDT_CODE64              UINT64_C(0x00af9b000000ffff) /* 64-bit code, readable, accessed, DPL 0 */
#define GDT_DATA                UINT64_C(0x00cf93000000ffff) /* data, writable, accessed, 4 GiB limit, DPL 0 */
/* Type field of a system descriptor. */
#define GDT_TYPE_LDT            0x2
#define GDT_TYPE_TSS_AVAILABLE  0x9
#define GDT_TYPE_TSS_BUSY       0xb
#define GDT_TYPE_INTERRUPT_GATE 0xe

/* CPUID leaf 1 */
#define CPUID_1_ECX_SSE3         BIT(0)
#define CPUID_1_ECX_PCLMULQDQ    BIT(1)
#define CPUID_1_ECX_VMX          BIT(5)
#define CPUID_1_ECX_SSSE3        BIT(9)
#define CPUID_1_ECX_CMPXCHG16B   BIT(13)
#define CPUID_1_ECX_PCID         BIT(17)
#define CPUID_1_ECX_SSE4_1       BIT(19)
#define CPUID_1_ECX_SSE4_2       BIT(20)
#define CPUID_1_ECX_X2APIC       BIT(21)
#define CPUID_1_ECX_MOVBE        BIT(22)
#define CPUID_1_ECX_POPCNT       BIT(23)
#define CPUID_1_ECX_TSC_DEADLINE BIT(24)
#define CPUID_1_ECX_AESNI        BIT(25)
#define CPUID_1_ECX_XSAVE        BIT(26)
#define CPUID_1_ECX_OSXSAVE      BIT(27)
#define CPUID_1_ECX_RDRAND       BIT(30)
#define CPUID_1_ECX_HYPERVISOR   BIT(31)
#define CPUID_1_EDX_FPU          BIT(0)
#define CPUID_1_EDX_DE           BIT(2)
#define CPUID_1_EDX_PSE          BIT(3)
#define CPUID_1_EDX_TSC          BIT(4)
#define CPUID_1_EDX_MSR          BIT(5)
#define CPUID_1_EDX_PAE          BIT(6)
#define CPUID_1_EDX_MCE          BIT(7)
#define CPUID_1_EDX_CX8          BIT(8)
#define CPUID_1_EDX_APIC         BIT(9)
#define CPUID_1_EDX_SEP          BIT(11)
#define CPUID_1_EDX_MTRR         BIT(12)
#define CPUID_1_EDX_PGE          BIT(13)
#define CPUID_1_EDX_MCA          BIT(14)
#define CPUID_1_EDX_CMOV         BIT(15)
#define CPUID_1_EDX_PAT          BIT(16)
#define CPUID_1_EDX_PSE36        BIT(17)
#define CPUID_1_EDX_CLFSH        BIT(19)
#define CPUID_1_EDX_MMX          BIT(23)
#define CPUID_1_EDX_FXSR         BIT(24)
#define CPUID_1_EDX_SSE          BIT(25)
#define CPUID_1_EDX_SSE2         BIT(26)
#define CPUID_1_EDX_HTT          BIT(28)

/* CPUID leaf 7, subleaf 0 */
#define CPUID_7_EBX_FSGSBASE   BIT(0)
#define CPUID_7_EBX_BMI1       BIT(3)
#define CPUID_7_EBX_SMEP       BIT(7)
#define CPUID_7_EBX_BMI2       BIT(8)
#define CPUID_7_EBX_ERMS       BIT(9)
#define CPUID_7_EBX_INVPCID    BIT(10)
#define CPUID_7_EBX_RDSEED     BIT(18)
#define CPUID_7_EBX_ADX        BIT(19)
#define CPUID_7_EBX_SMAP       BIT(20)
#define CPUID_7_EBX_CLFLUSHOPT BIT(23)
#define CPUID_7_EBX_CLWB       BIT(24)
#define CPUID_7_EBX_SHA        BIT(29)
#define CPUID_7_ECX_UMIP       BIT(2)
#define CPUID_7_ECX_LA57       BIT(16)
#define CPUID_7_ECX_RDPID      BIT(22)
#define CPUID_7_EDX_FSRM       BIT(4)

/* CPUID leaf 0x80000001 */
#define CPUID_81_ECX_LAHF      BIT(0)
#define CPUID_81_ECX_SVM       BIT(2)
#define CPUID_81_ECX_LZCNT     BIT(5)
#define CPUID_81_ECX_SSE4A     BIT(6)
#define CPUID_81_ECX_PREFETCHW BIT(8)
#define CPUID_81_EDX_SYSCALL   BIT(11)
#define CPUID_81_EDX_NX        BIT(20)
#define CPUID_81_EDX_MMXEXT    BIT(22)
#define CPUID_81_EDX_PDPE1GB   BIT(26)
#define CPUID_81_EDX_RDTSCP    BIT(27)
#define CPUID_81_EDX_LM        BIT(29)

/* CPUID leaf 0x8000000a, AMD APM vol. 3 "SVM Revision and Feature Identification" */
#define CPUID_8A_EDX_NP            BIT(0)
#define CPUID_8A_EDX_SVML          BIT(2)
#define CPUID_8A_EDX_NRIPS         BIT(3)
#define CPUID_8A_EDX_VMCBCLEAN     BIT(5)
#define CPUID_8A_EDX_FLUSHBYASID   BIT(6)
#define CPUID_8A_EDX_DECODEASSISTS BIT(7)

#endif

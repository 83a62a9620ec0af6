/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Supervisor Binary Interface: what firmware offers us, and what we offer a guest.
 * Source: RISC-V Supervisor Binary Interface Specification 2.0; chapter numbers of that version.
 */
#ifndef NESTLING_ARCH_RISCV64_SBI_H
#define NESTLING_ARCH_RISCV64_SBI_H

#include "include/types.h"

/* 3. Binary Encoding: standard error codes. */
enum sbi_error {
	SBI_SUCCESS = 0,
	SBI_ERR_FAILED = -1,
	SBI_ERR_NOT_SUPPORTED = -2,
	SBI_ERR_INVALID_PARAM = -3,
	SBI_ERR_DENIED = -4,
	SBI_ERR_INVALID_ADDRESS = -5,
	SBI_ERR_ALREADY_AVAILABLE = -6,
};

/* Extension ids. */
#define SBI_LEGACY_SET_TIMER       0x00 /* 5. Legacy Extensions, 0 to 8 */
#define SBI_LEGACY_PUTCHAR         0x01
#define SBI_LEGACY_GETCHAR         0x02
#define SBI_LEGACY_CLEAR_IPI       0x03
#define SBI_LEGACY_SEND_IPI        0x04
#define SBI_LEGACY_FENCE_I         0x05
#define SBI_LEGACY_SFENCE_VMA      0x06
#define SBI_LEGACY_SFENCE_VMA_ASID 0x07
#define SBI_LEGACY_SHUTDOWN        0x08
#define SBI_BASE                   0x10       /* 4. Base Extension */
#define SBI_TIME                   0x54494d45 /* 6. Timer Extension */
#define SBI_IPI                    0x735049   /* 7. IPI Extension */
#define SBI_RFENCE                 0x52464e43 /* 8. RFENCE Extension */
#define SBI_HSM                    0x48534d   /* 9. Hart State Management Extension */
#define SBI_SRST                   0x53525354 /* 10. System Reset Extension */
#define SBI_DBCN                   0x4442434e /* 12. Debug Console Extension */

enum sbi_base {
	SBI_BASE_SPEC_VERSION,
	SBI_BASE_IMPL_ID,
	SBI_BASE_IMPL_VERSION,
	SBI_BASE_PROBE,
	SBI_BASE_MVENDORID,
	SBI_BASE_MARCHID,
	SBI_BASE_MIMPID
};
enum sbi_ipi { SBI_IPI_SEND };
enum sbi_time { SBI_TIME_SET_TIMER };
enum sbi_rfence { SBI_RFENCE_FENCE_I, SBI_RFENCE_SFENCE_VMA, SBI_RFENCE_SFENCE_VMA_ASID };
enum sbi_hsm { SBI_HSM_HART_START, SBI_HSM_HART_STOP, SBI_HSM_HART_STATUS, SBI_HSM_HART_SUSPEND };
enum sbi_srst { SBI_SRST_SYSTEM_RESET };
enum sbi_dbcn { SBI_DBCN_WRITE, SBI_DBCN_READ, SBI_DBCN_WRITE_BYTE };

/* 9. HSM: hart states and suspend types. */
enum sbi_hsm_state { SBI_HSM_STARTED, SBI_HSM_STOPPED };
#define SBI_HSM_SUSPEND_RETENTIVE     0
#define SBI_HSM_SUSPEND_NON_RETENTIVE 0x80000000

/* 10. SRST: reset types and reasons. */
enum sbi_srst_type { SBI_SRST_SHUTDOWN, SBI_SRST_COLD_REBOOT, SBI_SRST_WARM_REBOOT };
enum sbi_srst_reason { SBI_SRST_NO_REASON, SBI_SRST_SYSTEM_FAILURE };

/* 4.1: major number from bit 24. */
#define SBI_VERSION(major, minor) ((uint64_t)(major) << 24 | (minor))

struct sbi_result {
	int64_t error; /* enum sbi_error */
	uint64_t value;
};

/* Call the firmware below us. */
static inline struct sbi_result sbi_call(uint64_t extension, uint64_t function, uint64_t arg0, uint64_t arg1, uint64_t arg2)
{
	register uint64_t a0 __asm__("a0") = arg0;
	register uint64_t a1 __asm__("a1") = arg1;
	register uint64_t a2 __asm__("a2") = arg2;
	register uint64_t a6 __asm__("a6") = function;
	register uint64_t a7 __asm__("a7") = extension;

	__asm__ volatile("ecall" : "+r"(a0), "+r"(a1) : "r"(a2), "r"(a6), "r"(a7) : "memory");
	return (struct sbi_result){ .error = (int64_t)a0, .value = a1 };
}

static inline bool sbi_has(uint64_t extension)
{
	struct sbi_result result = sbi_call(SBI_BASE, SBI_BASE_PROBE, extension, 0, 0);

	return result.error == SBI_SUCCESS && result.value != 0;
}

#endif

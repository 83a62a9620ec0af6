/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls of a RISC-V guest to whoever runs it. Source: RISC-V SBI Specification 2.0, "Binary Encoding". */
#ifndef NESTLING_GUEST_RT_RISCV64_SBI_H
#define NESTLING_GUEST_RT_RISCV64_SBI_H

#include <stdint.h>

enum sbi_error {
	SBI_SUCCESS = 0,
	SBI_ERR_FAILED = -1,
	SBI_ERR_NOT_SUPPORTED = -2,
	SBI_ERR_DENIED = -4,
	SBI_ERR_ALREADY_AVAILABLE = -6,
};

int64_t sbi_call(uint64_t extension, uint64_t function, uint64_t arg[4], uint64_t *value);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* The CSRs' names as they are, and registers that a fuzz target fills. */
#ifndef NESTLING_TESTS_FUZZ_RISCV64_CSR_H
#define NESTLING_TESTS_FUZZ_RISCV64_CSR_H

#include_next "include/arch/riscv64/csr.h"

#include <stdint.h>

extern uint64_t fake_csrs[4096];

#undef csr_read
#undef csr_write
#undef csr_set
#undef csr_clear
#define csr_read(csr)         (fake_csrs[csr])
#define csr_write(csr, value) ((void)(fake_csrs[csr] = (value)))
#define csr_set(csr, bits)    ((void)(fake_csrs[csr] |= (bits)))
#define csr_clear(csr, bits)  ((void)(fake_csrs[csr] &= ~(uint64_t)(bits)))

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* A guest's call of its SBI, and what it is answered. */
#ifndef NESTLING_VMM_RISCV64_SBI_CALL_H
#define NESTLING_VMM_RISCV64_SBI_CALL_H

#include "include/arch/riscv64/sbi.h"
#include "vmm/vm.h"

struct sbi_request {
	uint64_t extension, function;
	const uint64_t *arg; /* a0 and on */
};

static inline struct sbi_result sbi_failure(enum sbi_error error)
{
	return (struct sbi_result){ .error = error };
}

static inline struct sbi_result sbi_success(uint64_t value)
{
	return (struct sbi_result){ .error = SBI_SUCCESS, .value = value };
}

/* harts.c: what concerns several harts. The last two take the address of a mask. */
struct sbi_result harts_ipi_call(struct vcpu *vcpu, const struct sbi_request *call);
struct sbi_result harts_rfence_call(struct vcpu *vcpu, const struct sbi_request *call);
struct sbi_result harts_hsm_call(struct vcpu *vcpu, const struct sbi_request *call);
void harts_legacy_ipi(struct vcpu *vcpu, uint64_t mask_at);
void harts_legacy_fence(struct vcpu *vcpu, uint64_t mask_at);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest's SBI, but for our own hypercalls and what concerns several harts (harts.c): what a kernel needs. Every argument is
 * hostile. Source: RISC-V Supervisor Binary Interface Specification 2.0.
 */
#include "vmm/riscv64/sbi_call.h"

#include "drivers/console.h"
#include "include/log.h"
#include "vmm/riscv64/riscv.h"

/* 4.3: implementation ids are given out by the specification's editors; this one is not among them: "NEST". */
#define IMPL_ID      0x4e455354
#define IMPL_VERSION 1

/* A longer write is cut, and the result says so: 12.1. */
#define CONSOLE_MAX KIB(4)

static bool is_offered(uint64_t extension)
{
	switch (extension) {
	case SBI_LEGACY_SET_TIMER ... SBI_LEGACY_SHUTDOWN:
	case SBI_BASE:
	case SBI_TIME:
	case SBI_IPI:
	case SBI_RFENCE:
	case SBI_HSM:
	case SBI_SRST:
	case SBI_DBCN:
	case SBI_NESTLING:
		return true;
	default:
		return false;
	}
}

static struct sbi_result base_call(const struct sbi_request *call)
{
	switch (call->function) {
	case SBI_BASE_SPEC_VERSION:
		return sbi_success(SBI_VERSION(2, 0));
	case SBI_BASE_IMPL_ID:
		return sbi_success(IMPL_ID);
	case SBI_BASE_IMPL_VERSION:
		return sbi_success(IMPL_VERSION);
	case SBI_BASE_PROBE:
		return sbi_success(is_offered(call->arg[0]));
	case SBI_BASE_MVENDORID: /* the guest runs on the real hart, errata and all */
	case SBI_BASE_MARCHID:
	case SBI_BASE_MIMPID:
		return sbi_call(SBI_BASE, call->function, 0, 0, 0);
	default:
		return sbi_failure(SBI_ERR_NOT_SUPPORTED);
	}
}

static struct sbi_result time_call(struct vcpu *vcpu, const struct sbi_request *call)
{
	if (call->function != SBI_TIME_SET_TIMER)
		return sbi_failure(SBI_ERR_NOT_SUPPORTED);
	timer_set(vcpu, call->arg[0]);
	return sbi_success(0);
}

static struct sbi_result srst_call(struct vcpu *vcpu, const struct sbi_request *call)
{
	uint64_t type = call->arg[0], reason = call->arg[1];

	if (call->function != SBI_SRST_SYSTEM_RESET)
		return sbi_failure(SBI_ERR_NOT_SUPPORTED);
	if (type > SBI_SRST_WARM_REBOOT || reason > SBI_SRST_SYSTEM_FAILURE)
		return sbi_failure(SBI_ERR_INVALID_PARAM);
	/* The status is the reason: 0 for none, 1 for a failure. */
	if (type == SBI_SRST_SHUTDOWN)
		vm_end(vcpu->vm, VM_EXITED, reason);
	else
		vm_reset(vcpu->vm);
	return sbi_success(0);
}

static bool write_chunk(const void *bytes, uint64_t size, void *context)
{
	console_stream_write(context, bytes, size);
	return true;
}

/* 12.1: the address comes in two halves, for RV32's sake; in RV64 the upper one is zero. */
static struct sbi_result console_write_call(struct vm *vm, const struct sbi_request *call)
{
	uint64_t size = min_u64(call->arg[0], CONSOLE_MAX);

	if (call->arg[2] != 0)
		return sbi_failure(SBI_ERR_INVALID_PARAM);
	switch (addr_space_iter_bytes(&vm->as, GPA(call->arg[1]), size, write_chunk, &vm->console)) {
	case ERR_OK:
		return sbi_success(size);
	case ERR_NO_MEMORY:
		return sbi_failure(SBI_ERR_FAILED);
	default:
		return sbi_failure(SBI_ERR_INVALID_PARAM);
	}
}

static void put_char(struct vm *vm, uint64_t byte)
{
	const char c = (char)byte;

	if (c != '\r') /* the console makes its own */
		console_stream_write(&vm->console, &c, 1);
}

static struct sbi_result dbcn_call(struct vcpu *vcpu, const struct sbi_request *call)
{
	switch (call->function) {
	case SBI_DBCN_WRITE:
		return console_write_call(vcpu->vm, call);
	case SBI_DBCN_READ: /* nothing is ever received */
		return sbi_success(0);
	case SBI_DBCN_WRITE_BYTE:
		put_char(vcpu->vm, call->arg[0]);
		return sbi_success(0);
	default:
		return sbi_failure(SBI_ERR_NOT_SUPPORTED);
	}
}

/* 5: one result, in a0; a1 is left alone. */
static uint64_t legacy_call(struct vcpu *vcpu, const struct sbi_request *call)
{
	switch (call->extension) {
	case SBI_LEGACY_SET_TIMER:
		timer_set(vcpu, call->arg[0]);
		return 0;
	case SBI_LEGACY_PUTCHAR:
		put_char(vcpu->vm, call->arg[0]);
		return 0;
	case SBI_LEGACY_GETCHAR:
		return UINT64_MAX;
	case SBI_LEGACY_CLEAR_IPI:
		csr_clear(CSR_HVIP, BIT(IRQ_VSSI));
		return 0;
	case SBI_LEGACY_SEND_IPI:
		harts_legacy_ipi(vcpu, call->arg[0]);
		return 0;
	case SBI_LEGACY_SHUTDOWN:
		vm_end(vcpu->vm, VM_EXITED, 0);
		return 0;
	default:
		harts_legacy_fence(vcpu, call->arg[0]);
		return 0;
	}
}

static struct sbi_result serve(struct vcpu *vcpu, const struct sbi_request *call)
{
	switch (call->extension) {
	case SBI_BASE:
		return base_call(call);
	case SBI_TIME:
		return time_call(vcpu, call);
	case SBI_IPI:
		return harts_ipi_call(vcpu, call);
	case SBI_RFENCE:
		return harts_rfence_call(vcpu, call);
	case SBI_HSM:
		return harts_hsm_call(vcpu, call);
	case SBI_SRST:
		return srst_call(vcpu, call);
	case SBI_DBCN:
		return dbcn_call(vcpu, call);
	default:
		return sbi_failure(SBI_ERR_NOT_SUPPORTED);
	}
}

bool sbi_serve_fast(struct vcpu *vcpu)
{
	uint64_t *gpr = vcpu->arch.gpr;
	const struct sbi_request call = { gpr[GPR_A7], gpr[GPR_A6], &gpr[GPR_A0] };
	struct sbi_result result;

	if (call.extension == SBI_IPI)
		result = harts_ipi_call(vcpu, &call);
	else if (call.extension == SBI_TIME)
		result = time_call(vcpu, &call);
	else
		return false;
	gpr[GPR_A0] = (uint64_t)result.error;
	gpr[GPR_A1] = result.value;
	return true;
}

void sbi_serve(struct vcpu *vcpu)
{
	uint64_t *gpr = vcpu->arch.gpr;
	const struct sbi_request call = { gpr[GPR_A7], gpr[GPR_A6], &gpr[GPR_A0] };
	struct sbi_result result;

	vcpu->arch.pc += 4;
	if (call.extension <= SBI_LEGACY_SHUTDOWN) {
		gpr[GPR_A0] = legacy_call(vcpu, &call);
		return;
	}
	result = serve(vcpu, &call);
	gpr[GPR_A0] = (uint64_t)result.error;
	gpr[GPR_A1] = result.value;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest's SBI, but for our own hypercalls: what a kernel needs on a machine of one hart. Every argument is hostile.
 * Source: RISC-V Supervisor Binary Interface Specification 2.0.
 */
#include "include/arch/riscv64/sbi.h"

#include "drivers/console.h"
#include "include/arch/riscv64/insn.h"
#include "include/log.h"
#include "vmm/riscv64/riscv.h"

/* 4.3: implementation ids are given out by the specification's editors; this one is not among them: "NEST". */
#define IMPL_ID      0x4e455354
#define IMPL_VERSION 1

/* A longer write is cut, and the result says so: 12.1. */
#define CONSOLE_MAX KIB(4)

struct call {
	uint64_t extension, function;
	const uint64_t *arg; /* a0 and on */
};

static struct sbi_result failure(enum sbi_error error)
{
	return (struct sbi_result){ .error = error };
}

static struct sbi_result success(uint64_t value)
{
	return (struct sbi_result){ .error = SBI_SUCCESS, .value = value };
}

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

static struct sbi_result base_call(const struct call *call)
{
	switch (call->function) {
	case SBI_BASE_SPEC_VERSION:
		return success(SBI_VERSION(2, 0));
	case SBI_BASE_IMPL_ID:
		return success(IMPL_ID);
	case SBI_BASE_IMPL_VERSION:
		return success(IMPL_VERSION);
	case SBI_BASE_PROBE:
		return success(is_offered(call->arg[0]));
	case SBI_BASE_MVENDORID: /* the guest runs on the real hart, errata and all */
	case SBI_BASE_MARCHID:
	case SBI_BASE_MIMPID:
		return sbi_call(SBI_BASE, call->function, 0, 0, 0);
	default:
		return failure(SBI_ERR_NOT_SUPPORTED);
	}
}

static struct sbi_result time_call(struct vcpu *vcpu, const struct call *call)
{
	if (call->function != SBI_TIME_SET_TIMER)
		return failure(SBI_ERR_NOT_SUPPORTED);
	timer_set(vcpu, call->arg[0]);
	return success(0);
}

/* 3.1 Hart list parameter: a mask of harts from `base` on, or all of them. There is one. */
static struct sbi_result check_harts(uint64_t mask, uint64_t base, bool *us)
{
	*us = base == UINT64_MAX || (base == GUEST_HART_ID && mask & 1);
	if (base == UINT64_MAX || mask == 0)
		return success(0);
	return base == GUEST_HART_ID && mask == 1 ? success(0) : failure(SBI_ERR_INVALID_PARAM);
}

static struct sbi_result ipi_call(const struct call *call)
{
	struct sbi_result result;
	bool us;

	if (call->function != SBI_IPI_SEND)
		return failure(SBI_ERR_NOT_SUPPORTED);
	result = check_harts(call->arg[0], call->arg[1], &us);
	if (result.error == SBI_SUCCESS && us)
		csr_set(CSR_HVIP, BIT(IRQ_VSSI));
	return result;
}

/* First-stage translations of this VMID, all: the range is the guest's to choose, and may be endless. */
static void fence_guest(void)
{
	fence_i();
	hfence_vvma_all();
}

static struct sbi_result rfence_call(const struct call *call)
{
	struct sbi_result result;
	bool us;

	if (call->function > SBI_RFENCE_SFENCE_VMA_ASID)
		return failure(SBI_ERR_NOT_SUPPORTED);
	result = check_harts(call->arg[0], call->arg[1], &us);
	if (result.error == SBI_SUCCESS && us)
		fence_guest();
	return result;
}

/* To stop the only hart, or have it sleep when nothing can wake it, is to halt. */
static void halt(struct vcpu *vcpu, const char *how)
{
	log_vm_info(vcpu->vm, "guest %s its only hart", how);
	vm_end(vcpu->vm, VM_EXITED, 0);
}

static struct sbi_result suspend(struct vcpu *vcpu, uint64_t type)
{
	if (type != SBI_HSM_SUSPEND_RETENTIVE)
		return failure(type > UINT32_MAX ? SBI_ERR_INVALID_PARAM : SBI_ERR_NOT_SUPPORTED);
	if (timer_can_wake(vcpu))
		timer_wait(vcpu);
	else
		halt(vcpu, "suspended");
	return success(0);
}

static struct sbi_result hsm_call(struct vcpu *vcpu, const struct call *call)
{
	bool us = call->arg[0] == GUEST_HART_ID;

	switch (call->function) {
	case SBI_HSM_HART_START:
		return failure(us ? SBI_ERR_ALREADY_AVAILABLE : SBI_ERR_INVALID_PARAM);
	case SBI_HSM_HART_STOP:
		halt(vcpu, "stopped");
		return success(0);
	case SBI_HSM_HART_STATUS:
		return us ? success(SBI_HSM_STARTED) : failure(SBI_ERR_INVALID_PARAM);
	case SBI_HSM_HART_SUSPEND:
		return suspend(vcpu, call->arg[0]);
	default:
		return failure(SBI_ERR_NOT_SUPPORTED);
	}
}

static struct sbi_result srst_call(struct vcpu *vcpu, const struct call *call)
{
	uint64_t type = call->arg[0], reason = call->arg[1];

	if (call->function != SBI_SRST_SYSTEM_RESET)
		return failure(SBI_ERR_NOT_SUPPORTED);
	if (type > SBI_SRST_WARM_REBOOT || reason > SBI_SRST_SYSTEM_FAILURE)
		return failure(SBI_ERR_INVALID_PARAM);
	if (type != SBI_SRST_SHUTDOWN)
		log_vm_info(vcpu->vm, "guest asked for a reboot, which ends its run");
	/* The status is the reason: 0 for none, 1 for a failure. */
	vm_end(vcpu->vm, VM_EXITED, reason);
	return success(0);
}

static bool write_chunk(void *bytes, uint64_t size, void *context)
{
	console_stream_write(context, bytes, size);
	return true;
}

/* 12.1: the address comes in two halves, for RV32's sake; in RV64 the upper one is zero. */
static struct sbi_result console_write_call(struct vm *vm, const struct call *call)
{
	uint64_t size = min_u64(call->arg[0], CONSOLE_MAX);

	if (call->arg[2] != 0)
		return failure(SBI_ERR_INVALID_PARAM);
	switch (addr_space_iter_bytes(&vm->as, GPA(call->arg[1]), size, NPT_R, write_chunk, &vm->console)) {
	case ERR_OK:
		return success(size);
	case ERR_NO_MEMORY:
		return failure(SBI_ERR_FAILED);
	default:
		return failure(SBI_ERR_INVALID_PARAM);
	}
}

static void put_char(struct vm *vm, uint64_t byte)
{
	const char c = (char)byte;

	if (c != '\r') /* the console makes its own */
		console_stream_write(&vm->console, &c, 1);
}

static struct sbi_result dbcn_call(struct vcpu *vcpu, const struct call *call)
{
	switch (call->function) {
	case SBI_DBCN_WRITE:
		return console_write_call(vcpu->vm, call);
	case SBI_DBCN_READ: /* nothing is ever received */
		return success(0);
	case SBI_DBCN_WRITE_BYTE:
		put_char(vcpu->vm, call->arg[0]);
		return success(0);
	default:
		return failure(SBI_ERR_NOT_SUPPORTED);
	}
}

/* 5: one result, in a0; a1 is left alone. What names harts does so by a mask in memory: there is one, so it is not read. */
static uint64_t legacy_call(struct vcpu *vcpu, const struct call *call)
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
		csr_set(CSR_HVIP, BIT(IRQ_VSSI));
		return 0;
	case SBI_LEGACY_SHUTDOWN:
		vm_end(vcpu->vm, VM_EXITED, 0);
		return 0;
	default:
		fence_guest();
		return 0;
	}
}

static struct sbi_result serve(struct vcpu *vcpu, const struct call *call)
{
	switch (call->extension) {
	case SBI_BASE:
		return base_call(call);
	case SBI_TIME:
		return time_call(vcpu, call);
	case SBI_IPI:
		return ipi_call(call);
	case SBI_RFENCE:
		return rfence_call(call);
	case SBI_HSM:
		return hsm_call(vcpu, call);
	case SBI_SRST:
		return srst_call(vcpu, call);
	case SBI_DBCN:
		return dbcn_call(vcpu, call);
	default:
		return failure(SBI_ERR_NOT_SUPPORTED);
	}
}

void sbi_serve(struct vcpu *vcpu)
{
	uint64_t *gpr = vcpu->arch.gpr;
	const struct call call = { gpr[GPR_A7], gpr[GPR_A6], &gpr[GPR_A0] };
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

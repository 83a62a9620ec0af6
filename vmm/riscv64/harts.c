/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a guest's harts ask of each other: SBI's HSM, IPI and RFENCE extensions, and the legacy calls with the same ends.
 * Source: RISC-V Supervisor Binary Interface Specification 2.0, 3.1, 5, 7, 8, 9.
 *
 * A request is noted at its vCPU and served there (harts_serve.c): when that comes into a CPU, or, while it is in one, by an
 * interrupt of that CPU. The note is made first and the vCPU's state read then; who runs a vCPU sets its state first and reads the
 * notes then.
 */
#include "include/arch/cpu.h"
#include "include/arch/riscv64/insn.h"
#include "vmm/riscv64/riscv.h"
#include "vmm/riscv64/sbi_call.h"
#include "vmm/sched.h"
#include "vmm/shootdown.h"

_Static_assert(VCPU_MAX <= 64, "a mask of harts is one word");

static bool is_running(const struct vcpu *vcpu)
{
	return __atomic_load_n(&vcpu->state, __ATOMIC_RELAXED) == VCPU_RUNNING;
}

/* What has been noted at `vcpu` is seen there soon. */
static void interrupt(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;
	struct cpu *cpu = NULL;

	spin_lock(&vm->lock);
	if (vcpu->state == VCPU_RUNNING)
		cpu = vcpu->cpu;
	spin_unlock(&vm->lock);
	if (cpu)
		arch_ipi_send(cpu);
}

static void send_ipis(struct vcpu *by, uint64_t harts)
{
	for (uint64_t left = harts; left; left &= left - 1) {
		struct vcpu *to = vm_vcpu(by->vm, (unsigned)__builtin_ctzll(left));

		if (to == by) {
			csr_set(CSR_HVIP, BIT(IRQ_VSSI));
			continue;
		}
		__atomic_store_n(&to->arch.ipi, 1, __ATOMIC_SEQ_CST);
		sched_notify(to);
	}
}

/*
 * Has the vCPU fenced, or will before it runs on? When the VM ends, or a vCPU stops all others, this one leaves its hart, too; all
 * fence then when they come into a hart again.
 */
static bool has_fenced(const struct vcpu *vcpu, uint64_t ticket)
{
	const struct vm *vm = vcpu->vm;

	return __atomic_load_n(&vcpu->arch.fence_done, __ATOMIC_ACQUIRE) >= ticket || !is_running(vcpu) || !vm_is_running(vm) ||
	       __atomic_load_n(&vm->stopper, __ATOMIC_RELAXED);
}

/*
 * The others have fenced when this returns, or will before they run again. Meanwhile this one serves what they ask of it, since
 * they may be waiting in here as well.
 */
static void fence_harts(struct vcpu *by, uint64_t harts)
{
	uint64_t tickets[VCPU_MAX], others = harts & ~BIT(by->id);

	for (uint64_t left = others; left; left &= left - 1) {
		unsigned id = (unsigned)__builtin_ctzll(left);

		tickets[id] = __atomic_add_fetch(&vm_vcpu(by->vm, id)->arch.fence_wanted, 1, __ATOMIC_SEQ_CST);
		interrupt(vm_vcpu(by->vm, id));
	}
	if (harts & BIT(by->id))
		harts_fence();
	for (uint64_t left = others; left; left &= left - 1) {
		unsigned id = (unsigned)__builtin_ctzll(left);

		while (!has_fenced(vm_vcpu(by->vm, id), tickets[id])) {
			harts_serve(by);
			shootdown_serve();
			arch_cpu_pause();
		}
	}
}

/* --- Calls ---------------------------------------------------------------------------------------------------------------- */

static uint64_t all_harts(const struct vm *vm)
{
	return BITS(vm->vcpus - 1, 0);
}

/* 3.1 Hart list parameter: a mask of harts from `base` on, or all of them. Ids of vCPUs go from 0 to vcpus - 1. */
static struct sbi_result read_harts(const struct vm *vm, uint64_t mask, uint64_t base, uint64_t *harts)
{
	*harts = all_harts(vm);
	if (base == UINT64_MAX)
		return sbi_success(0);
	*harts = base < 64 ? mask << base : 0;
	if (mask == 0)
		return sbi_success(0);
	if (base >= vm->vcpus || mask & ~(all_harts(vm) >> base))
		return sbi_failure(SBI_ERR_INVALID_PARAM);
	return sbi_success(0);
}

struct sbi_result harts_ipi_call(struct vcpu *vcpu, const struct sbi_request *call)
{
	struct sbi_result result;
	uint64_t harts;

	if (call->function != SBI_IPI_SEND)
		return sbi_failure(SBI_ERR_NOT_SUPPORTED);
	result = read_harts(vcpu->vm, call->arg[0], call->arg[1], &harts);
	if (result.error == SBI_SUCCESS)
		send_ipis(vcpu, harts);
	return result;
}

struct sbi_result harts_rfence_call(struct vcpu *vcpu, const struct sbi_request *call)
{
	struct sbi_result result;
	uint64_t harts;

	if (call->function > SBI_RFENCE_SFENCE_VMA_ASID)
		return sbi_failure(SBI_ERR_NOT_SUPPORTED);
	result = read_harts(vcpu->vm, call->arg[0], call->arg[1], &harts);
	if (result.error == SBI_SUCCESS)
		fence_harts(vcpu, harts);
	return result;
}

/*
 * 5: these take a virtual address of a mask, or 0 for all harts. Of one that cannot be read all are meant, too: a fence or an
 * interrupt more does no harm.
 */
static uint64_t legacy_harts(const struct vcpu *vcpu, uint64_t at)
{
	uint64_t mask = 0;

	if (vcpu->vm->vcpus == 1 || at == 0 || !guest_load(at, &mask))
		return all_harts(vcpu->vm);
	return mask & all_harts(vcpu->vm);
}

void harts_legacy_ipi(struct vcpu *vcpu, uint64_t mask_at)
{
	send_ipis(vcpu, legacy_harts(vcpu, mask_at));
}

void harts_legacy_fence(struct vcpu *vcpu, uint64_t mask_at)
{
	fence_harts(vcpu, legacy_harts(vcpu, mask_at));
}

/* 9.1 Function: Hart start */
static struct sbi_result start(struct vcpu *vcpu, const struct sbi_request *call)
{
	struct vcpu *other = vm_vcpu(vcpu->vm, call->arg[0]);

	if (!other)
		return sbi_failure(SBI_ERR_INVALID_PARAM);
	if (!vm_is_ram(vcpu->vm, GPA(call->arg[1]), 1))
		return sbi_failure(SBI_ERR_INVALID_ADDRESS);
	if (sched_start_at(other, vcpu, call->arg[1], call->arg[2]) != ERR_OK)
		return sbi_failure(SBI_ERR_ALREADY_AVAILABLE);
	return sbi_success(0);
}

static struct sbi_result status(const struct vcpu *vcpu, const struct sbi_request *call)
{
	const struct vcpu *other = vm_vcpu(vcpu->vm, call->arg[0]);

	if (!other)
		return sbi_failure(SBI_ERR_INVALID_PARAM);
	return sbi_success(__atomic_load_n(&other->state, __ATOMIC_RELAXED) == VCPU_OFF ? SBI_HSM_STOPPED : SBI_HSM_STARTED);
}

/* To stop the last hart is to halt. */
static struct sbi_result stop(struct vcpu *vcpu)
{
	vcpu->leave_why = "stopped its only hart";
	vcpu->leave = LEAVE_OFF;
	return sbi_success(0);
}

/*
 * 9.4 Function: Hart suspend. From a non-retentive one the hart comes back as it has begun, with what is pending and enabled as it
 * was; nobody sees the difference if it is made so at once. What is returned is what it finds in a0 and a1.
 */
static struct sbi_result suspend(struct vcpu *vcpu, const struct sbi_request *call)
{
	uint64_t type = call->arg[0], resume = call->arg[1];
	struct sbi_result result = sbi_success(0);

	if (type != SBI_HSM_SUSPEND_RETENTIVE && type != SBI_HSM_SUSPEND_NON_RETENTIVE)
		return sbi_failure(type > UINT32_MAX ? SBI_ERR_INVALID_PARAM : SBI_ERR_NOT_SUPPORTED);
	if (type == SBI_HSM_SUSPEND_NON_RETENTIVE) {
		if (!vm_is_ram(vcpu->vm, GPA(resume), 1))
			return sbi_failure(SBI_ERR_INVALID_ADDRESS);
		result = (struct sbi_result){ .error = (enum sbi_error)vcpu->id, .value = call->arg[2] };
		csr_write(CSR_VSATP, 0);
		csr_clear(CSR_VSSTATUS, SSTATUS_SIE);
		vcpu->arch.pc = resume;
	}
	timer_wait(vcpu);
	if (vcpu->leave == LEAVE_WAIT)
		vcpu->leave_why = "suspended its only hart";
	return result;
}

struct sbi_result harts_hsm_call(struct vcpu *vcpu, const struct sbi_request *call)
{
	switch (call->function) {
	case SBI_HSM_HART_START:
		return start(vcpu, call);
	case SBI_HSM_HART_STOP:
		return stop(vcpu);
	case SBI_HSM_HART_STATUS:
		return status(vcpu, call);
	case SBI_HSM_HART_SUSPEND:
		return suspend(vcpu, call);
	default:
		return sbi_failure(SBI_ERR_NOT_SUPPORTED);
	}
}

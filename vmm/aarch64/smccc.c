/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Calls of the guest by HVC: Arm's SMC Calling Convention (DEN0028), "Function Identifier Ranges", "Arm Architecture Calls",
 * "General Service Queries", and the Power State Coordination Interface (DEN0022), "Functions".
 *
 * Nestling's own calls are in the range of vendor-specific hypervisor services, owner 6: 0xc6000000 plus the number of
 * vmm/hypercall.h, with 64-bit arguments in x1 to x4, or 0x86000000 plus it, with 32-bit ones.
 */
#include "vmm/aarch64/smccc.h"
#include "vmm/hypercall.h"
#include "vmm/sched.h"

#include "include/log.h"

#define VENDOR_HYP_UID      UINT32_C(0x8600ff01)
#define VENDOR_HYP_REVISION UINT32_C(0x8600ff03)

#define SMCCC_SUCCESS       UINT64_C(0)
#define SMCCC_NOT_SUPPORTED ((uint64_t)-1)

/* As the words of x0 to x3: 4e657374-6c69-4e67-8000-000000000006, bytes in order from the lowest. */
static const uint32_t nestling_uid[4] = { 0x7473654e, 0x674e696c, 0x00000080, 0x06000000 };

#define PSCI_CPU_SUSPEND       UINT32_C(0x84000001)
#define PSCI_CPU_OFF           UINT32_C(0x84000002)
#define PSCI_CPU_ON            UINT32_C(0x84000003)
#define PSCI_AFFINITY_INFO     UINT32_C(0x84000004)
#define PSCI_MIGRATE_INFO_TYPE UINT32_C(0x84000006)
#define PSCI_SYSTEM_OFF        UINT32_C(0x84000008)
#define PSCI_SYSTEM_RESET      UINT32_C(0x84000009)

#define PSCI_VERSION_1_1        0x10001
#define PSCI_INVALID_PARAMETERS ((uint64_t)-2)
#define PSCI_ALREADY_ON         ((uint64_t)-4)
#define PSCI_INVALID_ADDRESS    ((uint64_t)-9)
#define PSCI_AFFINITY_ON        UINT64_C(0)
#define PSCI_AFFINITY_OFF       UINT64_C(1)
#define PSCI_NO_TRUSTED_OS      UINT64_C(2)

/* --- PSCI ----------------------------------------------------------------------------------------------------------- */

static bool psci_has(uint32_t function)
{
	switch (function) {
	case PSCI_VERSION:
	case PSCI_CPU_SUSPEND:
	case PSCI_CPU_SUSPEND | SMCCC_64:
	case PSCI_CPU_OFF:
	case PSCI_CPU_ON:
	case PSCI_CPU_ON | SMCCC_64:
	case PSCI_AFFINITY_INFO:
	case PSCI_AFFINITY_INFO | SMCCC_64:
	case PSCI_MIGRATE_INFO_TYPE:
	case PSCI_SYSTEM_OFF:
	case PSCI_SYSTEM_RESET:
	case PSCI_FEATURES:
	case SMCCC_VERSION: /* DEN0022, "PSCI_FEATURES": how a caller finds out that there is SMCCC 1.1 */
		return true;
	default:
		return false;
	}
}

static uint64_t psci_system_off(struct vm *vm)
{
	log_vm_info(vm, "guest switched itself off");
	vm_end(vm, VM_EXITED, 0);
	return SMCCC_SUCCESS;
}

static uint64_t psci_system_reset(struct vm *vm)
{
	vm_reset(vm);
	return SMCCC_SUCCESS;
}

/* Aff0 is the vCPU's id, all else is 0. */
static uint64_t psci_affinity_info(struct vm *vm, const struct vcpu_arch *arch)
{
	const struct vcpu *other = vm_vcpu(vm, smccc_argument(arch, 1));
	enum vcpu_state state;

	if (!other || smccc_argument(arch, 2) != 0)
		return PSCI_INVALID_PARAMETERS;
	spin_lock(&vm->lock);
	state = other->state;
	spin_unlock(&vm->lock);
	return state == VCPU_OFF ? PSCI_AFFINITY_OFF : PSCI_AFFINITY_ON;
}

static uint64_t psci_cpu_on(struct vcpu *vcpu)
{
	const struct vcpu_arch *arch = &vcpu->arch;
	struct vcpu *other = vm_vcpu(vcpu->vm, smccc_argument(arch, 1));
	uint64_t entry = smccc_argument(arch, 2);

	if (!other)
		return PSCI_INVALID_PARAMETERS;
	if (entry % 4 != 0 || !vm_is_ram(vcpu->vm, GPA(entry), 4))
		return PSCI_INVALID_ADDRESS;
	return sched_start_at(other, vcpu, entry, smccc_argument(arch, 3)) == ERR_OK ? SMCCC_SUCCESS : PSCI_ALREADY_ON;
}

static uint64_t leave_cpu(struct vcpu *vcpu, enum vcpu_leave leave, const char *why)
{
	vcpu->leave = leave;
	vcpu->leave_why = why;
	return SMCCC_SUCCESS;
}

static uint64_t psci_call(struct vcpu *vcpu, uint32_t function)
{
	const struct vcpu_arch *arch = &vcpu->arch;
	struct vm *vm = vcpu->vm;

	if (!psci_has(function))
		return SMCCC_NOT_SUPPORTED;
	switch (function & ~(uint32_t)SMCCC_64) {
	case PSCI_VERSION:
		return PSCI_VERSION_1_1;
	case PSCI_FEATURES:
		return psci_has((uint32_t)arch->x[1]) ? SMCCC_SUCCESS : SMCCC_NOT_SUPPORTED;
	case PSCI_CPU_ON:
		return psci_cpu_on(vcpu);
	case PSCI_AFFINITY_INFO:
		return psci_affinity_info(vm, arch);
	case PSCI_MIGRATE_INFO_TYPE:
		return PSCI_NO_TRUSTED_OS;
	case PSCI_CPU_OFF:
		return leave_cpu(vcpu, LEAVE_OFF, "switched off its last vCPU");
	case PSCI_CPU_SUSPEND:
		return !interrupts_wait(vcpu) ?
			       SMCCC_SUCCESS :
			       leave_cpu(vcpu, LEAVE_WAIT, "suspended its last vCPU, and there is no interrupt to wake it");
	case PSCI_SYSTEM_OFF:
		return psci_system_off(vm);
	default:
		return psci_system_reset(vm);
	}
}

/* --- All the rest --------------------------------------------------------------------------------------------------- */

static void tell_uid(struct vcpu_arch *arch)
{
	for (unsigned i = 0; i < ARRAY_LEN(nestling_uid); i++)
		arch->x[i] = nestling_uid[i];
}

void smccc_call(struct vcpu *vcpu)
{
	struct vcpu_arch *arch = &vcpu->arch;
	uint32_t function = smccc_function(arch), about = (uint32_t)arch->x[1];

	if (ESR_IMM16(arch->esr) != 0) { /* reserved: DEN0028, "Conduit instructions" */
		arch->x[0] = SMCCC_NOT_SUPPORTED;
		return;
	}
	switch (function) {
	case SMCCC_VERSION:
		arch->x[0] = SMCCC_VERSION_1_1;
		break;
	case SMCCC_ARCH_FEATURES:
		arch->x[0] = about == SMCCC_VERSION || about == SMCCC_ARCH_FEATURES ? SMCCC_SUCCESS : SMCCC_NOT_SUPPORTED;
		break;
	case VENDOR_HYP_UID:
		tell_uid(arch);
		break;
	case VENDOR_HYP_REVISION:
		arch->x[0] = HYPERCALL_ABI_VERSION;
		arch->x[1] = 0;
		break;
	default:
		arch->x[0] = psci_call(vcpu, function);
		break;
	}
}

/* DEN0028: a conduit that is not the one in use answers every call so. The device tree says that HVC is. */
void smccc_refuse(struct vcpu_arch *arch)
{
	arch->x[0] = SMCCC_NOT_SUPPORTED;
	skip_instruction(arch); /* unlike HVC, a trapped SMC is where it was */
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Errors that the machine reports late. What a guest has caused is pending perhaps when it leaves the CPU: it is waited for and
 * taken then, so that the next guest does not end for it. Arm ARM (DDI 0487), "SError exception", "Error
 * synchronization event", "ESB".
 */
#include "include/arch/aarch64/guarded.h"
#include "include/log.h"
#include "vmm/aarch64/aarch64.h"

void take_late_errors(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;
	uint64_t none = 0;

	/* ESB is a hint, of no effect without FEAT_RAS; there a barrier with SErrors unmasked is all that can be done. */
	if (GUARDED("msr daifclr, #4\n\tdsb sy\n\thint #16\n\tisb\n\tmsr daifset, #4", [none] "+&r"(none)))
		return;
	log_vm_err(vm, "the guest has caused an error that the machine reports late: ESR_EL2 %#lx", read_sysreg(esr_el2));
	__atomic_store_n(&vm->outcome, VM_CRASHED, __ATOMIC_RELEASE); /* however well it thinks it has ended */
}

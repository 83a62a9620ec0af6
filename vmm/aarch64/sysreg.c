/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System registers that trap: identification is answered (id.c), the debug registers are there and do nothing, all others
 * are not the guest's and give an undefined-instruction exception, as on a CPU that lacks them.
 * Source: Arm ARM (DDI 0487), "System instruction class encoding overview" and each register's "Accessing" section.
 */
#include "include/log.h"
#include "vmm/aarch64/aarch64.h"

/* A guest may probe all it likes: this many are logged. */
#define SYSREGS_LOGGED 8

#define ACTLR_EL1  SYSREG_ID(3, 0, 1, 0, 1)
#define OSLSR_EL1  SYSREG_ID(2, 0, 1, 1, 4)
#define OSLSR_OSLM BIT(3) /* there is an OS lock; it is not locked */

/* Op0 2; trace has Op1 1. */
static bool is_debug(uint32_t id)
{
	return SYSREG_OP0(id) == 2 && (SYSREG_OP1(id) == 0 || SYSREG_OP1(id) == 3);
}

static bool sysreg_read(const struct vm *vm, uint32_t id, uint64_t *value)
{
	if (sysreg_is_identification(id)) {
		*value = guest_id_register(vm, SYSREG_CRM(id), SYSREG_OP2(id));
		return true;
	}
	if (is_debug(id) || id == ACTLR_EL1) {
		*value = id == OSLSR_EL1 ? OSLSR_OSLM : 0;
		return true;
	}
	return interrupts_sysreg_read(id, value);
}

static bool sysreg_write(struct vcpu *vcpu, uint32_t id, uint64_t value)
{
	return is_debug(id) || id == ACTLR_EL1 || interrupts_sysreg_write(vcpu, id, value);
}

static void log_undefined(struct vcpu *vcpu, bool read, uint32_t id)
{
	struct vcpu_arch *arch = &vcpu->arch;

	if (arch->sysregs_logged >= SYSREGS_LOGGED)
		return;
	arch->sysregs_logged++;
	log_vm_warn(vcpu->vm, "guest's %s of system register S%u_%u_C%u_C%u_%u at pc %#lx: undefined%s", read ? "read" : "write",
		    SYSREG_OP0(id), SYSREG_OP1(id), SYSREG_CRN(id), SYSREG_CRM(id), SYSREG_OP2(id), arch->pc,
		    arch->sysregs_logged == SYSREGS_LOGGED ? "; further ones are not logged" : "");
}

void emulate_sysreg(struct vcpu *vcpu)
{
	struct vcpu_arch *arch = &vcpu->arch;
	uint32_t id = ESR_SYSREG(arch->esr);
	bool read = arch->esr & ESR_SYSREG_READ;
	unsigned rt = ESR_SYSREG_RT(arch->esr);
	uint64_t value = rt == 31 ? 0 : arch->x[rt];

	if (read ? !sysreg_read(vcpu->vm, id, &value) : !sysreg_write(vcpu, id, value)) {
		log_undefined(vcpu, read, id);
		inject_undefined(arch);
		return;
	}
	if (read)
		arch->x[rt] = value;
	skip_instruction(arch);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* A user program under the guest's kernel: it has no way to the hypervisor, and its waits are its own. */
#include "tests/guests/aarch64/vectors.h"

#define EC_SVC64  0x15
#define EC_WFX    0x01
#define EC_SYSREG 0x18

#define SCTLR_NTWI BIT_(16) /* WFI and WFE at EL0 do not trap to EL1 */
#define SCTLR_NTWE BIT_(18)

/* The class of the exception that an instruction raises at EL0. x0 and x1 are those of an EXIT with status 99. */
#define USER(insn)                                                                        \
	({                                                                                \
		register uint64_t x0_ __asm__("x0") = 0xc6000001, x1_ __asm__("x1") = 99; \
		uint64_t esr_ = TRAP_OF("msr spsr_el1, xzr\n\t"                           \
					"adr x16, 772f\n\t"                               \
					"msr elr_el1, x16\n\t"                            \
					"eret\n"                                          \
					"772:\t" insn,                                    \
					"+r"(x0_), "+r"(x1_)                              \
					:);                                               \
		esr_ == NO_TRAP ? 64 : ESR_EC(esr_);                                      \
	})

int guest_main(void)
{
	trap_init();
	CHECK(USER("svc #0") == EC_SVC64 && (trap.spsr & 0xf) == 0);
	CHECK(USER("hvc #0") == EC_UNDEFINED);
	CHECK(USER("smc #0") == EC_UNDEFINED);
	CHECK(USER("wfi") == EC_WFX);
	CHECK(USER("mrs x0, sctlr_el1") == EC_UNDEFINED);
	CHECK(USER("mrs x0, hcr_el2") == EC_UNDEFINED);
	CHECK(USER("udf #0") == EC_UNDEFINED);
	CHECK(USER("mrs x0, pmccntr_el0") == EC_UNDEFINED || ESR_EC(trap.esr) == EC_SYSREG);
	/* A kernel that lets its programs wait: that is not the end of the VM. */
	MSR("sctlr_el1", MRS("sctlr_el1") | SCTLR_NTWI | SCTLR_NTWE);
	isb();
	CHECK(USER("wfi\n\twfi\n\tsvc #0") == EC_SVC64 && (trap.spsr & 0xf) == 0);
	CHECK(USER("wfe\n\tsvc #0") == EC_SVC64);
	return check_status("user");
}

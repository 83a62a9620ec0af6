/* SPDX-License-Identifier: BSD-2-Clause */
/* Registers of a guest that not every CPU has. Source: Arm ARM (DDI 0487), each register's description. */
#include "include/arch/aarch64/guarded.h"
#include "vmm/aarch64/aarch64.h"

/* "APIAKeyLo_EL1" and those that follow it: instruction keys A and B, data keys A and B, the generic one. */
#define FOR_PAUTH_KEYS(each)                                                                                              \
	each(S3_0_C2_C1_0) each(S3_0_C2_C1_1) each(S3_0_C2_C1_2) each(S3_0_C2_C1_3) each(S3_0_C2_C2_0) each(S3_0_C2_C2_1) \
		each(S3_0_C2_C2_2) each(S3_0_C2_C2_3) each(S3_0_C2_C3_0) each(S3_0_C2_C3_1)

#define COUNT(name) +1
#define READ(name)  *values++ = read_sysreg(name);
#define WRITE(name) write_sysreg(name, *values++);
_Static_assert(0 FOR_PAUTH_KEYS(COUNT) == PAUTH_KEYS, "PAUTH_KEYS");

void read_pauth_keys(uint64_t keys[PAUTH_KEYS])
{
	uint64_t *values = keys;

	FOR_PAUTH_KEYS(READ)
}

void write_pauth_keys(const uint64_t keys[PAUTH_KEYS])
{
	const uint64_t *values = keys;

	FOR_PAUTH_KEYS(WRITE)
}

/* Constant once the first CPU is enabled. */
static bool has_ras, has_tpidr2;

/* SCR_EL3.EnTP2 may keep TPIDR2_EL0 from all below EL3: it is tried. */
void registers_init(void)
{
	uint64_t value;

	has_ras = id_field(read_sysreg(id_aa64pfr0_el1), ID_AA64PFR0_RAS_SHIFT) != 0;
	has_tpidr2 = id_field(read_sysreg(ID_AA64PFR1_EL1), ID_AA64PFR1_SME_SHIFT) != 0 && sysreg_try_read(TPIDR2_EL0, &value);
}

void read_extra_registers(struct extra_registers *extra)
{
	if (has_ras)
		extra->vdisr = read_sysreg(VDISR_EL2);
	if (has_tpidr2)
		extra->tpidr2 = read_sysreg(TPIDR2_EL0);
}

void write_extra_registers(const struct extra_registers *extra)
{
	if (has_ras) {
		write_sysreg(VDISR_EL2, extra->vdisr);
		write_sysreg(VSESR_EL2, 0); /* the syndrome of a virtual SError, which is never raised */
	}
	if (has_tpidr2)
		write_sysreg(TPIDR2_EL0, extra->tpidr2);
}

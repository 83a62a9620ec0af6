/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether an AArch64 hypervisor runs with HCR_EL2.E2H set: on CPUs of all kinds, most of which no emulator here has. */
#include "include/arch/aarch64/e2h.h"

/* The CPU's identification registers, by name. */
static uint64_t fake_sysreg(const char *name);
#undef read_sysreg
#define read_sysreg(name) fake_sysreg(#name)

#include "vmm/aarch64/e2h.c"

#include <string.h>

#include "tests/host/host.h"

static struct {
	uint64_t mmfr1, mmfr4;
	uint64_t keeps, always; /* of HCR_EL2: the bits that it has, and those that are 1 whatever is written */
	unsigned tried;
} cpu;

static uint64_t fake_sysreg(const char *name)
{
	if (strcmp(name, "id_aa64mmfr1_el1") == 0)
		return cpu.mmfr1;
	assert_string_equal(name, "ID_AA64MMFR4_EL1");
	return cpu.mmfr4;
}

uint64_t try_hcr(uint64_t value)
{
	cpu.tried++;
	return (value & cpu.keeps) | cpu.always;
}

#define E2H     (UINT64_C(1) << 34)
#define VH      (UINT64_C(1) << 8)
#define NO_E2H0 (UINT64_C(0xf) << 24) /* ID_AA64MMFR4_EL1.E2H0 is signed: -1, not implemented; -2, nor is NV1 */

static const struct choice {
	const char *which;
	uint64_t mmfr1, mmfr4, keeps, always;
	bool wanted, can, set;
} choices[] = {
	{ "Cortex-A72", 0, 0, ~E2H, 0, false, true, false },
	{ "Cortex-A72, vhe = on", 0, 0, ~E2H, 0, true, false, false },
	{ "Neoverse N1", VH, 0, ~UINT64_C(0), 0, false, true, false },
	{ "Neoverse N1, vhe = on", VH, 0, ~UINT64_C(0), 0, true, true, true },
	/* It has no field that says so, or none that is not 0. */
	{ "Apple's", VH, 0, ~UINT64_C(0), E2H, false, true, true },
	{ "Apple's, vhe = on", VH, 0, ~UINT64_C(0), E2H, true, true, true },
	{ "KVM's EL2", VH, NO_E2H0, ~UINT64_C(0), E2H, false, true, true },
	{ "the same without NV1", VH, UINT64_C(0xe) << 24, ~UINT64_C(0), E2H, false, true, true },
	/* What the register says is believed, whatever is read back of the bit. */
	{ "one that hides the bit", VH, NO_E2H0, ~E2H, 0, false, true, true },
};

static void each_cpu_gets_its_mode(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(choices); i++) {
		const struct choice *c = &choices[i];

		cpu.mmfr1 = c->mmfr1;
		cpu.mmfr4 = c->mmfr4;
		cpu.keeps = c->keeps;
		cpu.always = c->always;
		cpu.tried = 0;
		host_e2h = false;
		CHECK(e2h_choose(c->wanted) == c->can, "%s", c->which);
		CHECK(host_e2h == c->set, "%s", c->which);
		CHECK_EQ(host_hcr(), (UINT64_C(1) << 31) | (c->set ? E2H : 0));
		/* Where the CPU says it, nothing has to be tried. */
		CHECK_EQ(cpu.tried, c->mmfr4 == 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(each_cpu_gets_its_mode) };

	return cmocka_run_group_tests_name("e2h", tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Looks for what the CPUID instruction may not tell a guest. */
#include "tests/guests/check.h"
#include "tests/guests/x86_64/cpu.h"

static void hypervisor_leaves(void)
{
	struct cpuid r = cpuid(0x40000000, 0);
	const char *name = rt_hypervisor();

	CHECK(r.eax >= 0x40000001 && r.eax <= 0x400000ff);
	CHECK(strlen(name) > 0);
	for (const char *c = name; *c; c++)
		CHECK(*c >= ' ' && *c <= '~');
	CHECK(cpuid(0x40000001, 0).eax <= 1);
	rt_printf("cpuid_check: \"%s\", calls by %s\n", name, cpuid(0x40000001, 0).eax ? "vmmcall" : "vmcall");
}

static void host_features(void)
{
	CHECK((cpuid(1, 0).ecx & 1u << 31) != 0);         /* under a hypervisor */
	CHECK((cpuid(1, 0).ecx & 1u << 5) == 0);          /* VMX */
	CHECK((cpuid(1, 0).ecx & 1u << 6) == 0);          /* SMX */
	CHECK((cpuid(1, 0).ecx & 1u << 3) == 0);          /* MONITOR */
	CHECK((cpuid(0x80000001, 0).ecx & 1u << 2) == 0); /* SVM */
	if (cpuid(0x80000000, 0).eax >= 0x8000000a) {
		struct cpuid svm = cpuid(0x8000000a, 0);

		CHECK((svm.eax | svm.ebx | svm.ecx | svm.edx) == 0);
	}
	CHECK(physical_bits() >= 32 && physical_bits() <= 52);
	CHECK((cpuid(0x80000001, 0).edx & 1u << 29) != 0); /* long mode */
}

int guest_main(void)
{
	hypervisor_leaves();
	host_features();
	for (uint32_t leaf = 1; leaf != 0; leaf <<= 1)
		for (uint32_t subleaf = 0; subleaf < 40; subleaf++)
			cpuid(leaf | leaf >> 31, subleaf);
	cpuid(~0u, ~0u);
	return check_status("cpuid_check");
}

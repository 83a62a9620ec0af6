/* SPDX-License-Identifier: BSD-2-Clause */
/* Uses model-specific registers that are not its own. */
#include "tests/guests/check.h"
#include "tests/guests/x86_64/trap.h"

static int read_msr(uint32_t msr)
{
	uint32_t low = 0, high = 0;

	return TRAP_OF("rdmsr", "+a"(low), "+d"(high) : "c"(msr));
}

static int write_msr(uint32_t msr)
{
	return TRAP_OF("wrmsr", : "c"(msr), "a"(1), "d"(0));
}

int guest_main(void)
{
	static const uint32_t msrs[] = {
		0x3a,       /* IA32_FEATURE_CONTROL */
		0x480,      /* IA32_VMX_BASIC */
		0x48c,      /* IA32_VMX_EPT_VPID_CAP */
		0xc0010114, /* VM_CR */
		0xc0010117, /* VM_HSAVE_PA */
		0x12345678, 0x1fff,     0x2000,     0xbfffffff, 0xc0001fff,
		0xc0002000, 0xc0011fff, 0xffffffff, 0x4b564d02, /* for page faults of KVM's */
		0x40000000,                                     /* an id of Hyper-V's */
	};

	trap_init();
	for (size_t i = 0; i < sizeof(msrs) / sizeof(*msrs); i++)
		if (read_msr(msrs[i]) != VECTOR_GP || write_msr(msrs[i]) != VECTOR_GP || trap_error != 0) {
			rt_printf("FAILED: MSR 0x%x: vector %ld, error %ld\n", msrs[i], trap_vector, trap_error);
			check_failures++;
		}
	for (unsigned i = 0; i < 5000; i++)
		CHECK(read_msr(0x50000000 + i) == VECTOR_GP);
	return check_status("bad_msr");
}

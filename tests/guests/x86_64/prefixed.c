/* SPDX-License-Identifier: BSD-2-Clause */
/* Redundant prefixes in front of instructions that leave the guest: it goes on behind the whole, where the CPU says how long that
 * was. */
#include "tests/guests/check.h"
#include "tests/guests/x86_64/cpu.h"

#define MSR_EFER 0xc0000080u

/* CPUID of the same leaf, with PREFIXES; what follows it must be executed once. */
#define CPUID_BEHIND(prefixes, result, after)                                                                          \
	__asm__ volatile(".byte " prefixes "\n\tcpuid\n\tincq %1"                                                      \
			 : "=a"((result).eax), "+r"(after), "=b"((result).ebx), "=c"((result).ecx), "=d"((result).edx) \
			 : "0"(0), "3"(0))

static void cpuids(void)
{
	struct cpuid plain = cpuid(0, 0), r;
	uint64_t after = 0;

	CPUID_BEHIND("0x2e", r, after);
	CHECK(r.ebx == plain.ebx && after == 1);
	CPUID_BEHIND("0x67, 0x2e", r, after);
	CHECK(r.ebx == plain.ebx && after == 2);
	CPUID_BEHIND("0x67, 0x67, 0x2e, 0x2e, 0x2e, 0x2e, 0x48", r, after);
	CHECK(r.ebx == plain.ebx && after == 3);
}

static void msrs(void)
{
	uint32_t plain_low, plain_high, low, high;
	uint64_t after = 0;

	__asm__ volatile("rdmsr" : "=a"(plain_low), "=d"(plain_high) : "c"(MSR_EFER));
	__asm__ volatile(".byte 0x67, 0x2e\n\trdmsr\n\tincq %2" : "=a"(low), "=d"(high), "+r"(after) : "c"(MSR_EFER));
	CHECK(low == plain_low && high == plain_high && after == 1);
}

int guest_main(void)
{
	cpuids();
	msrs();
	return check_status("prefixed");
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Executes the instructions of VMX and SVM, and the other vendor's hypercall: none of them is there for a guest. The last one
 * it executes at one place again and again, which must not become the hypercall that there is.
 */
#include "tests/guests/check.h"
#include "tests/guests/x86_64/cpu.h"
#include "tests/guests/x86_64/trap.h"

#define CHECK_UD(insn, ...) CHECK(TRAP_OF(insn, __VA_ARGS__) == VECTOR_UD)

static uint64_t region[512] __attribute__((aligned(4096)));

static void vmx(void)
{
	uint64_t address = (uintptr_t)region;

	CHECK_UD("vmxon %0", : "m"(address));
	CHECK_UD("vmxoff", :);
	CHECK_UD("vmclear %0", : "m"(address));
	CHECK_UD("vmptrld %0", : "m"(address));
	CHECK_UD("vmptrst %0", "=m"(address) :);
	CHECK_UD("vmlaunch", :);
	CHECK_UD("vmresume", :);
	CHECK_UD("vmread %1, %0", "=r"(address) : "r"(0ul));
	CHECK_UD("vmwrite %0, %1", : "r"(0ul), "r"(0ul));
	CHECK_UD("invept %0, %1", : "m"(region), "r"(1ul));
	CHECK_UD("invvpid %0, %1", : "m"(region), "r"(1ul));
}

static void svm(void)
{
	CHECK_UD("vmrun", : "a"(region));
	CHECK_UD("vmload", : "a"(region));
	CHECK_UD("vmsave", : "a"(region));
	CHECK_UD("stgi", :);
	CHECK_UD("clgi", :);
	CHECK_UD("skinit", : "a"(0));
	CHECK_UD("invlpga", : "a"(0ul), "c"(1));
}

static void other_hypercall(bool vmmcall)
{
	for (unsigned i = 0; i < 100; i++)
		if (vmmcall)
			CHECK_UD("vmmcall", : "a"(RT_CALL_EXIT), "D"(99));
		else
			CHECK_UD("vmcall", : "a"(RT_CALL_EXIT), "D"(99));
}

int guest_main(void)
{
	trap_init();
	vmx();
	svm();
	other_hypercall(cpuid(0x40000001, 0).eax == 0);
	return check_status("virt_insns");
}

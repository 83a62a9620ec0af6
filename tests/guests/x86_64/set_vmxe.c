/* SPDX-License-Identifier: BSD-2-Clause */
/* Tries to switch virtualization on for itself. */
#include "tests/guests/check.h"
#include "tests/guests/x86_64/trap.h"

#define CR4_VMXE  (1ul << 13)
#define MSR_EFER  0xc0000080
#define EFER_SVME (1u << 12)

static uint64_t read_cr4(void)
{
	uint64_t value;

	__asm__ volatile("movq %%cr4, %0" : "=r"(value));
	return value;
}

static uint64_t read_efer(void)
{
	uint32_t low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(MSR_EFER));
	return (uint64_t)high << 32 | low;
}

int guest_main(void)
{
	uint64_t efer = read_efer();

	trap_init();
	CHECK((read_cr4() & CR4_VMXE) == 0);
	CHECK(TRAP_OF("movq %0, %%cr4", : "r"(read_cr4() | CR4_VMXE)) == VECTOR_GP);
	CHECK((read_cr4() & CR4_VMXE) == 0);
	CHECK(TRAP_OF("movq %0, %%cr4", : "r"(read_cr4())) == NO_TRAP);

	CHECK((efer & EFER_SVME) == 0);
	CHECK((efer & 0x500) == 0x500); /* long mode: enabled and active */
	CHECK(TRAP_OF("wrmsr", : "c"(MSR_EFER), "a"((uint32_t)efer | EFER_SVME), "d"(0)) == VECTOR_GP);
	CHECK(read_efer() == efer);
	CHECK(TRAP_OF("wrmsr", : "c"(MSR_EFER), "a"((uint32_t)efer | 1), "d"(0)) == NO_TRAP); /* SCE */
	CHECK(read_efer() == (efer | 1));
	CHECK(TRAP_OF("wrmsr", : "c"(MSR_EFER), "a"(0), "d"(0)) == VECTOR_GP); /* LME while paging */
	CHECK(read_efer() == (efer | 1));
	return check_status("set_vmxe");
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* vCPUs of a RISC-V guest are started and stopped by SBI's Hart State Management extension. */
#include "guest/rt/riscv64/sbi.h"
#include "guest/rt/smp.h"

#define SBI_HSM    0x48534d
#define HART_START 0
#define HART_STOP  1

extern char rt_cpu_entry[];

/* tp is 0 already. */
void rt_arch_several(struct rt_cpu *self)
{
	(void)self;
}

uint64_t rt_arch_cpu_start(struct rt_cpu *cpu)
{
	uint64_t arg[4] = { cpu->id, (uintptr_t)rt_cpu_entry, (uintptr_t)cpu }, value;

	__asm__ volatile("csrr %0, stvec" : "=r"(cpu->vectors));
	switch (sbi_call(SBI_HSM, HART_START, arg, &value)) {
	case SBI_SUCCESS:
		return 0;
	case SBI_ERR_ALREADY_AVAILABLE:
		return RT_DENIED;
	case SBI_ERR_FAILED:
		return RT_NO_MEMORY;
	default:
		return RT_INVALID;
	}
}

void rt_arch_cpu_off(void)
{
	uint64_t arg[4] = { 0 }, value;

	sbi_call(SBI_HSM, HART_STOP, arg, &value);
}

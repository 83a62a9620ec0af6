/* SPDX-License-Identifier: BSD-2-Clause */
/* The runtime of guest programs on RISC-V: the device tree, hypercalls as an SBI extension, the UART's registers. */
#include "guest/rt/fdt.h"
#include "guest/rt/riscv64/sbi.h"
#include "guest/rt/rt.h"

/* SBI extension ids: our hypercalls' (docs/guest-abi.md), and the one that tells who answers. */
#define SBI_NESTLING     0x084e5354
#define SBI_BASE         0x10
#define SBI_BASE_IMPL_ID 1

#define IMPL_NESTLING 0x4e455354

#define UART     0x10000000
#define UART_LSR (UART + 5)
#define LSR_DR   0x01 /* a byte has come */
#define LSR_THRE 0x20 /* room for a byte */

int64_t sbi_call(uint64_t extension, uint64_t function, uint64_t arg[4], uint64_t *value)
{
	register uint64_t a0 __asm__("a0") = arg[0];
	register uint64_t a1 __asm__("a1") = arg[1];
	register uint64_t a2 __asm__("a2") = arg[2];
	register uint64_t a3 __asm__("a3") = arg[3];
	register uint64_t a6 __asm__("a6") = function;
	register uint64_t a7 __asm__("a7") = extension;

	__asm__ volatile("ecall" : "+r"(a0), "+r"(a1) : "r"(a2), "r"(a3), "r"(a6), "r"(a7) : "memory");
	*value = a1;
	return (int64_t)a0;
}

void rt_arch_init(uintptr_t boot_data)
{
	if (!rt_fdt_read((const void *)boot_data))
		rt_exit(1);
}

const char *rt_hypervisor(void)
{
	uint64_t none[4] = { 0 }, id;

	return sbi_call(SBI_BASE, SBI_BASE_IMPL_ID, none, &id) == SBI_SUCCESS && id == IMPL_NESTLING ? "Nestling" : "";
}

/* SBI's errors for ours: an interface of its own has each of them. */
uint64_t rt_hypercall(uint64_t number, uint64_t arg0, uint64_t arg1, uint64_t arg2, uint64_t arg3)
{
	uint64_t arg[4] = { arg0, arg1, arg2, arg3 }, value;

	switch (sbi_call(SBI_NESTLING, number, arg, &value)) {
	case SBI_SUCCESS:
		return value;
	case SBI_ERR_NOT_SUPPORTED:
		return RT_NOT_SUPPORTED;
	case SBI_ERR_FAILED:
		return RT_NO_MEMORY;
	case SBI_ERR_DENIED:
		return RT_DENIED;
	default:
		return RT_INVALID;
	}
}

void rt_putc(char c)
{
	while (!(*(volatile uint8_t *)UART_LSR & LSR_THRE))
		;
	*(volatile uint8_t *)UART = (uint8_t)c;
}

int rt_getc(void)
{
	return *(volatile uint8_t *)UART_LSR & LSR_DR ? *(volatile uint8_t *)UART : -1;
}

void rt_wait(void)
{
	__asm__ volatile("wfi" : : : "memory");
}

unsigned rt_arch_cpu_id(void)
{
	uint64_t id;

	__asm__ volatile("mv %0, tp" : "=r"(id));
	return (unsigned)id;
}

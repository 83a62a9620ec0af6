/* SPDX-License-Identifier: BSD-2-Clause */
/* The runtime of guest programs on AArch64: the device tree, hypercalls by HVC, the PL011's registers. */
#include "guest/rt/aarch64/cpu.h"
#include "guest/rt/fdt.h"
#include "guest/rt/rt.h"

/* SMC Calling Convention (DEN0028): vendor-specific hypervisor services, fast, 64-bit; and who offers them. */
#define HVC_NESTLING 0xc6000000
#define HVC_NUMBERS  0xff00 /* that many; above are questions about the services */
#define HVC_UID      0x8600ff01

/* 4e657374-6c69-4e67-8000-000000000006, as x0 to x3 hold it. */
static const uint32_t nestling_uid[4] = { 0x7473654e, 0x674e696c, 0x00000080, 0x06000000 };

/* Arm PrimeCell UART (PL011), DDI 0183, "Register summary", where QEMU's "virt" machine has it. */
#define UART_DR        0x09000000
#define UART_FR        0x09000018
#define FR_RXFE        0x10 /* no byte has come */
#define FR_TXFF        0x20 /* no room for a byte */
#define UART_CR        0x09000030
#define CR_ENABLE_BOTH 0x301 /* the UART, its transmitter and its receiver */

void rt_hvc(uint64_t x[4], uint64_t fourth)
{
	register uint64_t x0 __asm__("x0") = x[0];
	register uint64_t x1 __asm__("x1") = x[1];
	register uint64_t x2 __asm__("x2") = x[2];
	register uint64_t x3 __asm__("x3") = x[3];
	register uint64_t x4 __asm__("x4") = fourth;

	__asm__ volatile("hvc #0" : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3) : "r"(x4) : "memory");
	x[0] = x0;
	x[1] = x1;
	x[2] = x2;
	x[3] = x3;
}

void rt_arch_init(uintptr_t boot_data)
{
	if (!rt_fdt_read((const void *)boot_data))
		rt_exit(1);
}

const char *rt_hypervisor(void)
{
	uint64_t x[4] = { HVC_UID };

	rt_hvc(x, 0);
	for (unsigned i = 0; i < 4; i++)
		if ((uint32_t)x[i] != nestling_uid[i])
			return "";
	return "Nestling";
}

/* The convention has room for numbers of 16 bits: there is no call of a larger one. */
uint64_t rt_hypercall(uint64_t number, uint64_t arg0, uint64_t arg1, uint64_t arg2, uint64_t arg3)
{
	uint64_t x[4] = { HVC_NESTLING + number, arg0, arg1, arg2 };

	if (number >= HVC_NUMBERS)
		return RT_NOT_SUPPORTED;
	rt_hvc(x, arg3);
	return x[0];
}

void rt_putc(char c)
{
	while (*(volatile uint32_t *)UART_FR & FR_TXFF)
		;
	*(volatile uint32_t *)UART_DR = (unsigned char)c;
}

/* The PL011 receives nothing before it is enabled. */
int rt_getc(void)
{
	static bool enabled;

	if (!enabled)
		*(volatile uint32_t *)UART_CR = CR_ENABLE_BOTH;
	enabled = true;
	return *(volatile uint32_t *)UART_FR & FR_RXFE ? -1 : (uint8_t) * (volatile uint32_t *)UART_DR;
}

void rt_wait(void)
{
	__asm__ volatile("wfi" : : : "memory");
}

unsigned rt_arch_cpu_id(void)
{
	uint64_t affinity;

	__asm__ volatile("mrs %0, mpidr_el1" : "=r"(affinity));
	return (unsigned)affinity & 0xff;
}

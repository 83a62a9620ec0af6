/* SPDX-License-Identifier: BSD-2-Clause */
/* The runtime of guest programs on x86_64: e820, hypercalls, the UART's ports. */
#include "guest/rt/rt.h"

/* boot_params, Linux Documentation/arch/x86/zero-page.rst. */
#define BOOT_PARAMS_E820_COUNT 0x1e8
#define BOOT_PARAMS_E820_TABLE 0x2d0
#define BOOT_DATA_END          0x10000

#define E820_RAM 1

struct e820_entry {
	uint64_t addr, size;
	uint32_t type;
} __attribute__((packed));

/* Intel SDM and AMD APM leave these leaves to hypervisors. */
#define CPUID_HYPERVISOR       0x40000000
#define CPUID_HYPERVISOR_CALLS 0x40000001
#define CALLS_BY_VMMCALL       1

#define UART     0x3f8
#define UART_LSR (UART + 5)
#define LSR_DR   0x01 /* a byte has come */
#define LSR_THRE 0x20 /* room for a byte */

static bool use_vmmcall;
static char signature[13];

static uint32_t cpuid(uint32_t leaf, uint32_t text[3])
{
	uint32_t eax = leaf;

	__asm__ volatile("cpuid" : "+a"(eax), "=b"(text[0]), "=c"(text[1]), "=d"(text[2]) : "2"(0));
	return eax;
}

void rt_arch_init(uintptr_t boot_data)
{
	const char *params = (const char *)boot_data;
	const struct e820_entry *e820 = (const void *)(params + BOOT_PARAMS_E820_TABLE);
	uint32_t text[3];

	use_vmmcall = cpuid(CPUID_HYPERVISOR_CALLS, text) == CALLS_BY_VMMCALL;
	cpuid(CPUID_HYPERVISOR, text);
	memcpy(signature, text, sizeof(text));

	for (unsigned i = 0; i < (uint8_t)params[BOOT_PARAMS_E820_COUNT]; i++)
		if (e820[i].type == E820_RAM)
			rt_add_ram(e820[i].addr, e820[i].size);
	rt_reserve(0, BOOT_DATA_END);
}

const char *rt_hypervisor(void)
{
	return signature;
}

uint64_t rt_hypercall(uint64_t number, uint64_t arg0, uint64_t arg1, uint64_t arg2, uint64_t arg3)
{
	if (use_vmmcall)
		__asm__ volatile("vmmcall" : "+a"(number) : "D"(arg0), "S"(arg1), "d"(arg2), "c"(arg3) : "memory");
	else
		__asm__ volatile("vmcall" : "+a"(number) : "D"(arg0), "S"(arg1), "d"(arg2), "c"(arg3) : "memory");
	return number;
}

void rt_putc(char c)
{
	uint8_t status;

	do
		__asm__ volatile("inb %w1, %b0" : "=a"(status) : "Nd"(UART_LSR));
	while (!(status & LSR_THRE));
	__asm__ volatile("outb %b0, %w1" : : "a"(c), "Nd"(UART));
}

int rt_getc(void)
{
	uint8_t byte;

	__asm__ volatile("inb %w1, %b0" : "=a"(byte) : "Nd"(UART_LSR));
	if (!(byte & LSR_DR))
		return -1;
	__asm__ volatile("inb %w1, %b0" : "=a"(byte) : "Nd"(UART));
	return byte;
}

void rt_wait(void)
{
	__asm__ volatile("hlt" : : : "memory");
}

/* GS leads to its struct rt_cpu. */
unsigned rt_arch_cpu_id(void)
{
	uint64_t id;

	__asm__ volatile("movq %%gs:24, %0" : "=r"(id));
	return (unsigned)id;
}

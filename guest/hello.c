/* SPDX-License-Identifier: BSD-2-Clause */
/* The smallest useful guest: says where it is and what its memory costs. */
#include "guest/rt/rt.h"

/* Byte by byte through the emulated UART, as a kernel's early console does it. */
static void uart_puts(const char *text)
{
	while (*text)
		rt_putc(*text++);
}

int guest_main(void)
{
	uint64_t promised = rt_memory_info(RT_MEMORY_PROMISED);
	uint64_t resident = rt_memory_info(RT_MEMORY_RESIDENT);

	uart_puts("hello: this line went through a serial port, one byte at a time\n");
	rt_printf("hello: these go by hypercall, to \"%s\", interface version %lu\n", rt_hypervisor(),
		  rt_hypercall(RT_CALL_VERSION, 0, 0, 0, 0));
	for (size_t i = 0; i < rt_ram.count; i++)
		rt_printf("hello: there is RAM from 0x%lx to 0x%lx\n", rt_ram.range[i].start,
			  rt_ram.range[i].start + rt_ram.range[i].size);
	rt_printf("hello: I was promised %s; so far it has cost %s of memory and %s of page tables\n", rt_size_text(promised).text,
		  rt_size_text(resident).text, rt_size_text(rt_memory_info(RT_MEMORY_TABLES)).text);
	return 0;
}

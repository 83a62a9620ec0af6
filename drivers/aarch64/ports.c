/* SPDX-License-Identifier: BSD-2-Clause */
/* AArch64 has no I/O ports. */
#include "include/arch/io.h"

uint8_t arch_port_read(uint16_t port)
{
	(void)port;
	return 0xff;
}

void arch_port_write(uint16_t port, uint8_t value)
{
	(void)port;
	(void)value;
}

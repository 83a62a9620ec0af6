/* SPDX-License-Identifier: BSD-2-Clause */
/* The PC's I/O ports. */
#include "include/arch/io.h"
#include "include/arch/x86_64/insn.h"

uint8_t arch_port_read(uint16_t port)
{
	return inb(port);
}

void arch_port_write(uint16_t port, uint8_t value)
{
	outb(port, value);
}

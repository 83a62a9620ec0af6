/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Firmware below us that prints: the SBI's debug console, or its legacy call.
 * Source: RISC-V Supervisor Binary Interface Specification 2.0, chapters 5 and 12.
 */
#include "include/arch/io.h"
#include "include/arch/riscv64/sbi.h"

static void put_debug_console(uint8_t byte)
{
	sbi_call(SBI_DBCN, SBI_DBCN_WRITE_BYTE, byte, 0, 0);
}

static void put_legacy(uint8_t byte)
{
	sbi_call(SBI_LEGACY_PUTCHAR, 0, byte, 0, 0);
}

static void write_with(void (*put)(uint8_t byte), const char *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (bytes[i] == '\n')
			put('\r');
		put((uint8_t)bytes[i]);
	}
}

static void sink_debug_console(const char *bytes, size_t size)
{
	write_with(put_debug_console, bytes, size);
}

static void sink_legacy(const char *bytes, size_t size)
{
	write_with(put_legacy, bytes, size);
}

bool arch_serial_default(struct serial_port *port)
{
	*port = (struct serial_port){
		.sink = sbi_has(SBI_DBCN) ? sink_debug_console : sink_legacy,
	};
	return sbi_has(SBI_DBCN) || sbi_has(SBI_LEGACY_PUTCHAR);
}

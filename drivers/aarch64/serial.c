/* SPDX-License-Identifier: BSD-2-Clause */
/* AArch64 has no serial port that is not named in some table. */
#include "include/arch/io.h"

bool arch_serial_default(struct serial_port *port)
{
	(void)port;
	return false;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Prints the command line that it was given, by the platform's boot protocol. */
#include "command_line.h" /* of the ISA */
#include "tests/guests/check.h"

int guest_main(void)
{
	const char *line = command_line();

	CHECK(line != NULL);
	rt_printf("cmdline: [%s]\n", line ? line : "none");
	return check_status("cmdline");
}

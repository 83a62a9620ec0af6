/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line of a guest that has a device tree, which lies at the start of RAM. */
#ifndef NESTLING_TESTS_GUESTS_COMMAND_LINE_H
#define NESTLING_TESTS_GUESTS_COMMAND_LINE_H

#include "tests/guests/bootargs.h"

static inline const char *command_line(void)
{
	return find_bootargs((const void *)0x40000000);
}

#endif

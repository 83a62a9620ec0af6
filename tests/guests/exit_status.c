/* SPDX-License-Identifier: BSD-2-Clause */
/* Exits with a status of its own. */
#include "guest/rt/rt.h"

int guest_main(void)
{
	return 42;
}

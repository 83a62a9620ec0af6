/* SPDX-License-Identifier: BSD-2-Clause */
/* Exits with a status whose low byte is 0: that is no success. */
#include "guest/rt/rt.h"

int guest_main(void)
{
	return 256;
}

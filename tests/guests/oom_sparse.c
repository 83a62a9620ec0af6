/* SPDX-License-Identifier: BSD-2-Clause */
/* Uses a little of each 2 MiB it was promised: where RAM is large, as many page tables as pages. */
#include "tests/guests/check.h"

int guest_main(void)
{
	touch_all("oom_sparse", 0x200000);
	return 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Uses all RAM it was promised, which may be more than the host has. */
#include "tests/guests/check.h"

int guest_main(void)
{
	touch_all("oom", RT_PAGE_SIZE);
	return 0;
}

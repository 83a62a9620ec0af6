/* SPDX-License-Identifier: BSD-2-Clause */
/* The one description of the machine. */
#include "drivers/platform.h"

static struct platform platform;

void platform_set(const struct platform *found)
{
	platform = *found;
}

const struct platform *platform_get(void)
{
	return &platform;
}

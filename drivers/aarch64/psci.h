/* SPDX-License-Identifier: BSD-2-Clause */
/* How the machine's tables say that firmware is called. */
#ifndef NESTLING_DRIVERS_AARCH64_PSCI_H
#define NESTLING_DRIVERS_AARCH64_PSCI_H

#include "include/types.h"

/*
 * Does firmware at EL3 answer SMC? Without it the instruction may be undefined, or get no answer. Tables of firmware
 * are read: to be called before the machine is taken over.
 */
bool psci_takes_smc(void);

#endif

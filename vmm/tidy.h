/* SPDX-License-Identifier: BSD-2-Clause */
/* A CPU that has nothing to do looks through the memory of VMs that rest, for pages of zeros to take back (addr_space_tidy). */
#ifndef NESTLING_VMM_TIDY_H
#define NESTLING_VMM_TIDY_H

#include "include/types.h"

/*
 * It is `now` by arch_clock, and the CPU would sleep until `until`. Do a piece of that work, if there is any for one: all vCPUs of
 * a VM wait, and it has got memory since it was last looked through, or that is a minute ago. True: a piece was done, and
 * interrupts may have come meanwhile. No lock is held.
 */
bool tidy_vms(uint64_t now, uint64_t until);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* Words for reports, from the guest's memory. Nothing here changes it. */
#ifndef NESTLING_VMM_X86_64_DIAGNOSE_H
#define NESTLING_VMM_X86_64_DIAGNOSE_H

#include "vmm/text.h"
#include "vmm/vm.h"

/* Append the bytes of code at the guest's RIP; of a guest that crashed, also what they or its state hint at. */
void describe_code(struct vcpu *vcpu, bool crashed, char *text, size_t size);

#endif

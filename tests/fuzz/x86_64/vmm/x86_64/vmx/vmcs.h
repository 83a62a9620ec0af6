/* SPDX-License-Identifier: BSD-2-Clause */
/* The VMCS's fields as they are, in a VMCS that a fuzz target fills. */
#ifndef NESTLING_TESTS_FUZZ_X86_64_VMCS_H
#define NESTLING_TESTS_FUZZ_X86_64_VMCS_H

#define vmread        real_vmread
#define vmwrite       real_vmwrite
#define vmwrite_known real_vmwrite_known
#include_next "vmm/x86_64/vmx/vmcs.h"
#undef vmread
#undef vmwrite
#undef vmwrite_known

uint64_t vmread(enum vmcs_field field);
void vmwrite(enum vmcs_field field, uint64_t value);
void vmwrite_known(enum vmcs_field field, uint64_t value);

#endif

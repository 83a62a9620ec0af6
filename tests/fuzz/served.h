/* SPDX-License-Identifier: BSD-2-Clause */
/* What becomes of an exit once it is decoded: not what the fuzz targets of the decoders are about, and never called. */
#ifndef NESTLING_TESTS_FUZZ_SERVED_H
#define NESTLING_TESTS_FUZZ_SERVED_H

#include "vmm/vm.h"

bool vm_handle_exit(struct vcpu *vcpu, struct vm_exit *exit)
{
	(void)vcpu;
	(void)exit;
	return false;
}

#endif

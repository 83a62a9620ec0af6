/* SPDX-License-Identifier: BSD-2-Clause */
/* A VM that has RAM and nothing else: for what loads files into it and reads it. */
#ifndef NESTLING_TESTS_HOST_HOST_VM_H
#define NESTLING_TESTS_HOST_HOST_VM_H

#include "tests/host/ram.h"
#include "vmm/vm.h"

/*
 * Its RAM is of `size` bytes from guest-physical `start` on, backed page by page from 4 MiB of the machine's, which are `ram`:
 * opened here, and closed by host_vm_free, which fails when anything is still allocated.
 */
struct vm *host_vm_new(struct ram *ram, uint64_t start, uint64_t size);
void host_vm_free(struct ram *ram, struct vm *vm);

#endif

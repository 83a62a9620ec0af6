/* SPDX-License-Identifier: BSD-2-Clause */
/* A VM with RAM and nothing to run on it, for what loads programs. */
#ifndef NESTLING_TESTS_FUZZ_GUEST_H
#define NESTLING_TESTS_FUZZ_GUEST_H

#include "tests/fuzz/fuzz.h"

/* The one VM, its RAM untouched and where it is asked for. */
struct vm *guest_new(uint64_t start, uint64_t size, uint64_t high_start, uint64_t high_size);

/* Fail unless guest memory holds these bytes. */
void guest_expect(struct vm *vm, uint64_t gpa, const void *bytes, uint64_t size);

uint64_t guest_resident(struct vm *vm);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the fuzz targets share. Each fuzz_<target>.c is a program for clang's libFuzzer (docs/testing.md): it is given any
 * bytes, and fails by a sanitizer, by a panic or by one of tests/host/host.h's checks.
 */
#ifndef NESTLING_TESTS_FUZZ_FUZZ_H
#define NESTLING_TESTS_FUZZ_FUZZ_H

#include "drivers/serial.h"
#include "tests/host/host.h"
#include "vmm/vm.h"

/* libFuzzer calls these two. */
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A copy of exactly that size, so that the sanitizer sees what is read beyond it; to be freed. */
void *fuzz_copy(const void *bytes, size_t size);

/* Readable and writable memory at a page's start, `address` if it is not 0, with nothing behind it. */
uint8_t *fuzz_memory(uintptr_t address, size_t pages);

/* Is there one line of text in `why`, that ends where it must? */
void fuzz_check_reason(const char *why, size_t size);

/* Can serial_start use such a port? */
void fuzz_check_port(const struct serial_port *port);

#endif

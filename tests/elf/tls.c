/* SPDX-License-Identifier: BSD-2-Clause */
/* Thread-local variables, for tests/elf/probe.c to be linked with: a segment of its own, which nobody uses. */
_Thread_local long tls_data = 5, tls_bss;

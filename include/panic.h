/* SPDX-License-Identifier: BSD-2-Clause */
/* The end of the program for a mistake of its own; a guest's mistake never comes here. */
#ifndef NESTLING_PANIC_H
#define NESTLING_PANIC_H

/* Print "nestling: panic: ..." and power the machine off. */
_Noreturn void panic(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif

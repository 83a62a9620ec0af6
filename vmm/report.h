/* SPDX-License-Identifier: BSD-2-Clause */
/* What a run cost, for people and for programs. */
#ifndef NESTLING_VMM_REPORT_H
#define NESTLING_VMM_REPORT_H

#include "vmm/vm.h"

/* Print the account of a run that has ended: a few lines, then "report: " and one JSON object on one line. */
void report_print(struct vm *vm);

#endif

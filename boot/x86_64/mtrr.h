/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory types by address, which all CPUs must agree on. Intel SDM vol. 3 "Memory Type Range Registers (MTRRs)". */
#ifndef NESTLING_BOOT_X86_64_MTRR_H
#define NESTLING_BOOT_X86_64_MTRR_H

/* Keep the MTRRs of this CPU, on which the firmware has run. */
void mtrr_save(void);

/* Give this CPU, on which nothing runs yet but the caller, those that were kept, if it has others. */
void mtrr_load(void);

#endif

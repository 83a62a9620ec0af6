/* SPDX-License-Identifier: BSD-2-Clause */
/* How wide addresses are. Arm ARM (DDI 0487), "ID_AA64MMFR0_EL1, AArch64 Memory Model Feature Register 0": PARange. */
#ifndef NESTLING_VMM_AARCH64_FEATURES_H
#define NESTLING_VMM_AARCH64_FEATURES_H

/*
 * The CPU's physical address width as PARange encodes it, at most that of 48 bits: wider addresses need descriptors of
 * another layout (FEAT_LPA2).
 */
unsigned cpu_pa_range(void);

/* The width in bits that an encoding stands for; `range` is at most that of 48 bits. */
unsigned pa_range_bits(unsigned range);

#endif

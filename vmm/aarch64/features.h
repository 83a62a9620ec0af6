/* SPDX-License-Identifier: BSD-2-Clause */
/* What the CPU's memory model offers. Arm ARM (DDI 0487), "ID_AA64MMFR0_EL1, AArch64 Memory Model Feature Register 0". */
#ifndef NESTLING_VMM_AARCH64_FEATURES_H
#define NESTLING_VMM_AARCH64_FEATURES_H

#include <stdbool.h>

#include "include/types.h"

/*
 * The CPU's physical address width as PARange encodes it, at most that of 48 bits: wider addresses need descriptors of
 * another layout (FEAT_LPA2).
 */
unsigned cpu_pa_range(void);

/* The width in bits that an encoding stands for; `range` is at most that of 48 bits, PA_RANGES - 1. */
#define PA_RANGES 6
unsigned pa_range_bits(unsigned range);

/*
 * CTR_EL0.IDC and DIC: instruction fetches find what was stored without cleaning the data caches to the point of
 * unification, and without invalidating the instruction caches.
 */
bool cpu_fetches_stored_data(void);
bool cpu_fetches_afresh(void);

/* FEAT_S2FWB: stage 2 can make all of a guest's accesses cacheable, whatever the guest does. */
bool cpu_has_fwb(void);

/* FEAT_TLBIRANGE: vmm/aarch64/tlb_range.h */
bool cpu_has_tlb_ranges(void);

/* FEAT_VMID16 */
bool cpu_has_vmid16(void);

/* The identification registers by which CPUs are the same kind, as far as a guest that moves from one to another can see. */
#define CPU_FEATURES 12
void cpu_read_features(uint64_t features[CPU_FEATURES]);

/* FEAT_PAuth: there are keys, which are the guest's. */
bool cpu_has_pointer_authentication(void);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The registers behind lists.c: a GICv3's are system registers of EL2, a GICv2's are in memory, each CPU's own at the same address
 * (GICH, the GIC virtual interface control). Sources: GIC Architecture Specification, versions 3 and 4 (IHI 0069),
 * "ICH_HCR_EL2", "ICH_VTR_EL2", "ICH_AP1R<n>_EL2"; version 2.0 (IHI 0048), 5.3 "GIC virtual interface control registers".
 */
#ifndef NESTLING_VMM_AARCH64_LIST_REGISTERS_H
#define NESTLING_VMM_AARCH64_LIST_REGISTERS_H

#include "include/arch/aarch64/sysreg.h"
#include "include/mmio.h"
#include "vmm/devices/vgic_lists.h"

enum {
	GICH_HCR = 0x000,
	GICH_VTR = 0x004,
	GICH_VMCR = 0x008,
	GICH_APR = 0x0f0,
	GICH_LR = 0x100,
};

#define FOR_LISTS(each)                                                                                                         \
	each(0, S3_4_C12_C12_0) each(1, S3_4_C12_C12_1) each(2, S3_4_C12_C12_2) each(3, S3_4_C12_C12_3) each(4, S3_4_C12_C12_4) \
		each(5, S3_4_C12_C12_5) each(6, S3_4_C12_C12_6) each(7, S3_4_C12_C12_7) each(8, S3_4_C12_C13_0)                 \
			each(9, S3_4_C12_C13_1) each(10, S3_4_C12_C13_2) each(11, S3_4_C12_C13_3) each(12, S3_4_C12_C13_4)      \
				each(13, S3_4_C12_C13_5) each(14, S3_4_C12_C13_6) each(15, S3_4_C12_C13_7)

static inline uint64_t read_list_sysreg(unsigned n)
{
#define READ_LIST(number, name) \
	case number:            \
		return read_sysreg(name);
	switch (n) {
		FOR_LISTS(READ_LIST)
	}
	return 0;
}

static inline void write_list_sysreg(unsigned n, uint64_t value)
{
#define WRITE_LIST(number, name)           \
	case number:                       \
		write_sysreg(name, value); \
		break;
	switch (n) {
		FOR_LISTS(WRITE_LIST)
	}
}

/* `gich`: where a GICv2's are; 0: they are system registers. A list register that `written` was written to. */
static inline uint64_t read_list(uint64_t gich, unsigned n, uint64_t written)
{
	if (gich == 0)
		return read_list_sysreg(n);
	return lr_after_gich(written, mmio_read32(gich + GICH_LR + 4 * n));
}

static inline void write_list(uint64_t gich, unsigned n, uint64_t value)
{
	if (gich == 0)
		write_list_sysreg(n, value);
	else
		mmio_write32(gich + GICH_LR + 4 * n, lr_to_gich(value));
}

static inline uint64_t read_list_hcr(uint64_t gich)
{
	return gich == 0 ? read_sysreg(ICH_HCR_EL2) : mmio_read32(gich + GICH_HCR);
}

/* GICC_DIR needs no bit: it is in a page that the guest does not have. */
static inline void write_list_hcr(uint64_t gich, uint64_t value)
{
	if (gich == 0)
		write_sysreg(ICH_HCR_EL2, value);
	else
		mmio_write32(gich + GICH_HCR, (uint32_t)(value & ~ICH_HCR_TDIR));
}

static inline uint64_t read_list_vtr(uint64_t gich)
{
	return gich == 0 ? read_sysreg(ICH_VTR_EL2) : mmio_read32(gich + GICH_VTR);
}

/* ICH_VMCR_EL2's bits that are used here are GICH_VMCR's, too. */
static inline uint64_t read_list_vmcr(uint64_t gich)
{
	return gich == 0 ? read_sysreg(ICH_VMCR_EL2) : mmio_read32(gich + GICH_VMCR);
}

#endif

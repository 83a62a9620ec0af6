/* SPDX-License-Identifier: BSD-2-Clause */
/* What the CPU's memory model offers. */
#include "vmm/aarch64/features.h"

#include "include/arch/aarch64/guarded.h"

static const uint8_t range_bits[PA_RANGES] = { 32, 36, 40, 42, 44, 48 };

unsigned cpu_pa_range(void)
{
	unsigned range = id_field(read_sysreg(id_aa64mmfr0_el1), ID_AA64MMFR0_PARANGE_SHIFT);

	return (unsigned)min_u64(range, ARRAY_LEN(range_bits) - 1);
}

unsigned pa_range_bits(unsigned range)
{
	return range_bits[range];
}

bool cpu_fetches_stored_data(void)
{
	return read_sysreg(ctr_el0) & CTR_IDC;
}

bool cpu_fetches_afresh(void)
{
	return read_sysreg(ctr_el0) & CTR_DIC;
}

bool cpu_has_fwb(void)
{
	return id_field(read_sysreg(ID_AA64MMFR2_EL1), ID_AA64MMFR2_FWB_SHIFT) != 0;
}

bool cpu_has_tlb_ranges(void)
{
	return id_field(read_sysreg(id_aa64isar0_el1), ID_AA64ISAR0_TLB_SHIFT) >= ID_AA64ISAR0_TLB_RANGES;
}

bool cpu_has_vmid16(void)
{
	return id_field(read_sysreg(id_aa64mmfr1_el1), ID_AA64MMFR1_VMIDBITS_SHIFT) != 0;
}

static bool says_pointer_authentication(void)
{
	return id_field(read_sysreg(id_aa64isar1_el1), ID_AA64ISAR1_APA_SHIFT) != 0 ||
	       id_field(read_sysreg(id_aa64isar1_el1), ID_AA64ISAR1_API_SHIFT) != 0 ||
	       id_field(read_sysreg(ID_AA64ISAR2_EL1), ID_AA64ISAR2_APA3_SHIFT) != 0;
}

/* SCR_EL3.APK may keep the keys from all below EL3. */
bool cpu_has_pointer_authentication(void)
{
	uint64_t key;

	return says_pointer_authentication() && sysreg_try_read(APIAKEYLO_EL1, &key);
}

/*
 * What guests are told of the CPU, and what they may count on without being told. Of the debug features nothing is.
 * ID_AA64ZFR0_EL1, ID_AA64SMFR0_EL1 and ID_AA64AFRn_EL1 are of what no guest has.
 */
#define FOR_FEATURES(each)                                                                                               \
	each(id_aa64pfr0_el1) each(ID_AA64PFR1_EL1) each(id_aa64isar0_el1) each(id_aa64isar1_el1) each(ID_AA64ISAR2_EL1) \
		each(id_aa64mmfr0_el1) each(id_aa64mmfr1_el1) each(ID_AA64MMFR2_EL1) each(id_aa64dfr0_el1) each(ctr_el0) \
			each(dczid_el0) each(cntfrq_el0)

#define COUNT(name) +1
#define READ(name)  *value++ = read_sysreg(name);
_Static_assert(0 FOR_FEATURES(COUNT) == CPU_FEATURES, "CPU_FEATURES");

void cpu_read_features(uint64_t features[CPU_FEATURES])
{
	uint64_t *value = features;

	FOR_FEATURES(READ)
}

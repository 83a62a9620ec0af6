/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guest memory and caches. A guest whose MMU is off reads and writes memory past the caches, through which the
 * hypervisor works all the time: each must see what the other wrote. With FEAT_S2FWB no guest's access goes past them,
 * but an instruction fetch may: it begins at the point of unification, to which the data caches are cleaned unless
 * CTR_EL0.IDC says they need not be.
 *
 * The instruction caches themselves are invalidated when a frame leaves a guest (arch_npt_flush): our own map
 * executes no guest's memory, so nothing comes back into them before the next guest has it.
 * Source: Arm ARM (DDI 0487), "Caches and memory hierarchy", "Mismatched memory attributes", "Synchronization and
 * coherency issues between data and instruction accesses"; "DC CIVAC", "DC CVAU", "DC ZVA", "CTR_EL0"; "HCR_EL2.FWB".
 */
#include "include/arch/virt.h"

#include "include/arch/machine.h"
#include "vmm/aarch64/aarch64.h"
#include "vmm/aarch64/features.h"

/* Is what DC ZVA clears a line of the data caches? */
static bool zva_clears_lines(void)
{
	uint64_t dczid = read_sysreg(dczid_el0);

	return !(dczid & DCZID_DZP) && UINT64_C(4) << (dczid & DCZID_BS) == dcache_line_size();
}

/* One operation on each line of `bytes`, thirty-two at a time where that many are left. */
#define LINES 32
#define FOR_LINES(operation, bytes, size)                                                                         \
	do {                                                                                                      \
		uint64_t line_ = dcache_line_size(), end_ = (uintptr_t)(bytes) + (size);                          \
		uint64_t at_ = align_down((uintptr_t)(bytes), line_);                                             \
                                                                                                                  \
		for (uint64_t left_ = (end_ - at_) / (LINES * line_); left_ > 0; left_--)                         \
			__asm__ volatile(".rept %c2\n\t" operation ", %0\n\tadd %0, %0, %1\n\t.endr"              \
					 : "+r"(at_)                                                              \
					 : "r"(line_), "i"(LINES)                                                 \
					 : "memory");                                                             \
		while (at_ < end_)                                                                                \
			__asm__ volatile(operation ", %0\n\tadd %0, %0, %1" : "+r"(at_) : "r"(line_) : "memory"); \
	} while (0)

/*
 * What was written through the caches goes to memory, and what they hold is dropped, so that they cannot hide what is
 * written past them. A clean line is dropped only: what is in memory stays.
 */
static void sync_to_memory(void *bytes, uint64_t size)
{
	FOR_LINES("dc civac", bytes, size);
	dsb(sy);
}

/* For pages: each line is cleared and goes to memory at once, while it is near. See arch_zero_pages for DC ZVA. */
static void zero_to_memory(void *pages, uint64_t size)
{
	if (!zva_clears_lines()) {
		arch_zero_pages(pages, size);
		sync_to_memory(pages, size);
		return;
	}
	FOR_LINES("dc zva, %0\n\tdc civac", pages, size);
	dsb(sy);
}

/* Guests fetch from there on. */
static void clean_to_unification(void *bytes, uint64_t size)
{
	FOR_LINES("dc cvau", bytes, size);
	dsb(ish);
}

addr_space_sync arch_guest_sync(void)
{
	return cpu_has_fwb() ? NULL : sync_to_memory;
}

addr_space_sync arch_guest_zero(void)
{
	return cpu_has_fwb() ? NULL : zero_to_memory;
}

addr_space_sync arch_guest_publish(void)
{
	if (!cpu_has_fwb())
		return sync_to_memory; /* to memory is farther than to the point of unification */
	return cpu_fetches_stored_data() ? NULL : clean_to_unification;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guest memory and caches. A guest whose MMU is off reads and writes memory past the caches, through which the hypervisor
 * works all the time: each must see what the other wrote. With FEAT_S2FWB no guest's access goes past them.
 * Source: Arm ARM (DDI 0487), "Caches and memory hierarchy", "Mismatched memory attributes"; "DC CIVAC"; "HCR_EL2.FWB".
 */
#include "include/arch/virt.h"

#include "vmm/aarch64/aarch64.h"
#include "vmm/aarch64/features.h"

/* Clean and invalidate a line, and go on to the next. */
#define CIVAC "dc civac, %0\n\tadd %0, %0, %1\n\t"

#define RUN 8

/*
 * What was written through the caches goes to memory, and what they hold is dropped, so that they cannot hide what is
 * written past them. A clean line is dropped only: what is in memory stays.
 */
static void sync_to_memory(void *bytes, uint64_t size)
{
	uint64_t line = dcache_line_size(), end = (uintptr_t)bytes + size;
	uint64_t at = align_down((uintptr_t)bytes, line);

	while (end - at >= RUN * line && at < end)
		__asm__ volatile(CIVAC CIVAC CIVAC CIVAC CIVAC CIVAC CIVAC CIVAC : "+r"(at) : "r"(line) : "memory");
	while (at < end)
		__asm__ volatile(CIVAC : "+r"(at) : "r"(line) : "memory");
	dsb(sy);
}

addr_space_sync arch_guest_sync(void)
{
	return cpu_has_fwb() ? NULL : sync_to_memory;
}

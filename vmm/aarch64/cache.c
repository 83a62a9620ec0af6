/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guest memory and caches. A guest whose MMU is off reads and writes memory past the caches, through which the hypervisor
 * works all the time: each must see what the other wrote.
 * Source: Arm ARM (DDI 0487), "Caches and memory hierarchy", "Mismatched memory attributes"; "DC CIVAC".
 */
#include "include/arch/virt.h"

#include "vmm/aarch64/aarch64.h"

/*
 * What was written through the caches goes to memory, and what they hold is dropped, so that they cannot hide what is
 * written past them. A clean line is dropped only: what is in memory stays.
 */
static void sync_to_memory(void *bytes, uint64_t size)
{
	uint64_t line = dcache_line_size(), end = (uintptr_t)bytes + size;

	for (uint64_t at = align_down((uintptr_t)bytes, line); at < end; at += line)
		__asm__ volatile("dc civac, %0" : : "r"(at) : "memory");
	dsb(sy);
}

const addr_space_sync arch_guest_sync = sync_to_memory;

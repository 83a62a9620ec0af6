/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Kernels that are entered as Xen enters a PVH guest: ELF files that name a 32-bit entry in a note, Linux' vmlinux and FreeBSD's
 * kernel among them. Source: Xen docs/misc/pvh.pandoc, "Boot protocol" ("x86/HVM direct boot ABI");
 * xen/include/public/elfnote.h, XEN_ELFNOTE_PHYS32_ENTRY; xen/include/public/arch-x86/hvm/start_info.h.
 */
#ifndef NESTLING_VMM_X86_64_PVH_H
#define NESTLING_VMM_X86_64_PVH_H

#include "include/err.h"
#include "vmm/vm.h"

/* Is the file one? */
bool pvh_is(const void *file, size_t size);

/* As elf_load, but for `entry`, which is the note's. Sets vm->arch.pvh. `why` and errors as for elf_load. */
MUST_CHECK enum err pvh_load(struct vm *vm, const struct guest_image *image, gpa_t *entry, char *why, size_t why_size);

/* What the start info takes at most in the guest's memory. */
#define PVH_START_INFO_SIZE PAGE_SIZE

/* A row of the memory map, hvm_memmap_table_entry; `type` as in an e820 table. */
struct pvh_memory {
	uint64_t addr, size;
	uint32_t type, reserved;
};

/* What the start info says besides the initrd. Addresses are the guest's. */
struct pvh_start {
	uint64_t cmdline, rsdp;
	const struct pvh_memory *memory;
	uint32_t memory_rows;
};

/* Write hvm_start_info and what it points to at `at`, which RBX is to have at the entry. ERR_NO_MEMORY. */
MUST_CHECK enum err pvh_write_start_info(struct vm *vm, gpa_t at, const struct pvh_start *start);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Linux for x86-64 as it is unpacked: an ELF file, with what its loader is to know in the bzImage's header. Source: Linux
 * Documentation/arch/x86/boot.rst, "Details of Header Fields" (pref_address, init_size, kernel_alignment);
 * arch/x86/kernel/head_64.S, startup_64, which finds out where it lies, at a multiple of 2 MiB.
 */
#ifndef NESTLING_VMM_X86_64_VMLINUX_H
#define NESTLING_VMM_X86_64_VMLINUX_H

#include "vmm/elf_file.h"
#include "vmm/x86_64/setup_header.h"

/*
 * Read the file, which may be anything, into `file`, and check that it can be loaded: its segments lie within what the header says
 * that it takes, each for itself and as the pages of the file do, and its entry in one of them. Errors: ERR_UNSUPPORTED.
 */
MUST_CHECK enum err vmlinux_read(struct elf_file *file, const void *bytes, size_t size, const struct setup_header *header);

/* The bytes of a file that was read up to the end of its segments. */
size_t vmlinux_end(const struct elf_file *file);

/*
 * Load a file that vmlinux_read likes, with the kernel's preferred place moved to `at`, which is aligned as the header asks and has
 * room. It is entered there in 64-bit mode as a bzImage is. Errors: as guest_file_load.
 */
MUST_CHECK enum err vmlinux_load(struct vm *vm, const struct guest_image *image, const struct setup_header *header, gpa_t at,
				 gpa_t *entry);

#endif

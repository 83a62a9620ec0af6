/* SPDX-License-Identifier: BSD-2-Clause */
/* Files that the firmware has read, as guest memory: mapped copy-on-write and not copied, so that all VMs share them. */
#ifndef NESTLING_VMM_GUEST_FILE_H
#define NESTLING_VMM_GUEST_FILE_H

#include "vmm/vm.h"

/*
 * Put `size` bytes of the file from `offset` on at `gpa` in guest RAM, where nothing has been written before. Whole pages that lie
 * in the file as they are to lie in guest memory are mapped, and so is its last page, which is zero behind its end; the rest is
 * copied. Where the file has holes nothing is done. Errors: as addr_space_write.
 */
MUST_CHECK enum err guest_file_load(struct vm *vm, const struct guest_image *file, uint64_t offset, uint64_t size, gpa_t gpa);

/*
 * How many of the `size` bytes from `offset` on, more than 0 of both, are like the first: in pages that need not be there (holes of
 * struct guest_image), or in others.
 */
uint64_t guest_file_run(const struct guest_image *file, uint64_t offset, uint64_t size, bool *hole);

/*
 * Put the file's first `size` bytes, whole pages up to its last one, at `gpa`, a multiple of 4 KiB in an area without memory. They
 * are mapped, if they can be. Errors: as addr_space_write.
 */
MUST_CHECK enum err guest_file_map(struct vm *vm, const struct guest_image *file, uint64_t size, gpa_t gpa);

/* Is the memory at `hpa` a page of one of the VM's files? */
bool guest_file_has(const struct vm *vm, hpa_t hpa);

#endif

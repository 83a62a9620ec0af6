/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where a VM's disks are in its address space, and what is there at first. Each has a window, an area behind RAM that no guest is
 * told of: its file's pages, which all VMs share copy-on-write.
 */
#ifndef NESTLING_VMM_DISKS_H
#define NESTLING_VMM_DISKS_H

#include "vmm/vm.h"

/* Where the disk of this number has its window; of the number behind the last one, where the windows end. RAM is laid out. */
gpa_t disks_window(const struct vm *vm, unsigned number);

/* What a driver sees of the file: whole sectors. */
static inline uint64_t disks_size(const struct vm *vm, unsigned number)
{
	return align_down(vm->options.disk_files[number].size, VIRTIO_BLK_SECTOR);
}

/* Make the windows, with the files in them. Errors: ERR_NO_MEMORY; what there is goes with the space. */
MUST_CHECK enum err disks_map(struct vm *vm);

#endif

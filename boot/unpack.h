/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Kernels that are packed in their files are unpacked once, for all VMs that name the file: each then maps the pages of the same
 * kernel, where one that unpacks itself has all of it for itself.
 */
#ifndef NESTLING_BOOT_UNPACK_H
#define NESTLING_BOOT_UNPACK_H

#include "vmm/machine.h"

/*
 * Of each kernel that can be unpacked, unless its VM does not want that: image.unpacked is set, and the memory of the packed file
 * is given back where nobody needs it any more; or image.damaged is. Where there is no memory for that, one line is logged, and the
 * guest unpacks itself. The firmware is still there.
 */
void unpack_kernels(struct machine *machine);

#endif

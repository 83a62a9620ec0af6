/* SPDX-License-Identifier: BSD-2-Clause */
/* Loads Linux' bzImages by the 64-bit boot protocol. Source: Linux Documentation/arch/x86/boot.rst. */
#ifndef NESTLING_VMM_X86_64_BZIMAGE_H
#define NESTLING_VMM_X86_64_BZIMAGE_H

#include "include/arch/virt.h"
#include "include/err.h"
#include "vmm/vm.h"

/* Is the file one, or what is left of one? */
bool bzimage_is(const void *file, size_t size);

/*
 * Check the header, then put the kernel behind the setup code, or what it was unpacked to, to where it wants to lie, or, if that is
 * not RAM and it can be moved, to the lowest place that it may run at. Sets vm->arch.setup, vm->image and vm->initrd_limit. `why`
 * and errors as for elf_load.
 */
MUST_CHECK enum err bzimage_load(struct vm *vm, const struct guest_image *image, gpa_t *entry, char *why, size_t why_size);

/* Of struct kernel_loader: of kernels packed by zstd that unpack to what vmm/x86_64/vmlinux.h is for. */
bool bzimage_find_packed(const void *file, size_t size, struct packed_kernel *packed);
MUST_CHECK enum err bzimage_unpack(const void *file, const struct packed_kernel *packed, void *to, void *work, size_t *used);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Loads Linux' raw kernel images. Sources: Linux Documentation/arch/arm64/booting.rst, "Call the kernel image";
 * Documentation/arch/riscv/boot-image-header.rst.
 */
#ifndef NESTLING_VMM_LINUX_IMAGE_H
#define NESTLING_VMM_LINUX_IMAGE_H

#include "vmm/vm.h"

/* Is the file such an image, for this ISA? */
bool linux_image_is(const void *file, size_t size);

/*
 * Check the header, then put the image to the lowest place in guest RAM that it may run at. Entered at its first byte.
 * Its file is mapped, not copied, where that is possible. `why` and errors as for elf_load.
 */
MUST_CHECK enum err linux_image_load(struct vm *vm, const struct guest_image *image, gpa_t *entry, char *why, size_t why_size);

#endif

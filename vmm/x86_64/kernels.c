/* SPDX-License-Identifier: BSD-2-Clause */
/* The kinds of kernel files that only x86-64 has. */
#include "include/arch/virt.h"
#include "vmm/x86_64/bzimage.h"
#include "vmm/x86_64/pvh.h"

const struct kernel_loader *arch_kernel_loader(const void *file, size_t size)
{
	static const struct kernel_loader loaders[] = {
		{ .is = bzimage_is, .load = bzimage_load, .find_packed = bzimage_find_packed, .unpack = bzimage_unpack },
		{ .is = pvh_is, .load = pvh_load },
	};

	for (size_t i = 0; i < ARRAY_LEN(loaders); i++)
		if (loaders[i].is(file, size))
			return &loaders[i];
	return NULL;
}

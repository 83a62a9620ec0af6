/* SPDX-License-Identifier: BSD-2-Clause */
/* The register by which a kernel tells that it has panicked. */
#include "vmm/devices/pvpanic.h"

#include "include/types.h"

static void access(struct io_device *device, uint64_t offset, struct io_access *io)
{
	struct pvpanic *pvpanic = CONTAINER_OF(device, struct pvpanic, device);

	if (!io->write)
		io->value = offset == 0 ? PVPANIC_PANICKED : 0;
	else if (offset == 0 && io->value & PVPANIC_PANICKED)
		pvpanic->panicked(pvpanic, io->vcpu);
}

void pvpanic_init(struct pvpanic *pvpanic, enum io_space space, uint64_t base, uint64_t size)
{
	*pvpanic = (struct pvpanic){
		.device = { .space = space, .base = base, .size = size, .access = access, .slow = true },
	};
}

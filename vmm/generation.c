/* SPDX-License-Identifier: BSD-2-Clause */
/* The id of a VM's generation. */
#include "vmm/generation.h"

#include "drivers/random.h"

/* A guest that has taken its own permission to write there, or the page, goes on with what it has. */
enum err generation_renew(struct vm *vm)
{
	uint8_t id[GENERATION_SIZE];
	enum err err;

	if (!generation_is_there(vm))
		return ERR_OK;
	random_bytes(id, sizeof(id));
	err = addr_space_write(&vm->as, vm->generation, id, sizeof(id));
	return err == ERR_NO_MEMORY ? err : ERR_OK;
}

void generation_tell(struct vm *child)
{
	struct device_table *devices = &child->devices;

	if (!generation_is_there(child) || !devices->set_line)
		return;
	spin_lock(&devices->lock);
	devices->set_line(devices, GUEST_GENERATION_LINE, true);
	devices->set_line(devices, GUEST_GENERATION_LINE, false);
	spin_unlock(&devices->lock);
}

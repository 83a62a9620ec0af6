/* SPDX-License-Identifier: BSD-2-Clause */
/* Within a generation VMIDs are given out in order, and none comes back before the next one begins. */
#include "vmm/aarch64/vmid.h"

#define GENERATION (UINT64_C(1) << 16)
#define NUMBER     UINT64_C(0xffff)

void vmids_init(struct vmids *vmids, uint32_t count, void (*flush)(void))
{
	*vmids = (struct vmids){
		.lock = SPINLOCK(LOCK_NUMBERS), .count = count, .next = 1, .generation = GENERATION, .flush = flush
	};
}

static void set(struct vmid *vmid, uint64_t value)
{
	__atomic_store_n(&vmid->value, value, __ATOMIC_RELAXED);
}

/* Who is in a CPU goes on with its number. After the flush no other number stands for anything. */
static void begin_generation(struct vmids *vmids)
{
	vmids->generation += GENERATION;
	vmids->next = 1;
	for (unsigned i = 0; i < cpu_count; i++) {
		struct vmid *vmid = vmids->cpu[i].vm;

		vmids->cpu[i].kept = vmid ? vmid->value & NUMBER : 0;
		if (vmid)
			set(vmid, vmids->generation | vmids->cpu[i].kept);
	}
	vmids->flush();
	vmids->flushes++;
}

static bool is_kept(const struct vmids *vmids, uint32_t number)
{
	for (unsigned i = 0; i < cpu_count; i++)
		if (vmids->cpu[i].kept == number)
			return true;
	return false;
}

static uint32_t next_free(struct vmids *vmids)
{
	while (vmids->next < vmids->count && is_kept(vmids, vmids->next))
		vmids->next++;
	return vmids->next;
}

static void give(struct vmids *vmids, struct vmid *vmid)
{
	if (next_free(vmids) >= vmids->count) {
		begin_generation(vmids);
		(void)next_free(vmids);
	}
	set(vmid, vmids->generation | vmids->next++);
}

unsigned vmid_take(struct vmids *vmids, unsigned cpu, struct vmid *vmid)
{
	unsigned number;

	spin_lock(&vmids->lock);
	if (vmid->value / GENERATION != vmids->generation / GENERATION)
		give(vmids, vmid);
	vmids->cpu[cpu].vm = vmid;
	number = vmid->value & NUMBER;
	spin_unlock(&vmids->lock);
	return number;
}

void vmid_drop(struct vmids *vmids, unsigned cpu)
{
	spin_lock(&vmids->lock);
	vmids->cpu[cpu].vm = NULL;
	spin_unlock(&vmids->lock);
}

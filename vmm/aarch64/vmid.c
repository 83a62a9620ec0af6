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

/*
 * Who is in a CPU goes on with its number, though not of this generation: it gets the same one when it is taken the next time.
 * After the flush no other number stands for anything.
 */
static void begin_generation(struct vmids *vmids)
{
	vmids->generation += GENERATION;
	vmids->next = 1;
	for (unsigned i = 0; i < cpu_count; i++) {
		uint64_t active = __atomic_exchange_n(&vmids->cpu[i].active, 0, __ATOMIC_RELAXED);

		if (active != 0) /* else it still runs, if anything does, what it did when the last one began */
			vmids->cpu[i].kept = active;
	}
	vmids->flush();
	vmids->flushes++;
}

static bool is_kept(const struct vmids *vmids, uint32_t number)
{
	for (unsigned i = 0; i < cpu_count; i++)
		if ((vmids->cpu[i].kept & NUMBER) == number)
			return true;
	return false;
}

/* Has the VM's number been kept for it? Then it has it in this generation, too. */
static bool give_kept(struct vmids *vmids, struct vmid *vmid)
{
	uint64_t before = vmid->value, after = vmids->generation | (before & NUMBER);
	bool kept = false;

	for (unsigned i = 0; i < cpu_count; i++)
		if (before != 0 && vmids->cpu[i].kept == before) {
			vmids->cpu[i].kept = after;
			kept = true;
		}
	if (kept)
		set(vmid, after);
	return kept;
}

static uint32_t next_free(struct vmids *vmids)
{
	while (vmids->next < vmids->count && is_kept(vmids, vmids->next))
		vmids->next++;
	return vmids->next;
}

static void give(struct vmids *vmids, struct vmid *vmid)
{
	if (give_kept(vmids, vmid))
		return;
	if (next_free(vmids) >= vmids->count) {
		begin_generation(vmids);
		(void)next_free(vmids);
	}
	set(vmid, vmids->generation | vmids->next++);
}

uint64_t vmid_take_anew(struct vmids *vmids, unsigned cpu, struct vmid *vmid)
{
	uint64_t value;

	spin_lock(&vmids->lock);
	if (vmid->value / GENERATION != vmids->generation / GENERATION)
		give(vmids, vmid);
	value = vmid->value;
	__atomic_store_n(&vmids->cpu[cpu].active, value, __ATOMIC_RELAXED);
	spin_unlock(&vmids->lock);
	return value;
}

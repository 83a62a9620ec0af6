/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VMIDs, by which TLBs tell VMs apart. There are few, and VMs come and go: when none is left a new generation begins, with all TLBs
 * flushed. What was given out before counts no more, but for the VMs that are in a CPU at that moment, or were last: they keep
 * theirs.
 *
 * A VM's vCPUs share one; it is taken when a vCPU comes into a CPU.
 */
#ifndef NESTLING_VMM_AARCH64_VMID_H
#define NESTLING_VMM_AARCH64_VMID_H

#include "vmm/cpu.h"

/* A VM's: generation above the low 16 bits, VMID in them; 0: it has none yet. Atomic; written under the lock of struct vmids. */
struct vmid {
	uint64_t value;
};

struct vmids {
	struct spinlock lock;
	uint32_t count;      /* numbers there are, 0 too, which is no VM's; more than CPUs by 2 at least */
	uint32_t next;       /* to be given out in this generation */
	uint64_t generation; /* in the place that it has in struct vmid */
	struct {
		uint64_t active; /* what was taken last here, in this generation; 0: nothing yet. Atomic */
		uint64_t kept;   /* what may have been in use here when this generation began; 0: nothing */
	} cpu[CPU_MAX];
	void (*flush)(void); /* all VMs' translations, on all CPUs; complete when it returns */
	uint64_t flushes;
};

void vmids_init(struct vmids *vmids, uint32_t count, void (*flush)(void));

/* The same with the lock: vmid_take for another VM than the last one, or in a new generation. Returns what the VM has now. */
uint64_t vmid_take_anew(struct vmids *vmids, unsigned cpu, struct vmid *vmid);

/*
 * A vCPU comes into `cpu`, in which there is none: make its VM's VMID valid, and keep it so until the next call. Returns the VMID.
 *
 * Without the lock, if it is what was taken here last. Whoever begins a new generation takes `active` away by an exchange: that is
 * after it has been found here, and so the number is kept; or before, and it is not found.
 */
static inline unsigned vmid_take(struct vmids *vmids, unsigned cpu, struct vmid *vmid)
{
	uint64_t value = __atomic_load_n(&vmid->value, __ATOMIC_RELAXED);

	if (value == 0 || value != __atomic_load_n(&vmids->cpu[cpu].active, __ATOMIC_RELAXED))
		value = vmid_take_anew(vmids, cpu, vmid);
	return (unsigned)(value & UINT16_MAX);
}

/*
 * The VMID under which CPUs may hold translations of a VM; 0: they hold none. If it is out of date nothing is held, and flushing it
 * does no harm. Who asks must have made visible before (by a full barrier) what the translations have become: a vCPU that takes a
 * VMID later finds that.
 */
static inline unsigned vmid_get(const struct vmid *vmid)
{
	return (unsigned)(__atomic_load_n(&vmid->value, __ATOMIC_RELAXED) & UINT16_MAX);
}

/*
 * All vCPUs of a VM have one VMID, and each its own stage 1 under it. `last` says which of them was in this CPU last, id + 1; 0:
 * none. Now `vcpu` comes: must the CPU forget what it has cached of the VM's stage 1?
 */
static inline bool vmid_changes_stage1(uint8_t *last, unsigned vcpu)
{
	uint8_t before = *last;

	*last = (uint8_t)(vcpu + 1);
	return before != 0 && before != vcpu + 1;
}

#endif

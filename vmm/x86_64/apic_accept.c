/* SPDX-License-Identifier: BSD-2-Clause */
/* Something becomes pending in a guest's local APIC: by any CPU, without a lock. */
#include "vmm/cpu.h"
#include "vmm/run_queue.h"
#include "vmm/x86_64/apic.h"

static void notify(struct vcpu *to)
{
	if (arch_this_cpu()->resident == to)
		apic_look(to);
	else
		sched_notify(to);
}

/* Who finds the vector requested already need tell nobody: who has set it did. */
bool apic_accept(struct vcpu *to, uint8_t vector, bool level)
{
	bool fresh;

	if (!apic_request_vector(to, vector, level, &fresh))
		return false;
	if (fresh)
		notify(to);
	return true;
}

void apic_request(struct vcpu *to, unsigned request)
{
	__atomic_fetch_or(&to->arch.apic.requests, request, __ATOMIC_RELEASE);
	notify(to);
}

void apic_error(struct vcpu *vcpu, unsigned error)
{
	struct guest_apic *apic = &vcpu->arch.apic;
	uint32_t lvt = __atomic_load_n(&apic->lvt[LVT_ERROR], __ATOMIC_RELAXED);

	__atomic_fetch_or(&apic->errors, error, __ATOMIC_RELAXED);
	if (!(lvt & LVT_MASKED) && (uint8_t)lvt >= VECTOR_FIRST)
		apic_accept(vcpu, (uint8_t)lvt, false);
}

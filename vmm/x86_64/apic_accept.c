/* SPDX-License-Identifier: BSD-2-Clause */
/* Something becomes pending in a guest's local APIC: by any CPU, without a lock. */
#include "vmm/cpu.h"
#include "vmm/run_queue.h"
#include "vmm/x86_64/apic.h"

#define VECTOR_FIRST 16 /* those below are illegal in a message. SDM, "Valid Interrupt Vectors" */

static void notify(struct vcpu *to)
{
	if (arch_this_cpu()->resident == to)
		apic_look(to);
	else
		sched_notify(to);
}

static void set_bit(uint64_t *words, uint8_t vector, bool value)
{
	uint64_t bit = BIT(vector % 64);

	if (value)
		__atomic_fetch_or(&words[vector / 64], bit, __ATOMIC_RELAXED);
	else if (apic_has(words, vector))
		__atomic_fetch_and(&words[vector / 64], ~bit, __ATOMIC_RELAXED);
}

/* Make the vector requested. False: the APIC takes none, or not this one. `*fresh`: nobody has been told of it yet. */
static bool request_vector(struct vcpu *to, uint8_t vector, bool level, bool *fresh)
{
	struct guest_apic *apic = &to->arch.apic;
	uint64_t bit = BIT(vector % 64);

	if (!apic_is_enabled(apic) || !(__atomic_load_n(&apic->svr, __ATOMIC_RELAXED) & SVR_ENABLED))
		return false;
	if (vector < VECTOR_FIRST) {
		apic_error(to, ERROR_RECEIVE_ILLEGAL);
		return false;
	}
	set_bit(apic->tmr, vector, level);
	*fresh = !(__atomic_fetch_or(&apic->irr[vector / 64], bit, __ATOMIC_RELEASE) & bit);
	return true;
}

/* Who finds the vector requested already need tell nobody: who has set it did. */
bool apic_accept(struct vcpu *to, uint8_t vector, bool level)
{
	bool fresh;

	if (!request_vector(to, vector, level, &fresh))
		return false;
	if (fresh)
		notify(to);
	return true;
}

bool apic_accept_unseen(struct vcpu *vcpu, uint8_t vector)
{
	bool fresh;

	return request_vector(vcpu, vector, false, &fresh);
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

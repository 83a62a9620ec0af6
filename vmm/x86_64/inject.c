/* SPDX-License-Identifier: BSD-2-Clause */
/* Exceptions on top of one another. */
#include "include/arch/virt.h"
#include "include/arch/x86_64/msr.h"
#include "vmm/x86_64/guest_walk.h"
#include "vmm/x86_64/emulate.h"
#include "vmm/x86_64/virt_ops.h"

/* More than can come of anything but a delivery that raises itself, and fewer than fit a page of stack. */
#define REDELIVERIES_MAX 32

#define GATE_32BIT BIT(3) /* of a gate's type; else its upper half means nothing */

/* Intel SDM vol. 3 "Interrupt 8: Double Fault Exception", the classes of its table. */
static bool is_contributory(uint8_t vector)
{
	return vector == VECTOR_DE || (vector >= VECTOR_TS && vector <= VECTOR_GP);
}

/*
 * The same manual's table of which two make a double fault; on top of that one comes shutdown. Any other two are served
 * one after the other: the first comes back when its instruction runs again, or, if it has come from outside, from the local APIC
 * that it is given back to. Traps, which come after their instruction, would be lost.
 */
bool fault_in_delivery(enum event_kind kind, uint8_t delivered, enum vector *vector)
{
	if (kind != EVENT_BY_HARDWARE)
		return true;
	if (delivered == VECTOR_DF || delivered == VECTOR_DB)
		return false;
	if (delivered == VECTOR_PF || (is_contributory(delivered) && *vector == VECTOR_GP))
		*vector = VECTOR_DF;
	return true;
}

bool delivery_repeats(struct vcpu *vcpu)
{
	struct redelivery *last = &vcpu->arch.redelivery;
	uint64_t rip = virt->get(vcpu, FIELD_RIP);
	bool again = last->exits + 1 == vcpu->exits.total && last->rip == rip;

	*last = (struct redelivery){ vcpu->exits.total, rip, again ? last->count + 1 : 0, false };
	last->endless = last->count >= REDELIVERIES_MAX;
	return last->endless;
}

/* Gates of the three kinds of table: Intel SDM vol. 3 "IDT Descriptors", "64-Bit Mode IDT", "Real-Address Mode Operation". */
bool at_handler(struct vcpu *vcpu, enum vector vector)
{
	bool protected = virt->get(vcpu, FIELD_CR0) & CR0_PE;
	size_t size = virt->get(vcpu, FIELD_EFER) & EFER_LMA ? 16 : protected ? 8 : 4;
	uint64_t gate[2] = { 0 }, offset;

	if (peek_guest(vcpu, GVA(virt->get(vcpu, FIELD_IDTR_BASE) + vector * size), (uint8_t *)gate, size) < size)
		return false;
	offset = gate[0] & 0xffff;
	if (protected && gate[0] >> 40 & GATE_32BIT)
		offset |= gate[0] >> 32 & 0xffff0000;
	return virt->get(vcpu, FIELD_RIP) == (offset | gate[1] << 32);
}

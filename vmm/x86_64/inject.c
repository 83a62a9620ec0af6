/* SPDX-License-Identifier: BSD-2-Clause */
/* Exceptions on top of one another. */
#include "vmm/x86_64/emulate.h"

/* Intel SDM vol. 3 "Interrupt 8: Double Fault Exception", the classes of its table. */
static bool is_contributory(uint8_t vector)
{
	return vector == VECTOR_DE || (vector >= VECTOR_TS && vector <= VECTOR_GP);
}

/*
 * The same manual's table of which two make a double fault; on top of that one comes shutdown. Any other two are served
 * one after the other: the first comes back when its instruction runs again. What has come from outside, and traps,
 * which come after their instruction, would be lost: nothing of ours makes such ones.
 */
bool fault_in_delivery(enum event_kind kind, uint8_t delivered, enum vector *vector)
{
	if (kind == EVENT_BY_INSTRUCTION)
		return true;
	if (kind == EVENT_OUTSIDE || delivered == VECTOR_DF || delivered == VECTOR_DB)
		return false;
	if (delivered == VECTOR_PF || (is_contributory(delivered) && *vector == VECTOR_GP))
		*vector = VECTOR_DF;
	return true;
}

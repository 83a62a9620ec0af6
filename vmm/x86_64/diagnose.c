/* SPDX-License-Identifier: BSD-2-Clause */
/* Words for reports: guest code at fault. */
#include "vmm/x86_64/diagnose.h"

#include "vmm/x86_64/guest_walk.h"
#include "vmm/x86_64/virt_ops.h"

/* What the bytes at the program counter, or the lack of an IDT, say about a guest that could not go on. */
static const char *hint(struct vcpu *vcpu, const uint8_t *bytes, size_t count)
{
	if (count >= 2 && bytes[0] == 0x0f && bytes[1] == 0x0b)
		return "ud2, an illegal instruction";
	if (count >= 3 && bytes[0] == 0x0f && bytes[1] == 0x01 &&
	    bytes[2] == (virt->hypercall_insn == HYPERCALL_VMCALL ? 0xd9 : 0xc1))
		return "the other vendor's hypercall instruction";
	if (virt->get(vcpu, FIELD_IDTR_LIMIT) == 0)
		return "the guest has no IDT to take an exception with";
	return NULL;
}

void describe_code(struct vcpu *vcpu, bool crashed, char *text, size_t size)
{
	uint64_t rip = virt->get(vcpu, FIELD_RIP);
	uint8_t bytes[CODE_MAX];
	size_t count = peek_guest(vcpu, GVA(virt->get(vcpu, FIELD_CS_BASE) + rip), bytes, sizeof(bytes));
	const char *why = crashed ? hint(vcpu, bytes, count) : NULL;

	text_add(text, size, count ? "; code there:" : "; no code there");
	for (size_t i = 0; i < count; i++)
		text_add(text, size, " %02x", bytes[i]);
	if (why)
		text_add(text, size, " (%s)", why);
}

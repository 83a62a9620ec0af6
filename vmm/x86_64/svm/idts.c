/* SPDX-License-Identifier: BSD-2-Clause */
/* The IDT while a guest's TR is in the CPU: a copy of the hypervisor's, whose gates have no stack of their own. See entry.S. */
#include "vmm/x86_64/svm/svm.h"

struct svm_idts svm_idts;
_Static_assert(offsetof(struct svm_idts, own) == 10, "entry.S");

/* A gate of an IDT; which IST stack it has is in these bits. AMD APM vol. 2 "Interrupt-Gate and Trap-Gate Descriptors". */
struct gate {
	uint64_t low, high;
};
#define GATE_IST BITS(34, 32)

void svm_make_idts(void)
{
	static struct gate gates[256];
	const struct gate *own;

	sidt(&svm_idts.own);
	own = (const struct gate *)svm_idts.own.base;
	svm_idts.in_guest = (struct table_pointer){ .limit = sizeof(gates) - 1, .base = (uintptr_t)gates };
	for (size_t i = 0; i < ARRAY_LEN(gates); i++)
		gates[i] = (struct gate){ own[i].low & ~GATE_IST, own[i].high };
}

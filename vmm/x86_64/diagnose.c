/* SPDX-License-Identifier: BSD-2-Clause */
/* Words for reports: guest code at fault, through the guest's own page tables. */
#include "vmm/x86_64/diagnose.h"

#include <string.h>

#include "include/arch/x86_64/msr.h"
#include "mm/frame.h"
#include "vmm/x86_64/virt_ops.h"

#define CODE_BYTES 15 /* the longest instruction */

/* Memory that is not backed now is left so: a report must not change what it reports. */
static bool peek(struct vm *vm, uint64_t gpa, void *value, size_t size)
{
	hpa_t hpa;

	if (addr_space_translate(&vm->as, GPA(gpa), &hpa) != ERR_OK)
		return false;
	memcpy(value, frame_ptr(hpa), size);
	return true;
}

static bool peek_u64(struct vm *vm, uint64_t gpa, uint64_t *value)
{
	return peek(vm, gpa, value, sizeof(*value));
}

static bool peek_u32(struct vm *vm, uint64_t gpa, uint32_t *value)
{
	return peek(vm, gpa, value, sizeof(*value));
}

/*
 * Tables of 8-byte entries below the one at `table`, whose index in a linear address begins at bit `shift`. Intel SDM
 * vol. 3 "4-Level Paging and 5-Level Paging", "PAE Paging", of whose top table no entry is a leaf.
 */
static bool walk_64bit(struct vm *vm, uint64_t table, unsigned shift, unsigned largest, uint64_t gva, uint64_t *gpa)
{
	uint64_t entry;

	for (; shift >= 12; shift -= 9) {
		uint64_t offset = BIT(shift) - 1;

		if (!peek_u64(vm, table + (gva >> shift & 511) * 8, &entry) || !(entry & PTE_P))
			return false;
		if (shift == 12 || (shift <= largest && entry & PTE_PS)) {
			*gpa = (entry & PTE_ADDR & ~offset) | (gva & offset);
			return true;
		}
		table = entry & PTE_ADDR;
	}
	return false;
}

/* Intel SDM vol. 3 "32-Bit Paging": a 4 MiB leaf has bits 39:32 of its address in 20:13. */
static bool walk_32bit(struct vm *vm, uint64_t cr3, bool pse, uint64_t gva, uint64_t *gpa)
{
	uint32_t entry;

	if (!peek_u32(vm, (cr3 & BITS(31, 12)) + (gva >> 22 & 1023) * 4, &entry) || !(entry & PTE_P))
		return false;
	if (pse && entry & PTE_PS) {
		*gpa = (entry & BITS(31, 22)) | (entry & BITS(20, 13)) << 19 | (gva & BITS(21, 0));
		return true;
	}
	if (!peek_u32(vm, (entry & BITS(31, 12)) + (gva >> 12 & 1023) * 4, &entry) || !(entry & PTE_P))
		return false;
	*gpa = (entry & BITS(31, 12)) | (gva & BITS(11, 0));
	return true;
}

static bool guest_translate(struct vcpu *vcpu, uint64_t gva, uint64_t *gpa)
{
	uint64_t cr3 = virt->get(vcpu, FIELD_CR3), cr4 = virt->get(vcpu, FIELD_CR4);
	bool long_mode = virt->get(vcpu, FIELD_EFER) & EFER_LMA;

	if (!long_mode)
		gva = (uint32_t)gva;
	if (!(virt->get(vcpu, FIELD_CR0) & CR0_PG)) {
		*gpa = gva;
		return true;
	}
	if (long_mode)
		return walk_64bit(vcpu->vm, cr3 & PTE_ADDR, 39, 30, gva, gpa);
	if (cr4 & CR4_PAE)
		return walk_64bit(vcpu->vm, cr3 & BITS(31, 5), 30, 21, gva, gpa);
	return walk_32bit(vcpu->vm, cr3, cr4 & CR4_PSE, gva, gpa);
}

size_t peek_guest(struct vcpu *vcpu, gva_t gva, uint8_t *bytes, size_t size)
{
	size_t done = 0;
	hpa_t hpa;

	while (done < size) {
		uint64_t at = gva.raw + done, gpa;
		size_t piece = (size_t)min_u64(size - done, PAGE_SIZE - (at & (PAGE_SIZE - 1)));

		if (!guest_translate(vcpu, at, &gpa) || addr_space_translate(&vcpu->vm->as, GPA(gpa), &hpa) != ERR_OK)
			break;
		memcpy(bytes + done, frame_ptr(hpa), piece);
		done += piece;
	}
	return done;
}

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
	uint8_t bytes[CODE_BYTES];
	size_t count = peek_guest(vcpu, GVA(virt->get(vcpu, FIELD_CS_BASE) + rip), bytes, sizeof(bytes));
	const char *why = crashed ? hint(vcpu, bytes, count) : NULL;

	text_add(text, size, count ? "; code there:" : "; no code there");
	for (size_t i = 0; i < count; i++)
		text_add(text, size, " %02x", bytes[i]);
	if (why)
		text_add(text, size, " (%s)", why);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* A guest's code, through its own page tables. */
#include "vmm/x86_64/guest_walk.h"

#include <string.h>

#include "include/arch/x86_64/cpu.h"
#include "include/arch/x86_64/msr.h"
#include "mm/frame.h"
#include "vmm/x86_64/virt_ops.h"

/* Memory that is not backed now is left so: a report must not change what it reports. In line, since walks are for devices, too. */
static inline __attribute__((always_inline)) bool peek(struct addr_space *as, uint64_t gpa, void *value, size_t size)
{
	hpa_t hpa;

	if (addr_space_translate(as, GPA(gpa), &hpa) != ERR_OK)
		return false;
	__builtin_memcpy(value, frame_ptr(hpa), size);
	return true;
}

static bool peek_u64(struct addr_space *as, uint64_t gpa, uint64_t *value)
{
	return peek(as, gpa, value, sizeof(*value));
}

static bool peek_u32(struct addr_space *as, uint64_t gpa, uint32_t *value)
{
	return peek(as, gpa, value, sizeof(*value));
}

/*
 * Tables of 8-byte entries below the one at `table`, whose index in a linear address begins at bit `shift`. Intel SDM
 * vol. 3 "4-Level Paging and 5-Level Paging", "PAE Paging", of whose top table no entry is a leaf.
 */
static bool walk_64bit(struct addr_space *as, uint64_t table, unsigned shift, unsigned largest, uint64_t gva, uint64_t *gpa)
{
	uint64_t entry;

	for (; shift >= 12; shift -= 9) {
		uint64_t offset = BIT(shift) - 1;

		if (!peek_u64(as, table + (gva >> shift & 511) * 8, &entry) || !(entry & PTE_P))
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
static bool walk_32bit(struct addr_space *as, uint64_t cr3, bool pse, uint64_t gva, uint64_t *gpa)
{
	uint32_t entry;

	if (!peek_u32(as, (cr3 & BITS(31, 12)) + (gva >> 22 & 1023) * 4, &entry) || !(entry & PTE_P))
		return false;
	if (pse && entry & PTE_PS) {
		*gpa = (entry & BITS(31, 22)) | (entry & BITS(20, 13)) << 19 | (gva & BITS(21, 0));
		return true;
	}
	if (!peek_u32(as, (entry & BITS(31, 12)) + (gva >> 12 & 1023) * 4, &entry) || !(entry & PTE_P))
		return false;
	*gpa = (entry & BITS(31, 12)) | (gva & BITS(11, 0));
	return true;
}

static bool guest_translate(struct addr_space *as, const struct guest_paging *paging, uint64_t gva, uint64_t *gpa)
{
	bool long_mode = paging->efer & EFER_LMA;

	if (!long_mode)
		gva = (uint32_t)gva;
	if (!(paging->cr0 & CR0_PG)) {
		*gpa = gva;
		return true;
	}
	if (long_mode)
		return walk_64bit(as, paging->cr3 & PTE_ADDR, 39, 30, gva, gpa);
	if (paging->cr4 & CR4_PAE)
		return walk_64bit(as, paging->cr3 & BITS(31, 5), 30, 21, gva, gpa);
	return walk_32bit(as, paging->cr3, paging->cr4 & CR4_PSE, gva, gpa);
}

static size_t peek_at(struct addr_space *as, const struct guest_paging *paging, uint64_t gva, uint8_t *bytes, size_t size)
{
	size_t done = 0;
	hpa_t hpa;

	while (done < size) {
		uint64_t at = gva + done, gpa;
		size_t piece = (size_t)min_u64(size - done, PAGE_SIZE - (at & (PAGE_SIZE - 1)));

		if (!guest_translate(as, paging, at, &gpa) || addr_space_translate(as, GPA(gpa), &hpa) != ERR_OK)
			break;
		memcpy(bytes + done, frame_ptr(hpa), piece);
		done += piece;
	}
	return done;
}

struct guest_paging guest_paging(struct vcpu *vcpu)
{
	return (struct guest_paging){
		.cr0 = virt->get(vcpu, FIELD_CR0),
		.cr3 = virt->get(vcpu, FIELD_CR3),
		.cr4 = virt->get(vcpu, FIELD_CR4),
		.efer = virt->get(vcpu, FIELD_EFER),
	};
}

size_t peek_guest(struct vcpu *vcpu, gva_t gva, uint8_t *bytes, size_t size)
{
	const struct guest_paging paging = guest_paging(vcpu);

	return peek_at(&vcpu->vm->as, &paging, gva.raw, bytes, size);
}

static size_t peek_code(struct addr_space *as, const struct guest_paging *paging, uint64_t at, struct code *code)
{
	uint64_t gpa;

	if ((at & (PAGE_SIZE - 1)) <= PAGE_SIZE - sizeof(*code) && guest_translate(as, paging, at, &gpa) &&
	    peek(as, gpa, code, sizeof(*code))) {
		code->words[1] &= BITS(55, 0);
		return CODE_MAX;
	}
	*code = (struct code){ 0 };
	return peek_at(as, paging, at, (uint8_t *)code, CODE_MAX);
}

/* --- A walk that is remembered: most accesses to devices are by the same few pages of code --- */

#define WALK_TOP_SHIFT 39

static inline bool is_same_paging(const struct guest_paging *a, const struct guest_paging *b)
{
	return ((a->cr0 ^ b->cr0) | (a->cr3 ^ b->cr3) | (a->cr4 ^ b->cr4) | (a->efer ^ b->efer)) == 0;
}

/* Is each entry on the way, of the guest's and of ours, as it was? With the first view's lock. */
static inline bool is_same_walk(const struct remembered_walk *walk, const struct npt_walk_cache *cache)
{
	const struct walk_step *step = walk->step, *end = step + walk->levels;

	if (walk->unlinked != cache->unlinked || !npt_spot_is_same(&walk->spot))
		return false;
	for (; step != end; step++)
		if (!npt_spot_is_same(&step->spot) || __atomic_load_n(step->entry, __ATOMIC_RELAXED) != step->value)
			return false;
	return true;
}

/* The code at `at`, by the walk that is remembered. False: that is another one, or it may be over. */
static inline bool read_again(struct addr_space *as, const struct remembered_walk *walk, const struct guest_paging *paging,
			      uint64_t at, struct code *code)
{
	uint64_t offset = at - walk->page;
	bool same;

	if (offset > PAGE_SIZE - sizeof(*code) || walk->levels == 0 || !is_same_paging(&walk->paging, paging) ||
	    !spin_trylock(&as->view.lock))
		return false;
	same = is_same_walk(walk, &as->view.cache);
	if (same)
		__builtin_memcpy(code, walk->code + offset, sizeof(*code));
	spin_unlock(&as->view.lock);
	return same;
}

/* The steps of a walk of 4-level paging. With the first view's lock. False: it cannot be remembered, or there is nothing. */
static bool note_steps(struct remembered_walk *walk, const struct addr_space *as, uint64_t *gpa)
{
	uint64_t table = walk->paging.cr3 & PTE_ADDR, levels = 0;
	hpa_t hpa;

	for (unsigned shift = WALK_TOP_SHIFT; shift >= PAGE_SHIFT; shift -= 9) {
		struct walk_step *step = &walk->step[levels++];
		uint64_t offset = BIT(shift) - 1;

		if (!npt_find_spot(&as->npt, &as->view.cache, GPA(table + (walk->page >> shift & 511) * 8), &step->spot, &hpa))
			return false;
		step->entry = frame_ptr(hpa);
		step->value = __atomic_load_n(step->entry, __ATOMIC_RELAXED);
		if (!(step->value & PTE_P))
			return false;
		table = step->value & PTE_ADDR;
		if (shift > PAGE_SHIFT && (shift == WALK_TOP_SHIFT || !(step->value & PTE_PS)))
			continue;
		*gpa = (table & ~offset) | (walk->page & offset);
		walk->levels = levels;
		return true;
	}
	return false;
}

/* Remember the walk to the page around `at`, if it is one of 4-level paging. */
static __attribute__((noinline)) void remember(struct addr_space *as, struct remembered_walk *walk,
					       const struct guest_paging *paging, uint64_t at)
{
	uint64_t gpa;
	hpa_t hpa;

	walk->levels = 0;
	if (!(paging->efer & EFER_LMA) || !(paging->cr0 & CR0_PG))
		return;
	walk->page = align_down(at, PAGE_SIZE);
	walk->paging = *paging;
	spin_lock(&as->view.lock);
	walk->unlinked = as->view.cache.unlinked;
	if (note_steps(walk, as, &gpa) && npt_find_spot(&as->npt, &as->view.cache, GPA(gpa), &walk->spot, &hpa))
		walk->code = frame_ptr(hpa);
	else
		walk->levels = 0;
	spin_unlock(&as->view.lock);
}

/* --- The instruction --- */

static size_t fetch(struct vcpu *vcpu, const struct guest_paging *paging, uint64_t at, struct code *code)
{
	struct remembered_walk *walk = &vcpu->arch.walk;
	struct addr_space *as = &vcpu->vm->as;
	size_t count;

	if (read_again(as, walk, paging, at, code)) {
		code->words[1] &= BITS(55, 0);
		return CODE_MAX;
	}
	count = peek_code(as, paging, at, code);
	remember(as, walk, paging, at);
	return count;
}

bool guest_move(struct vcpu *vcpu, const struct guest_paging *paging, gva_t at, unsigned bits)
{
	struct mmio_decoded *last = &vcpu->arch.mmio;
	struct code code;
	size_t count = fetch(vcpu, paging, at.raw, &code);

	if (count == last->count && count != 0 && bits == last->bits && code.words[0] == last->code.words[0] &&
	    code.words[1] == last->code.words[1])
		return true;
	*last = (struct mmio_decoded){ .code = code, .bits = (uint8_t)bits };
	if (!mmio_decode((const uint8_t *)&code, count, bits, &last->insn))
		return false;
	last->count = (uint8_t)count;
	return true;
}

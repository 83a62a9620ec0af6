/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * RISC-V G-stage, Sv39x4, Sv48x4 and Sv57x4, as in the Privileged Architecture: "Virtual Address Translation Process"
 * (the numbered steps below are its), with the changes of the hypervisor extension's "Guest Physical Address
 * Translation" (a root of 16 KiB, two more index bits, U = 1 required, G ignored), and Svpbmt. No Svnapot.
 *
 * Without those changes it is the lower half of Sv39, Sv48 and Sv57 for S-mode with SUM clear, which must not use
 * U = 1.
 */
#include "tests/host/oracle.h"

#include <string.h>

enum { V = 1, R = 2, W = 4, X = 8, U = 16, G = 32, A = 64, D = 128 };

static uint64_t ppn(uint64_t pte)
{
	return (pte >> 10) & ((UINT64_C(1) << 44) - 1);
}

/* Step 3: not valid, W without R, or anything reserved. */
static bool page_fault(const struct oracle_machine *m, uint64_t pte, bool leaf)
{
	unsigned pbmt = (pte >> 61) & 3;

	if ((pte & W) && !(pte & R))
		return true;
	if (pte >> 63 || (pte >> 54) & 0x7f) /* N; 60:54 */
		return true;
	if (leaf)
		return pbmt == 3 || (pbmt && !m->svpbmt);
	return pbmt || (pte & (D | A | U));
}

static enum oracle_type memory_type(uint64_t pte)
{
	static const enum oracle_type types[4] = { ORACLE_WB, ORACLE_WC, ORACLE_UC, ORACLE_OTHER };

	return types[(pte >> 61) & 3];
}

static void riscv_decode(const struct oracle_machine *m, uint64_t pte, unsigned level, struct oracle_entry *e)
{
	bool leaf = pte & (R | X);

	memset(e, 0, sizeof(*e));
	if (!(pte & V))
		return;
	e->kind = ORACLE_MALFORMED;
	if (page_fault(m, pte, leaf) || ppn(pte) << 12 >> m->hpa_bits)
		return;
	if (!leaf && level == 0) /* step 4: there is no table below the last */
		return;
	if (leaf && ppn(pte) % (UINT64_C(1) << (9 * level))) /* step 5: misaligned superpage */
		return;

	e->addr = ppn(pte) << 12;
	e->odd = (pte & G) && !m->supervisor;
	if (!leaf) {
		e->kind = ORACLE_TABLE;
		e->prot = ORACLE_R | ORACLE_W | ORACLE_X;
		return;
	}
	e->kind = ORACLE_LEAF;
	if (!(pte & U) == m->supervisor)
		e->prot = ((pte & R) ? ORACLE_R : 0) | ((pte & W) ? ORACLE_W : 0) | ((pte & X) ? ORACLE_X : 0);
	e->type = memory_type(pte);
	e->accessed = pte & A;
	e->dirty = pte & D;
	/* Hardware has pages of every level; nobody here writes one of 512 GiB or more. */
	e->odd |= level > m->max_leaf;
}

static unsigned riscv_root_bits(const struct oracle_machine *m)
{
	return m->supervisor ? 9 : 11;
}

/* Step 9: A clear, or D clear and a store. With Svade that is a page fault, with Svadu the hardware sets them. */
static void accessed_and_dirty(const struct oracle_machine *m, struct oracle_walk *walk, unsigned access, bool update)
{
	bool fault = access && (!walk->leaf.accessed || ((access & ORACLE_W) && !walk->leaf.dirty));

	if (!m->hardware_ad && fault)
		walk->status = ORACLE_DENIED;
	else if (update && m->hardware_ad)
		m->set(m->memory, walk->slots[walk->depth - 1], (access & ORACLE_W) ? A | D : A);
}

static void riscv_walk(const struct oracle_machine *m, uint64_t gpa, unsigned access, bool update, struct oracle_walk *walk)
{
	uint64_t a = m->root;
	struct oracle_entry e;
	int i = (int)m->levels - 1;
	uint64_t vpn = gpa >> (12 + 9 * i); /* the root's index has all the high bits */

	memset(walk, 0, sizeof(*walk));
	walk->status = ORACLE_NOT_PRESENT;
	walk->level = m->levels;
	/* Bits of the guest-physical address above the translated ones must be zero; its own are sign-extended. */
	if (gpa >> ((m->supervisor ? 11 : 14) + 9 * m->levels) || gpa >> m->gpa_bits)
		return;
	for (;; i--) {
		uint64_t slot = a + vpn * 8;
		uint64_t pte = m->load(m->memory, slot);

		walk->level = (unsigned)i;
		walk->slots[walk->depth] = slot;
		walk->ptes[walk->depth++] = pte;
		riscv_decode(m, pte, walk->level, &e);
		walk->odd |= e.odd;
		if (e.kind != ORACLE_TABLE)
			break;
		a = e.addr;
		vpn = (gpa >> (12 + 9 * (i - 1))) & 511;
	}
	if (e.kind == ORACLE_EMPTY)
		return;
	if (e.kind == ORACLE_MALFORMED) {
		walk->status = ORACLE_REFUSED;
		return;
	}
	walk->leaf = e;
	walk->prot = e.prot;
	walk->hpa = e.addr | (gpa & ((UINT64_C(1) << (12 + 9 * i)) - 1));
	walk->status = (access & ~e.prot) ? ORACLE_DENIED : ORACLE_OK;
	if (walk->status == ORACLE_OK)
		accessed_and_dirty(m, walk, access, update);
}

const struct oracle oracle_riscv = { "riscv", riscv_root_bits, riscv_decode, riscv_walk };

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Long-mode paging, as in AMD's APM, volume 2: "Long-Mode Page Translation", "Page-Translation-Table Entry Fields",
 * "Page-Protection Checks", "Page-Attribute Table Mechanism"; and for a nested table "Nested Paging", whose walks are
 * user accesses: every level must have U/S = 1. EFER.NXE is 1. PKE is off.
 *
 * APM names by level: 0 PTE, 1 PDE, 2 PDPE, 3 PML4E, 4 PML5E.
 */
#include "tests/host/oracle.h"

#include <string.h>

#define P  (UINT64_C(1) << 0)
#define RW (UINT64_C(1) << 1)
#define US (UINT64_C(1) << 2)
#define A  (UINT64_C(1) << 5)
#define D  (UINT64_C(1) << 6)
#define PS (UINT64_C(1) << 7)
#define NX (UINT64_C(1) << 63)

/* The entry's PWT, PCD and PAT select one of IA32_PAT's eight bytes. */
static enum oracle_type memory_type(const struct oracle_machine *m, uint64_t pte, unsigned level)
{
	unsigned pat = (pte >> (level == 0 ? 7 : 12)) & 1;
	unsigned index = pat << 2 | ((pte >> 3) & 3);

	switch ((m->pat >> (8 * index)) & 7) {
	case 1:
		return ORACLE_WC;
	case 4:
		return ORACLE_WT;
	case 5:
		return ORACLE_WP;
	case 6:
		return ORACLE_WB;
	case 0:
	case 7: /* UC-, which no MTRR overrides here */
		return ORACLE_UC;
	default:
		return ORACLE_OTHER;
	}
}

/* Address bits that must be zero: those the machine has not, and those below a large page, bit 12 (PAT) apart. */
static uint64_t must_be_zero(const struct oracle_machine *m, unsigned level, bool leaf)
{
	uint64_t high = ((UINT64_C(1) << 52) - 1) & ~((UINT64_C(1) << m->hpa_bits) - 1);
	uint64_t low = 0;

	if (leaf && level == 1)
		low = 0x1fe000; /* 20:13 */
	if (leaf && level == 2)
		low = 0x3fffe000; /* 29:13 */
	if (level >= 3)
		low = PS;
	return high | low;
}

static void amd_decode(const struct oracle_machine *m, uint64_t pte, unsigned level, struct oracle_entry *e)
{
	bool leaf = level == 0 || ((pte & PS) && level <= 2);

	memset(e, 0, sizeof(*e));
	if (!(pte & P))
		return;
	e->kind = ORACLE_MALFORMED;
	if (pte & must_be_zero(m, level, leaf))
		return;
	if (leaf && level > m->max_leaf) /* PS set in a PDPE on a CPU without 1 GiB pages */
		return;

	e->kind = leaf ? ORACLE_LEAF : ORACLE_TABLE;
	/* A nested access is a user's; with SMEP and SMAP on, a supervisor has no use for a user's page. */
	if (m->supervisor || (pte & US))
		e->prot = ORACLE_R | ((pte & RW) ? ORACLE_W : 0) | ((pte & NX) ? 0 : ORACLE_X);
	e->accessed = pte & A;
	e->addr = pte & 0x000ffffffffff000;
	if (leaf && level > 0)
		e->addr &= ~(uint64_t)0x1000;
	if (leaf) {
		e->dirty = pte & D;
		e->type = memory_type(m, pte, level);
	}
	/* Bit 8 of the top levels: the manual's figures say zero, processors differ. */
	e->odd = level >= 3 && (pte & 0x100);
}

static unsigned amd_root_bits(const struct oracle_machine *m)
{
	(void)m;
	return 9;
}

static void set_flags(const struct oracle_machine *m, const struct oracle_walk *walk, unsigned access)
{
	for (unsigned i = 0; i < walk->depth; i++)
		m->set(m->memory, walk->slots[i], A);
	if (access & ORACLE_W)
		m->set(m->memory, walk->slots[walk->depth - 1], D);
}

static void amd_walk(const struct oracle_machine *m, uint64_t gpa, unsigned access, bool update, struct oracle_walk *walk)
{
	uint64_t at = m->root;
	unsigned shift = 12 + 9 * m->levels;
	uint64_t users = US;
	struct oracle_entry e;

	memset(walk, 0, sizeof(*walk));
	walk->prot = ORACLE_R | ORACLE_W | ORACLE_X;
	walk->status = ORACLE_NOT_PRESENT;
	walk->level = m->levels;
	if (gpa >> m->gpa_bits)
		return;
	for (;;) {
		shift -= 9;
		walk->level--;
		at += ((gpa >> shift) % 512) * 8;
		uint64_t pte = m->load(m->memory, at);

		walk->slots[walk->depth] = at;
		walk->ptes[walk->depth++] = pte;
		amd_decode(m, pte, walk->level, &e);
		if (e.kind == ORACLE_EMPTY)
			return;
		if (e.kind == ORACLE_MALFORMED) {
			walk->status = ORACLE_REFUSED;
			return;
		}
		walk->prot &= e.prot;
		walk->odd |= e.odd;
		users &= pte;
		at = e.addr;
		if (e.kind == ORACLE_LEAF)
			break;
	}
	if (m->supervisor && users)
		walk->prot = 0;
	walk->hpa = at | (gpa % (UINT64_C(1) << shift));
	walk->leaf = e;
	walk->status = (access & ~walk->prot) ? ORACLE_DENIED : ORACLE_OK;
	if (update && walk->status == ORACLE_OK)
		set_flags(m, walk, access);
}

const struct oracle oracle_amd = { "amd", amd_root_bits, amd_decode, amd_walk };

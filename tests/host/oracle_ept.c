/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Intel EPT, as in the SDM, volume 3, "The Extended Page Table Mechanism (EPT)": "EPT Translation Mechanism",
 * "EPT-Induced VM Exits" (violations and misconfigurations), "Accessed and Dirty Flags for EPT", "EPT and Memory
 * Typing".
 *
 * SDM names by level: 0 PTE, 1 PDE, 2 PDPTE, 3 PML4E, 4 PML5E.
 */
#include "tests/host/oracle.h"

#include <string.h>

static bool any(uint64_t pte, unsigned high, unsigned low)
{
	return high >= low && (pte >> low) << (63 - high + low) != 0;
}

static enum oracle_type memory_type(unsigned code)
{
	switch (code) {
	case 0:
		return ORACLE_UC;
	case 1:
		return ORACLE_WC;
	case 4:
		return ORACLE_WT;
	case 5:
		return ORACLE_WP;
	default:
		return ORACLE_WB;
	}
}

/* "EPT Misconfigurations": what bits 2:0 may not be when they are not all clear. */
static bool bad_access_bits(const struct oracle_machine *m, uint64_t pte)
{
	bool r = pte & 1, w = pte & 2, x = pte & 4;

	return (w && !r) || (x && !r && !m->exec_only);
}

static bool bad_leaf(uint64_t pte, unsigned level)
{
	unsigned type = (pte >> 3) & 7;

	if (type == 2 || type == 3 || type == 7)
		return true;
	/* The address of a 2 MiB page has bits 20:12 reserved, that of a 1 GiB page bits 29:12. */
	return any(pte, 11 + 9 * level, 12);
}

static void ept_decode(const struct oracle_machine *m, uint64_t pte, unsigned level, struct oracle_entry *e)
{
	bool bit7 = (pte >> 7) & 1;
	bool leaf = level == 0 || (bit7 && level <= 2 && level <= m->max_leaf);

	memset(e, 0, sizeof(*e));
	if ((pte & 7) == 0)
		return; /* ORACLE_EMPTY: whatever else is in it */
	e->kind = ORACLE_MALFORMED;
	if (bad_access_bits(m, pte) || any(pte, 51, m->hpa_bits))
		return;
	if (!leaf && any(pte, 7, 3)) /* of an entry that references a table, bit 7 of the top levels included */
		return;
	if (leaf && bad_leaf(pte, level))
		return;

	e->kind = leaf ? ORACLE_LEAF : ORACLE_TABLE;
	e->addr = pte & 0x000ffffffffff000;
	e->prot = pte & 7;
	e->accessed = (pte >> 8) & 1;
	if (leaf) {
		e->dirty = (pte >> 9) & 1;
		e->type = memory_type((pte >> 3) & 7);
		e->ipat = (pte >> 6) & 1;
	}
}

static unsigned ept_root_bits(const struct oracle_machine *m)
{
	(void)m;
	return 9;
}

static void set_flags(const struct oracle_machine *m, const struct oracle_walk *walk, unsigned access)
{
	for (unsigned i = 0; i < walk->depth; i++)
		m->set(m->memory, walk->slots[i], 1 << 8);
	if (access & ORACLE_W)
		m->set(m->memory, walk->slots[walk->depth - 1], 1 << 9);
}

static void ept_walk(const struct oracle_machine *m, uint64_t gpa, unsigned access, bool update, struct oracle_walk *walk)
{
	uint64_t table = m->root;
	struct oracle_entry e;
	uint64_t offset;

	memset(walk, 0, sizeof(*walk));
	walk->prot = ORACLE_R | ORACLE_W | ORACLE_X;
	walk->level = m->levels;
	walk->status = ORACLE_NOT_PRESENT;
	if (gpa >> m->gpa_bits)
		return;
	do {
		walk->level--;
		uint64_t slot = table + 8 * ((gpa >> (12 + 9 * walk->level)) & 511);
		uint64_t pte = m->load(m->memory, slot);

		walk->slots[walk->depth] = slot;
		walk->ptes[walk->depth++] = pte;
		ept_decode(m, pte, walk->level, &e);
		if (e.kind == ORACLE_EMPTY)
			return;
		if (e.kind == ORACLE_MALFORMED) {
			walk->status = ORACLE_REFUSED;
			return;
		}
		walk->prot &= e.prot;
		table = e.addr;
	} while (e.kind == ORACLE_TABLE);

	offset = gpa & ((UINT64_C(1) << (12 + 9 * walk->level)) - 1);
	walk->hpa = e.addr + offset;
	walk->leaf = e;
	walk->status = (access & ~walk->prot) ? ORACLE_DENIED : ORACLE_OK;
	if (update && m->hardware_ad && walk->status == ORACLE_OK)
		set_flags(m, walk, access);
}

const struct oracle oracle_ept = { "ept", ept_root_bits, ept_decode, ept_walk };

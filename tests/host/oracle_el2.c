/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * AArch64 stage 1 of EL2 with the 4 KiB granule, as in the Arm ARM (DDI 0487), "The AArch64 Virtual Memory System
 * Architecture": descriptor formats, "Hierarchical control of stage 1 permissions", direct permissions of a regime with
 * one privilege level (EL2, HCR_EL2.E2H = 0) and of one with two (EL2&0, E2H = 1, its lower range, PSTATE.PAN = 1),
 * memory types through MAIR_EL2. No FEAT_LPA2, no hardware Access flag, WXN = 0.
 *
 * The Arm ARM counts levels from the root down: its level is 3 minus ours.
 */
#include "tests/host/oracle.h"

#include <string.h>

#define AP_1     (UINT64_C(1) << 6) /* EL2: RES1; EL2&0: EL0 has access */
#define AP_2     (UINT64_C(1) << 7)
#define AF       (UINT64_C(1) << 10)
#define PXN      (UINT64_C(1) << 53) /* EL2&0 */
#define XN       (UINT64_C(1) << 54) /* EL2&0: UXN */
#define PXNTABLE (UINT64_C(1) << 59) /* EL2&0 */
#define XNTABLE  (UINT64_C(1) << 60)
#define APTABLE1 (UINT64_C(1) << 62)

static uint64_t bits(uint64_t pte, unsigned high, unsigned low)
{
	return pte << (63 - high) >> (63 - high + low);
}

static enum oracle_type memory_type(const struct oracle_machine *m, uint64_t pte)
{
	switch ((m->pat >> (8 * bits(pte, 4, 2))) & 0xff) {
	case 0xff: /* Normal, inner and outer write-back, non-transient, read and write allocate */
		return ORACLE_WB;
	case 0xbb:
		return ORACLE_WT;
	case 0x44:
		return ORACLE_WC;
	case 0x00: /* Device-nGnRnE */
		return ORACLE_UC;
	default:
		return ORACLE_OTHER;
	}
}

/* What EL2 may do. */
static unsigned el2_prot(uint64_t pte)
{
	return ORACLE_R | ((pte & AP_2) ? 0 : ORACLE_W) | ((pte & XN) ? 0 : ORACLE_X);
}

/* It may not touch what EL0 may, nor execute what EL0 may write. */
static unsigned el20_prot(uint64_t pte)
{
	bool executes = !(pte & PXN) && ((pte & AP_2) || !(pte & AP_1));

	return ((pte & AP_1) ? 0 : ORACLE_R | ((pte & AP_2) ? 0 : ORACLE_W)) | (executes ? ORACLE_X : 0);
}

static void decode_leaf(const struct oracle_machine *m, uint64_t pte, unsigned level, bool el20, struct oracle_entry *e)
{
	e->kind = ORACLE_LEAF;
	e->addr = bits(pte, 47, 12 + 9 * level) << (12 + 9 * level);
	e->prot = el20 ? el20_prot(pte) : el2_prot(pte);
	e->type = memory_type(m, pte);
	e->share = (unsigned)bits(pte, 9, 8);
	e->accessed = pte & AF;
	/* NS, nG, GP, DBM, Contiguous and what is reserved. */
	e->odd = bits(pte, 5, 5) || bits(pte, 11, 11) || bits(pte, 52, 48) || bits(pte, 63, 59) ||
		 (level > 0 && bits(pte, 11 + 9 * level, 12)) || e->share == 1;
	/* AP[1] ought to be one, and there is no PXN; or nothing ought to be EL0's. */
	e->odd |= el20 ? (pte & AP_1) || !(pte & XN) : !(pte & AP_1) || (pte & PXN);
}

static void decode(const struct oracle_machine *m, uint64_t pte, unsigned level, bool el20, struct oracle_entry *e)
{
	memset(e, 0, sizeof(*e));
	if (!(pte & 1))
		return;
	if (level > 0 && (pte & 2)) {
		e->kind = ORACLE_TABLE;
		e->addr = bits(pte, 47, 12) << 12;
		e->prot = ORACLE_R | ((pte & APTABLE1) ? 0 : ORACLE_W) | ((pte & (el20 ? PXNTABLE : XNTABLE)) ? 0 : ORACLE_X);
		e->odd = bits(pte, 51, 48) || bits(pte, 63, 59);
	} else if (level == 0 ? (pte & 2) != 0 : level <= 2 && level <= m->max_leaf) {
		decode_leaf(m, pte, level, el20, e);
	}
	if (e->addr >> m->hpa_bits)
		e->kind = ORACLE_MALFORMED;
}

static void el2_decode(const struct oracle_machine *m, uint64_t pte, unsigned level, struct oracle_entry *e)
{
	decode(m, pte, level, false, e);
}

static void el20_decode(const struct oracle_machine *m, uint64_t pte, unsigned level, struct oracle_entry *e)
{
	decode(m, pte, level, true, e);
}

static unsigned root_bits(const struct oracle_machine *m)
{
	(void)m;
	return 9;
}

static void walk_for(const struct oracle_machine *m, uint64_t gpa, unsigned access, bool el20, struct oracle_walk *walk)
{
	uint64_t table = m->root;
	struct oracle_entry e;

	memset(walk, 0, sizeof(*walk));
	walk->status = ORACLE_NOT_PRESENT;
	walk->prot = ORACLE_R | ORACLE_W | ORACLE_X;
	walk->level = 4;
	if (bits(gpa, 63, m->gpa_bits))
		return;
	do {
		unsigned shift = 12 + 9 * --walk->level;

		walk->slots[walk->depth] = table + 8 * bits(gpa, shift + 8, shift);
		walk->ptes[walk->depth] = m->load(m->memory, walk->slots[walk->depth]);
		decode(m, walk->ptes[walk->depth++], walk->level, el20, &e);
		if (e.kind == ORACLE_EMPTY)
			return;
		if (e.kind == ORACLE_MALFORMED) {
			walk->status = ORACLE_REFUSED;
			return;
		}
		walk->prot &= e.prot;
		walk->odd |= e.odd;
		table = e.addr;
	} while (e.kind == ORACLE_TABLE);
	walk->leaf = e;
	walk->hpa = e.addr + bits(gpa, 11 + 9 * walk->level, 0);
	walk->status = (access & ~walk->prot) || !e.accessed ? ORACLE_DENIED : ORACLE_OK;
}

/* The Access flag is software's: nothing is updated. */
static void el2_walk(const struct oracle_machine *m, uint64_t gpa, unsigned access, bool update, struct oracle_walk *walk)
{
	(void)update;
	walk_for(m, gpa, access, false, walk);
}

static void el20_walk(const struct oracle_machine *m, uint64_t gpa, unsigned access, bool update, struct oracle_walk *walk)
{
	(void)update;
	walk_for(m, gpa, access, true, walk);
}

const struct oracle oracle_el2 = { "el2", root_bits, el2_decode, el2_walk };
const struct oracle oracle_el20 = { "el20", root_bits, el20_decode, el20_walk };

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * AArch64 stage 2 with the 4 KiB granule, as in the Arm ARM (DDI 0487), "The AArch64 Virtual Memory System
 * Architecture": the VMSAv8-64 translation table format descriptors, concatenated translation tables for the initial
 * stage 2 lookup, stage 2 access permissions, stage 2 memory attributes for both values of HCR_EL2.FWB, the Access flag
 * and dirty state. No FEAT_LPA2, no FEAT_XNX (bit 53 is RES0), no FEAT_BBM.
 *
 * The Arm ARM counts levels from the root down: its level is 3 minus ours.
 */
#include "tests/host/oracle.h"

#include <string.h>

#define DBM    (UINT64_C(1) << 51)
#define XN     (UINT64_C(1) << 54)
#define AF     (UINT64_C(1) << 10)
#define S2AP_W (UINT64_C(1) << 7)
#define S2AP_R (UINT64_C(1) << 6)

static uint64_t field(uint64_t pte, unsigned high, unsigned low)
{
	return (pte >> low) & (((UINT64_C(1) << (high - low)) << 1) - 1);
}

/* MemAttr[2:0] with FWB = 1: Device, or Normal as this entry alone says. */
static enum oracle_type forced_type(uint64_t pte)
{
	switch (field(pte, 4, 2)) {
	case 0: /* Device-nGnRnE */
		return ORACLE_UC;
	case 5: /* Normal, non-cacheable */
		return ORACLE_WC;
	case 6: /* Normal, write-back */
		return ORACLE_WB;
	default: /* other Device types; reserved; as stage 1 says */
		return ORACLE_OTHER;
	}
}

/* MemAttr[3:0]: Device, or Normal with outer and inner cacheability. */
static enum oracle_type memory_type(const struct oracle_machine *m, uint64_t pte)
{
	if (m->fwb)
		return forced_type(pte);
	switch (field(pte, 5, 2)) {
	case 0x0: /* Device-nGnRnE */
		return ORACLE_UC;
	case 0x5: /* Normal, non-cacheable */
		return ORACLE_WC;
	case 0xa: /* Normal, write-through */
		return ORACLE_WT;
	case 0xf: /* Normal, write-back */
		return ORACLE_WB;
	default:
		return ORACLE_OTHER;
	}
}

static unsigned permissions(const struct oracle_machine *m, uint64_t pte)
{
	unsigned prot = 0;

	if (pte & S2AP_R)
		prot |= ORACLE_R;
	/* With VTCR_EL2.HD, a page marked DBM may become writable by a write. */
	if ((pte & S2AP_W) || (m->hardware_ad && (pte & DBM)))
		prot |= ORACLE_W;
	if (!(pte & XN))
		prot |= ORACLE_X;
	return prot;
}

/* RES0 bits, which hardware ignores, and encodings that nobody here should write. */
static bool odd_leaf(uint64_t pte, unsigned level)
{
	bool low_address = level > 0 && field(pte, 11 + 9 * level, 12);

	return low_address || field(pte, 50, 48) || field(pte, 53, 52) || field(pte, 63, 59) || field(pte, 11, 11) ||
	       field(pte, 9, 8) == 1;
}

static void stage2_decode(const struct oracle_machine *m, uint64_t pte, unsigned level, struct oracle_entry *e)
{
	uint64_t type = field(pte, 1, 0);
	uint64_t address = pte & 0x0000fffffffff000;

	memset(e, 0, sizeof(*e));
	if (!(type & 1))
		return;
	/* 0b01: a block at the Arm ARM's levels 1 and 2; at levels 0 and 3 a translation fault. */
	if (type == 1 && (level == 0 || level > 2 || level > m->max_leaf))
		return;
	if (type == 3 && level > 0) {
		e->kind = address >> m->hpa_bits ? ORACLE_MALFORMED : ORACLE_TABLE;
		e->addr = address;
		e->prot = ORACLE_R | ORACLE_W | ORACLE_X;
		e->odd = field(pte, 51, 48) || field(pte, 63, 59);
		return;
	}
	/* An output address beyond VTCR_EL2.PS is an Address size fault. */
	e->addr = address & ~((UINT64_C(1) << (12 + 9 * level)) - 1);
	e->kind = e->addr >> m->hpa_bits ? ORACLE_MALFORMED : ORACLE_LEAF;
	e->prot = permissions(m, pte);
	e->type = memory_type(m, pte);
	e->share = (unsigned)field(pte, 9, 8);
	e->accessed = pte & AF;
	e->dirty = (pte & S2AP_W) != 0;
	e->odd = odd_leaf(pte, level) || (m->fwb && field(pte, 5, 5));
}

/*
 * Up to 16 tables stand side by side at the initial level, so that the lookup begins one level further down: the
 * index is all bits of the input address above the second level's.
 */
static unsigned stage2_root_bits(const struct oracle_machine *m)
{
	return m->gpa_bits - (12 + 9 * (m->levels - 1));
}

static void update_flags(const struct oracle_machine *m, const struct oracle_walk *walk, unsigned access)
{
	uint64_t slot = walk->slots[walk->depth - 1];

	m->set(m->memory, slot, AF);
	if (access & ORACLE_W)
		m->set(m->memory, slot, S2AP_W);
}

static void stage2_walk(const struct oracle_machine *m, uint64_t gpa, unsigned access, bool update, struct oracle_walk *walk)
{
	unsigned initial = 4 - m->levels; /* the Arm ARM's lookup levels from here on */
	uint64_t base = m->root;
	struct oracle_entry e;

	memset(walk, 0, sizeof(*walk));
	walk->level = m->levels - 1;
	walk->prot = ORACLE_R | ORACLE_W | ORACLE_X;
	walk->status = ORACLE_NOT_PRESENT;
	if (gpa >> m->gpa_bits)
		return;
	for (unsigned lookup = initial; lookup <= 3; lookup++) {
		unsigned low = 39 - 9 * lookup;
		unsigned high = lookup == initial ? m->gpa_bits - 1 : low + 8;
		uint64_t slot = base + 8 * field(gpa, high, low);
		uint64_t pte = m->load(m->memory, slot);

		walk->level = 3 - lookup;
		walk->slots[walk->depth] = slot;
		walk->ptes[walk->depth++] = pte;
		stage2_decode(m, pte, walk->level, &e);
		walk->odd |= e.odd;
		if (e.kind != ORACLE_TABLE)
			break;
		base = e.addr;
	}
	if (e.kind == ORACLE_EMPTY)
		return;
	if (e.kind == ORACLE_MALFORMED) {
		walk->status = ORACLE_REFUSED;
		return;
	}
	walk->leaf = e;
	walk->prot = e.prot;
	walk->hpa = e.addr + (gpa & ((UINT64_C(1) << (12 + 9 * walk->level)) - 1));
	walk->status = (access & ~e.prot) ? ORACLE_DENIED : ORACLE_OK;
	/* Without VTCR_EL2.HA a clear Access flag is a fault of its own. */
	if (!m->hardware_ad && !e.accessed)
		walk->status = ORACLE_DENIED;
	if (update && m->hardware_ad && walk->status == ORACLE_OK)
		update_flags(m, walk, access);
}

const struct oracle oracle_stage2 = { "stage2", stage2_root_bits, stage2_decode, stage2_walk };

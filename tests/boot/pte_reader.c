/* SPDX-License-Identifier: BSD-2-Clause */
/* What npt/ reads in an entry, for tests/boot/debug.py to compare with what tools/debugger/pte.py reads. */
#include "npt/engine.h"

struct reading {
	uint64_t address; /* of a leaf or a table */
	uint8_t kind, prot, memtype, shared, accessed, dirty, access_tracked;
};

void read_entry(const struct npt_ops *ops, uint64_t pte, unsigned level, struct reading *reading);

void read_entry(const struct npt_ops *ops, uint64_t pte, unsigned level, struct reading *reading)
{
	*reading = (struct reading){ .kind = (uint8_t)ops->format->kind(pte, level) };
	if (reading->kind == NPT_SHARED)
		reading->kind = NPT_TABLE;
	if (reading->kind == NPT_TABLE)
		reading->address = engine_table_addr(ops->format, pte).raw;
	if (reading->kind == NPT_LEAF) {
		struct npt_leaf leaf;

		ops->decode(pte, 0, level, &leaf);
		reading->address = leaf.hpa.raw;
		reading->prot = leaf.attr.prot;
		reading->memtype = leaf.attr.memtype;
		reading->shared = leaf.attr.shared;
		reading->accessed = leaf.accessed;
		reading->dirty = leaf.dirty;
		reading->access_tracked = leaf.access_tracked;
	}
}

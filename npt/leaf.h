/* SPDX-License-Identifier: BSD-2-Clause */
/* Operations on the one entry that npt_find came to. Compiled once per format; private to npt/. */
#ifndef NESTLING_NPT_LEAF_H
#define NESTLING_NPT_LEAF_H

#include "npt/engine.h"

ENGINE struct npt_leaf engine_decode(const struct npt_format *format, uint64_t pte, uint64_t gpa, unsigned level)
{
	unsigned marks = engine_marks(format, pte);

	return (struct npt_leaf){
		.gpa = GPA(align_down(gpa, npt_level_size(level))),
		.hpa = engine_leaf_addr(format, pte, level),
		.level = level,
		.attr = engine_attr(format, pte, level),
		.accessed = marks & NPT_ACCESSED,
		.dirty = marks & NPT_DIRTY,
		.hidden = format->hidden(pte),
	};
}

ENGINE enum err engine_map_at(const struct npt_format *format, struct npt *npt, const struct npt_cursor *cursor,
			      gpa_t gpa, unsigned level, hpa_t hpa, struct npt_attr attr)
{
	enum err err = engine_check_leaf(format, npt, gpa.raw, level, hpa, attr);
	uint64_t pte;

	if (err != ERR_OK)
		return err;
	if (level > cursor->level)
		return ERR_EXISTS;
	pte = engine_leaf(format, hpa, attr, level, npt->config.hw_ad);
	if (level < cursor->level)
		return engine_map_below(npt, *cursor, gpa.raw, level, pte);
	npt->leaves[level]++;
	pte_store(cursor->slot, pte);
	++*npt->env->live(npt->env, cursor->table);
	return ERR_OK;
}

ENGINE void engine_touch(const struct npt_format *format, struct npt *npt, const struct npt_cursor *cursor, unsigned prot,
			 unsigned marks)
{
	const bool hw_ad = npt->config.hw_ad;
	uint64_t pte = pte_load(cursor->slot), wanted;

	do {
		struct npt_attr attr = engine_attr(format, pte, cursor->level);
		bool let_in = !hw_ad || format->hidden(pte);

		attr.prot |= (uint8_t)prot;
		attr.shared = attr.shared && !(prot & NPT_W);
		wanted = engine_set(format, pte, attr, engine_marks(format, pte) | marks | (let_in ? NPT_ACCESSED : 0), hw_ad);
	} while (!pte_replace(cursor->slot, &pte, wanted));
}

ENGINE void engine_replace(const struct npt_format *format, struct npt *npt, const struct npt_cursor *cursor, gpa_t gpa,
			   hpa_t hpa, struct npt_attr attr, unsigned marks)
{
	uint64_t size = npt_level_size(cursor->level);
	uint64_t pte = engine_marked_leaf(format, hpa, attr, marks, cursor->level, npt->config.hw_ad);
	uint64_t old = __atomic_exchange_n(cursor->slot, format->break_before_make ? 0 : pte, __ATOMIC_ACQ_REL);

	if (!format->hidden(old))
		npt->env->flush(npt->env, GPA(align_down(gpa.raw, size)), size);
	if (format->break_before_make)
		pte_store(cursor->slot, pte);
}

#endif

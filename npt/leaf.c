/* SPDX-License-Identifier: BSD-2-Clause */
/* Operations on the entry at which npt_find ended. */
#include "npt/engine.h"
#include "npt/pages.h"

void npt_decode(const struct npt *npt, const struct npt_cursor *cursor, gpa_t gpa, struct npt_leaf *leaf)
{
	npt->ops->decode(cursor->pte, gpa.raw, cursor->level, leaf);
}

enum err npt_map_at(struct npt *npt, const struct npt_cursor *cursor, gpa_t gpa, unsigned level, hpa_t hpa, struct npt_attr attr)
{
	const struct npt_format *format = npt->ops->format;
	enum err err = engine_check_leaf(format, npt, gpa.raw, level, hpa, attr);
	uint64_t pte;

	if (err != ERR_OK)
		return err;
	if (level > cursor->level)
		return ERR_EXISTS;
	pte = engine_leaf(format, hpa, attr, level, npt->config.hardware_ad);
	if (level < cursor->level)
		return engine_map_below(npt, *cursor, gpa.raw, level, pte);
	npt->leaves[level]++;
	pte_store(cursor->slot, pte);
	++*npt->env->present(npt->env, cursor->table);
	return ERR_OK;
}

/* The entry of a 2 MiB leaf, made from that of a 4 KiB leaf. */
static inline uint64_t block_entry(const struct npt *npt, uint64_t entry)
{
	const struct npt_format *format = npt->ops->format;

	entry ^= npt->block_bits;
	return npt->config.page_exec ? format->set(entry, format->attr(entry, 1), format->ad_bits(entry), npt->config.hardware_ad) :
				       entry;
}

void npt_fill_at(struct npt *npt, const struct npt_cursor *cursor, hpa_t hpa, uint64_t entry)
{
	entry += hpa.raw >> npt->page.shift;
	if (cursor->level > 0)
		entry = block_entry(npt, entry);
	pte_store(cursor->slot, entry);
	npt->leaves[cursor->level]++;
	++*npt->env->present(npt->env, cursor->table);
}

bool npt_try_fill_at(struct npt *npt, const struct npt_cursor *cursor, hpa_t hpa, uint64_t entry)
{
	uint64_t empty = 0;

	entry += hpa.raw >> npt->page.shift;
	if (!pte_replace(cursor->slot, &empty, cursor->level > 0 ? block_entry(npt, entry) : entry))
		return false;
	__atomic_fetch_add(&npt->leaves[cursor->level], 1, __ATOMIC_RELAXED);
	npt_count_present(npt->env->present(npt->env, cursor->table), 1);
	return true;
}

void npt_touch(struct npt *npt, const struct npt_cursor *cursor, unsigned prot, unsigned ad_bits)
{
	const struct npt_format *format = npt->ops->format;
	const bool hardware_ad = npt->config.hardware_ad;
	uint64_t pte = pte_load(cursor->slot), wanted;

	do {
		struct npt_attr attr = engine_attr(format, pte, cursor->level);
		bool let_in = !hardware_ad || format->access_tracked(pte);

		attr.prot |= (uint8_t)prot;
		attr.shared = attr.shared && !(prot & NPT_W);
		wanted = engine_set(format, pte, attr, engine_ad_bits(format, pte) | ad_bits | (let_in ? NPT_ACCESSED : 0),
				    hardware_ad);
	} while (!pte_replace(cursor->slot, &pte, wanted));
}

void npt_replace(struct npt *npt, const struct npt_cursor *cursor, gpa_t gpa, hpa_t hpa, struct npt_attr attr, unsigned ad_bits)
{
	const struct npt_format *format = npt->ops->format;
	const uint64_t size = npt_level_size(cursor->level);
	uint64_t pte = engine_leaf_with_ad(format, hpa, attr, ad_bits, cursor->level, npt->config.hardware_ad);
	uint64_t old = __atomic_exchange_n(cursor->slot, 0, __ATOMIC_ACQ_REL);

	if (!format->access_tracked(old))
		npt->env->flush(npt->env, GPA(align_down(gpa.raw, size)), size);
	pte_store(cursor->slot, pte);
}

void npt_replace_pages(struct npt *npt, gpa_t gpa, uint64_t *slot, unsigned count, hpa_t hpa, struct npt_attr attr)
{
	const struct npt_format *format = npt->ops->format;
	const uint64_t varying = engine_varying(format, 0);
	uint64_t entries[NPT_REPLACE_MAX], before = 0, entry = 0;
	unsigned added = NPT_ACCESSED | NPT_DIRTY;

	for (unsigned i = 0; i < count; i++, hpa.raw += PAGE_SIZE) {
		uint64_t old = __atomic_exchange_n(slot + i, 0, __ATOMIC_ACQ_REL) & ~varying;

		if (i < 2 || old != before)
			entry = engine_leaf_with_ad(format, HPA(0), attr, engine_ad_bits(format, old) | added, 0,
						    npt->config.hardware_ad);
		entries[i] = entry + (hpa.raw >> npt->page.shift);
		before = old;
		added = 0;
	}
	npt->env->flush(npt->env, GPA(align_down(gpa.raw, PAGE_SIZE)), count * PAGE_SIZE);
	for (unsigned i = 0; i < count; i++)
		pte_store(slot + i, entries[i]);
}

bool npt_take_out(const struct npt *npt, uint64_t *slot, uint64_t pte)
{
	return pte_replace(slot, &pte, npt->ops->format->track_access(pte));
}

void npt_put_in(const struct npt *npt, uint64_t *slot, unsigned level, hpa_t hpa, uint64_t entry)
{
	entry += hpa.raw >> npt->page.shift;
	pte_store(slot, level > 0 ? block_entry(npt, entry) : entry);
}

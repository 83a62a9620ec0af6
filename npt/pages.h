/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The fast path: operations on pages whose table is in the walk cache. Each is a few instructions and calls nothing. All other
 * cases take the slow path, a walk: npt/npt.h.
 */
#ifndef NESTLING_NPT_PAGES_H
#define NESTLING_NPT_PAGES_H

#include "npt/walk_cache.h"

/* The page that an entry of level 0 maps. False: it maps none, or the quick test of npt_page_format does not recognise it. */
static inline bool npt_is_page(const struct npt *npt, uint64_t pte, hpa_t *page)
{
	/* Flipped, not masked and compared, which takes two instructions more. `value` has no bit of the address. */
	const uint64_t mask = npt->page.mask;

	pte ^= npt->page.value;
	if (mask & pte)
		return false;
	*page = HPA((pte & npt->page.address) * npt->page.scale);
	return true;
}

/*
 * npt_is_page of the entry at `slot`. It is written out, with the mask read before the entry: the compiler then tests the entry by
 * one instruction instead of two.
 */
static inline bool npt_page_at(const struct npt *npt, const uint64_t *slot, hpa_t *page)
{
	const uint64_t mask = npt->page.mask;
	uint64_t pte = __atomic_load_n(slot, __ATOMIC_RELAXED) ^ npt->page.value;

	if (mask & pte)
		return false;
	*page = HPA((pte & npt->page.address) * npt->page.scale);
	return true;
}

/*
 * Does `pte` map a page with the attributes of `entry`, npt_page_entry of them, so that hardware can use it? An entry in which
 * software has changed an accessed or dirty bit need not pass.
 */
static inline bool npt_is_like(const struct npt *npt, uint64_t pte, uint64_t entry)
{
	return ((pte ^ entry) & npt->page.fixed) == 0;
}

/*
 * As npt_map for `count` pages from `gpa` on. `entry` is npt_page_entry of their attributes, `slot` what npt_walk_cache_lookup
 * returned for `gpa`. All `count` entries are empty (0) and in that table, and no other CPU fills them. `hpa` is within hpa_bits.
 * Cannot fail.
 */
static inline void npt_fill_pages(struct npt_walk_cache *cache, gpa_t gpa, uint64_t *slot, uint64_t count, hpa_t hpa,
				  uint64_t entry)
{
	const uint64_t step = PAGE_SIZE >> cache->page_shift;
	uint64_t *const stop = slot + count;

	entry += hpa.raw >> cache->page_shift;
	_Pragma("GCC unroll 4") do
	{
		__atomic_store_n(slot, entry, __ATOMIC_RELEASE);
		entry += step;
	}
	while (++slot < stop)
		;
	npt_count_present(cache->of[npt_walk_cache_index(gpa.raw)].present, (uint32_t)count);
	cache->leaves += count;
}

/*
 * The same for one page, while other CPUs fill in entries, too, by caches of their own. `place` is that of its block in the walk
 * cache. The caller counts the leaf in cache->leaves, at once or later. False: nothing was changed, the entry is not empty any
 * more.
 */
static inline bool npt_try_fill_page(const struct npt_walk_cache *cache, const char *place, uint64_t *slot, hpa_t hpa,
				     uint64_t entry)
{
	uint64_t empty = 0;

	if (!__atomic_compare_exchange_n(slot, &empty, entry + (hpa.raw >> cache->page_shift), false, __ATOMIC_RELEASE,
					 __ATOMIC_RELAXED))
		return false;
	npt_count_present(NPT_WALK_CACHE_AT(place, of).present, 1);
	return true;
}

/*
 * Remove the leaf at `slot`, which npt_walk_cache_lookup returned for `gpa`, if the quick test recognises it and it is not the last
 * entry in its table. The old translation may be in use until the caller has flushed it. False: nothing was changed; use npt_unmap.
 */
static inline bool npt_remove_page(struct npt *npt, gpa_t gpa, uint64_t *slot, hpa_t *hpa)
{
	uint32_t *present = npt->cache->of[npt_walk_cache_index(gpa.raw)].present;
	uint64_t pte = __atomic_load_n(slot, __ATOMIC_RELAXED);

	if ((pte & npt->page.mask) != npt->page.value || *present == 1)
		return false;
	*hpa = HPA((pte & npt->page.address) << npt->page.shift);
	__atomic_store_n(slot, 0, __ATOMIC_RELEASE);
	--*present;
	npt->leaves[0]--;
	return true;
}

/*
 * The leaf that maps `gpa`, where the walk cache suffices: all bits of its entry but the address, and the page around `gpa`. False:
 * it does not. An entry that hardware cannot use has other bits than any that it can.
 */
struct npt_cached_leaf {
	uint64_t bits;
	uint64_t *slot;
	hpa_t page;
	bool large;
};
static inline __attribute__((always_inline)) bool npt_leaf_cached(const struct npt *npt, const struct npt_walk_cache *cache,
								  gpa_t gpa, struct npt_cached_leaf *leaf)
{
	uint64_t *slot = npt_walk_cache_lookup(cache, gpa), pte;
	hpa_t at;

	if (slot) {
		pte = __atomic_load_n(slot, __ATOMIC_RELAXED);
		*leaf = (struct npt_cached_leaf){
			.bits = pte & ~npt->page.address,
			.slot = slot,
			.page = HPA((pte & npt->page.address) << npt->page.shift),
		};
		return pte != 0;
	}
	if (!npt_walk_cache_lookup_leaf(cache, gpa, &at))
		return false;
	*leaf = (struct npt_cached_leaf){
		.bits = cache->of[npt_walk_cache_index(gpa.raw)].leaf & ~npt->page.address,
		.page = HPA(align_down(at.raw, PAGE_SIZE)),
		.large = true,
	};
	return true;
}

/*
 * The nested entry by which a guest address was translated. As long as it is the same, and cache->unlinked, too, the translation
 * is.
 */
struct npt_spot {
	const uint64_t *slot;
	uint64_t pte;
};

static inline bool npt_spot_is_same(const struct npt_spot *spot)
{
	return __atomic_load_n(spot->slot, __ATOMIC_RELAXED) == spot->pte;
}

/* As npt_translate_cached, of which it says by what. */
static inline bool npt_find_spot(const struct npt *npt, const struct npt_walk_cache *cache, gpa_t gpa, struct npt_spot *spot,
				 hpa_t *hpa)
{
	const uint64_t *slot = npt_walk_cache_lookup(cache, gpa);
	unsigned i = npt_walk_cache_index(gpa.raw);

	if (!slot) {
		*spot = (struct npt_spot){ (const uint64_t *)cache->slot[i], cache->of[i].leaf };
		return npt_walk_cache_lookup_leaf(cache, gpa, hpa);
	}
	*spot = (struct npt_spot){ slot, __atomic_load_n(slot, __ATOMIC_RELAXED) };
	if (!npt_is_page(npt, spot->pte, hpa))
		return false;
	hpa->raw |= gpa.raw & (PAGE_SIZE - 1);
	return true;
}

/*
 * As npt_replace for the page at `slot` around `gpa`, which becomes accessed and dirty. `entry` is npt_page_entry of attributes
 * that permit to write.
 */
static inline void npt_replace_page(const struct npt *npt, gpa_t gpa, uint64_t *slot, hpa_t hpa, uint64_t entry)
{
	(void)__atomic_exchange_n(slot, 0, __ATOMIC_ACQ_REL);
	npt->env->flush(npt->env, GPA(align_down(gpa.raw, PAGE_SIZE)), PAGE_SIZE);
	__atomic_store_n(slot, (entry ^ npt->page.written) + (hpa.raw >> npt->page.shift), __ATOMIC_RELEASE);
}

/* As npt_touch for the page at `slot`, which maps `hpa` and is shared: it can be written to, and is accessed and dirty. */
static inline void npt_keep_page(const struct npt *npt, uint64_t *slot, hpa_t hpa, uint64_t entry)
{
	/* All that hardware may set in it meanwhile is set in this, too. */
	__atomic_store_n(slot, (entry ^ npt->page.written) + (hpa.raw >> npt->page.shift), __ATOMIC_RELEASE);
}

/* As npt_translate_by_walk, without a walk. False: the walk cache does not suffice. */
static inline __attribute__((always_inline)) bool npt_translate_cached(const struct npt *npt, const struct npt_walk_cache *cache,
								       gpa_t gpa, hpa_t *hpa)
{
	const uint64_t *slot = npt_walk_cache_lookup(cache, gpa);
	hpa_t page;

	if (__builtin_expect(!slot, false))
		return npt_walk_cache_lookup_leaf(cache, gpa, hpa);
	if (!npt_page_at(npt, slot, &page))
		return false;
	*hpa = HPA(page.raw | (gpa.raw & (PAGE_SIZE - 1)));
	return true;
}

MUST_CHECK static inline enum err npt_translate(const struct npt *npt, struct npt_walk_cache *cache, gpa_t gpa, hpa_t *hpa)
{
	return npt_translate_cached(npt, cache, gpa, hpa) ? ERR_OK : npt_translate_by_walk(npt, cache, gpa, hpa);
}

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* Tables of pages that several spaces have: forks share those of their parents until somebody is to change one. */
#ifndef NESTLING_NPT_SHARE_H
#define NESTLING_NPT_SHARE_H

#include "npt/npt.h"

/*
 * What the owner does for tables that several spaces have. It keeps the number of spaces in the upper half of the present-entry
 * count: NPT_SHARER for each but one. One space at most pays for a table: the one that had it before it was shared, as long as that
 * has it. All are called with the space's lock; other spaces may do the same with the same table, so the count is atomic, also for
 * who reads the number of leaves beside it.
 */
#define NPT_SHARER          (UINT32_C(1) << 16)
#define NPT_PRESENT(counts) ((counts) & (NPT_SHARER - 1))
struct npt_sharing {
	/* These pages in the table, which is about to be shared, were `shared` before: there may be zero pages among them. */
	void (*pages)(struct npt_env *env, hpa_t table, hpa_t page, uint64_t count);
	/* One more space has the table: `env`. It pays nothing. False: as many have it as can be. */
	bool (*join)(struct npt_env *env, hpa_t table);
	/* Has no other space the table? If so, it is no longer a shared one, and the space pays for it from now on; `pays`: it did.
	 */
	bool (*take)(struct npt_env *env, hpa_t table, bool pays);
	/* Add a reference to each page that `from` maps: `to` has the same entries. */
	void (*copy)(struct npt_env *env, hpa_t from, hpa_t to);
	/*
	 * The space has the table no longer; no CPU of it can reach it any more. `copied`: it has the entries in another table;
	 * otherwise what they map is no longer mapped there. The last one drops the references, and frees the table.
	 */
	void (*leave)(struct npt_env *env, hpa_t table, bool pays, bool copied);
};

/*
 * Tables that spaces share. npt_share_table lets `child` have the table of pages around `gpa` (aligned to 2 MiB), too: all its
 * leaves lose NPT_W and become `shared`, and both spaces point to it by an NPT_SHARED entry. Of such a table nobody changes
 * anything but accessed bits, which are then those of all its spaces. A reference to what it maps is the table's, not the space's.
 * What was narrowed is gathered. `npt` and `child` have the same format and geometry, and npt_env.sharing. Errors: ERR_NOT_FOUND
 * (there is no table of pages), ERR_EXISTS (`child` has something there), ERR_RANGE (as many spaces have it as can be),
 * ERR_NO_MEMORY: nothing was changed but that leaves of `npt` may be `shared`.
 *
 * Whoever is to change entries of level 0 makes the table the space's own first, by a copy if others have it: npt_own_table for the
 * block around `gpa`, npt_own_tables for a range. Translations stay the same. They flush by themselves. Errors: ERR_NO_MEMORY: some
 * tables may be the space's own by now. npt_map, npt_unmap, npt_protect and npt_test_and_clear do so by themselves (npt_unmap only
 * for what lies partly in its range; whole tables are left to the others). npt_take_table does it only where nothing is copied;
 * false: others have the table.
 */
MUST_CHECK enum err npt_share_table(struct npt *npt, struct npt *child, gpa_t gpa, struct npt_gather *gather);
MUST_CHECK enum err npt_own_shared_table(struct npt *npt, gpa_t gpa);
MUST_CHECK enum err npt_own_shared_tables(struct npt *npt, gpa_t gpa, uint64_t size);
MUST_CHECK enum err npt_own_shared_ends(struct npt *npt, gpa_t gpa, uint64_t size);
bool npt_take_shared_table(struct npt *npt, gpa_t gpa);

MUST_CHECK static inline enum err npt_own_table(struct npt *npt, gpa_t gpa)
{
	return npt->shared_tables > 0 ? npt_own_shared_table(npt, gpa) : ERR_OK;
}
MUST_CHECK static inline enum err npt_own_tables(struct npt *npt, gpa_t gpa, uint64_t size)
{
	return npt->shared_tables > 0 ? npt_own_shared_tables(npt, gpa, size) : ERR_OK;
}
/* What lies across an end of the range. */
MUST_CHECK static inline enum err npt_own_ends(struct npt *npt, gpa_t gpa, uint64_t size)
{
	return npt->shared_tables > 0 ? npt_own_shared_ends(npt, gpa, size) : ERR_OK;
}
static inline bool npt_take_table(struct npt *npt, gpa_t gpa)
{
	return npt->shared_tables == 0 || npt_take_shared_table(npt, gpa);
}

/* Call `visit` for the pages that a table of level 0 maps, `count` at a time that lie side by side in the host's memory. */
typedef void (*npt_run_visitor)(hpa_t hpa, uint64_t count, void *context);
void npt_visit_pages(const struct npt *npt, hpa_t table, npt_run_visitor visit, void *context);

#endif

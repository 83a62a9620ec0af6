/* SPDX-License-Identifier: BSD-2-Clause */
/* Page tables as the hardware sees them: every entry by the oracle's reading, and pictures to compare. */
#ifndef NESTLING_TESTS_HOST_VIEW_H
#define NESTLING_TESTS_HOST_VIEW_H

#include "npt/npt.h"
#include "tests/host/host.h"
#include "tests/host/oracle.h"

struct view {
	const struct oracle *oracle;
	struct oracle_machine machine; /* root included */
	const struct npt *npt;         /* for its counters only */
	void (*settle)(void *memory);  /* brings those up to date, from machine.memory; NULL: they are */
};

/* An entry that is not zero. */
struct view_entry {
	uint64_t gpa, slot, pte;
	unsigned level;
	unsigned prot; /* of a leaf: what the entries above leave of it */
	struct oracle_entry is;
};

/* Every non-zero entry reachable from the root, ascending, a table before what is in it. */
typedef void (*view_visitor)(const struct view_entry *entry, void *context);
void view_scan(const struct view *view, view_visitor visit, void *context);

/* Does the entry point to a table that spaces share? Does this space pay for the table that it points to? */
bool view_is_shared(const struct view *view, const struct view_entry *entry);
bool view_pays_for(const struct view *view, const struct view_entry *entry);

/* Walk for `access`, changing nothing. */
struct oracle_walk view_walk(const struct view *view, uint64_t gpa, unsigned access);
/* Do what hardware does for a successful access: keep accessed and dirty. */
void view_touch(const struct view *view, uint64_t gpa, unsigned access);

/*
 * Fail unless the tables hold together: nothing malformed, no empty table but the root, table_bytes and leaves[] as
 * counted, counters of present entries (when `present` is given) right, and npt_walk, npt_query and npt_translate telling the same.
 */
void view_check(const struct view *view, struct npt_env *present);

/* What "nothing was changed" is measured by. */
struct image {
	struct image_entry {
		uint64_t gpa, pte; /* pte 0: a table */
		unsigned level;
	} * entries;
	size_t count, room;
	uint64_t table_bytes, leaves[NPT_LEAF_LEVELS];
};
void image_take(struct image *image, const struct view *view);
/* Fail unless the tables are as they were in the image. Drops it. */
void image_expect(struct image *image, const struct view *view, const char *when);
void image_drop(struct image *image);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Long ranges are worked on piece by piece, so that a CPU can be taken between two of them. A piece ends where enough work is in
 * it, by what is there and not by its length: a terabyte of nothing is one piece.
 */
#include "mm/space.h"

/* What work costs, in units of one page of 4 KiB that is there. */
#define TABLE_COST  16  /* of pages, besides its present entries */
#define SHARED_COST 64  /* of a table that a fork shares */
#define LEAF_COST   128 /* of a large leaf: its frames may have separate records, and it may be split */
#define EMPTY_COST  2   /* of empty entries in a row, and one unit more for each 32 */
#define AREA_COST   8

/*
 * Where the table of pages around `at` ends, or what is left of the work; or the large leaf, or the empty entries of a higher
 * table.
 */
static uint64_t past_entries(const struct addr_space *as, uint64_t at, unsigned left, bool fork, uint64_t *cost)
{
	struct npt_env *env = as->npt.env;
	struct npt_cursor cursor;
	uint64_t size, end;

	if (npt_find(&as->npt, GPA(at), &cursor) == NPT_EMPTY && cursor.level > 0) {
		end = npt_empty_end(&as->npt, &cursor, GPA(at));
		*cost = EMPTY_COST + (end - at) / npt_level_size(cursor.level) / 32;
		if (end > at)
			return end;
	}
	size = cursor.level > 0 ? npt_level_size(cursor.level) : BLOCK_SIZE;
	end = align_down(at, size) + size;
	*cost = cursor.level > 0 ? LEAF_COST :
				   TABLE_COST + NPT_PRESENT(__atomic_load_n(env->present(env, cursor.table), __ATOMIC_RELAXED));
	if (cursor.level == 0 && fork)
		*cost = SHARED_COST;
	if (cursor.level == 0 && (fork || cursor.shared))
		return end;
	return cursor.level > 0 || *cost <= left + TABLE_COST ? end : min_u64(end, at + left * PAGE_SIZE);
}

static void take_cost(unsigned *left, uint64_t cost)
{
	*left -= (unsigned)min_u64(cost, *left);
}

static uint64_t piece(struct addr_space *as, uint64_t at, uint64_t end, bool fork, unsigned *left)
{
	struct area *area = area_find_from(&as->areas, at);
	uint64_t next, cost;

	for (; *left > 0 && at < end; at = next) {
		next = min_u64(past_entries(as, at, *left, fork, &cost), end);
		take_cost(left, cost);
		for (; area && area->end <= next; area = area_next(area)) {
			take_cost(left, AREA_COST);
			if (*left == 0)
				next = area->end;
		}
	}
	return at;
}

uint64_t space_piece(struct addr_space *as, uint64_t at, uint64_t end, unsigned *left)
{
	return piece(as, at, end, false, left);
}

uint64_t space_piece_of_fork(struct addr_space *as, uint64_t at, uint64_t end, unsigned *left)
{
	return piece(as, at, end, true, left);
}

uint64_t addr_space_piece(struct addr_space *as, gpa_t gpa, uint64_t size)
{
	unsigned left = PIECE_COST;
	uint64_t end;

	if (check_range(as, gpa, size) != ERR_OK)
		return size;
	spin_lock(&as->view.lock);
	end = space_piece(as, gpa.raw, gpa.raw + size, &left);
	spin_unlock(&as->view.lock);
	return end - gpa.raw;
}

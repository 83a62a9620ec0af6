/* SPDX-License-Identifier: BSD-2-Clause */
/* See tests/host/tlb.h. */
#include "tests/host/tlb.h"

#include <stdlib.h>

static void *grown(void *all, size_t count, size_t *room, size_t size)
{
	if (count < *room)
		return all;
	*room = 2 * *room + 32;
	all = realloc(all, *room * size);
	assert_non_null(all);
	return all;
}

static void add_run(struct tlb_runs *runs, const struct tlb_run *run)
{
	runs->all = grown(runs->all, runs->count, &runs->room, sizeof(*runs->all));
	runs->all[runs->count++] = *run;
}

static void add_table(struct tlb_tables *tables, const struct tlb_table *table)
{
	tables->all = grown(tables->all, tables->count, &tables->room, sizeof(*tables->all));
	tables->all[tables->count++] = *table;
}

/* One leaf as a run, appended to the last one where it continues it. */
static void see_leaf(struct tlb_runs *runs, const struct view_entry *entry)
{
	uint64_t size = npt_level_size(entry->level);
	struct tlb_run run = {
		.start = entry->gpa,
		.end = entry->gpa + size,
		.hpa = entry->is.addr,
		.prot = entry->prot,
		.type = entry->is.type,
		.level = entry->level,
	};
	struct tlb_run *last = runs->count ? &runs->all[runs->count - 1] : NULL;

	if (last && last->end == run.start && last->hpa + (last->end - last->start) == run.hpa && last->prot == run.prot &&
	    last->type == run.type && last->level == run.level)
		last->end = run.end;
	else
		add_run(runs, &run);
}

struct sight {
	struct tlb_runs runs;
	struct tlb_tables tables;
};

static void see(const struct view_entry *entry, void *context)
{
	struct sight *sight = context;

	if (entry->is.kind == ORACLE_LEAF) {
		see_leaf(&sight->runs, entry);
	} else if (entry->is.kind == ORACLE_TABLE) {
		struct tlb_table table = {
			.hpa = entry->is.addr,
			.start = entry->gpa,
			.end = entry->gpa + npt_level_size(entry->level),
			.level = entry->level - 1,
		};

		add_table(&sight->tables, &table);
	}
}

static bool same_offset(const struct tlb_run *a, const struct tlb_run *b)
{
	return a->hpa - a->start == b->hpa - b->start && a->type == b->type;
}

static bool same(const struct tlb_run *a, const struct tlb_run *b)
{
	return same_offset(a, b) && a->prot == b->prot && a->level == b->level;
}

/* What `old` grants, `run` grants too. */
static bool covers(const struct tlb_run *run, const struct tlb_run *old)
{
	return same_offset(run, old) && (old->prot & ~run->prot) == 0;
}

/* The first of `runs`, which are ascending, that ends above `gpa`. */
static size_t first_above(const struct tlb_runs *runs, uint64_t gpa)
{
	size_t low = 0, high = runs->count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (runs->all[middle].end > gpa)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

static void add_piece(struct tlb_runs *to, const struct tlb_run *run, uint64_t start, uint64_t end)
{
	struct tlb_run piece = *run;

	if (start >= end)
		return;
	piece.start = start;
	piece.end = end;
	piece.hpa = run->hpa + (start - run->start);
	add_run(to, &piece);
}

/* Add to `rest` what of `run` no run of `others` matches. */
static void subtract(const struct tlb_run *run, const struct tlb_runs *others,
		     bool (*matches)(const struct tlb_run *, const struct tlb_run *), struct tlb_runs *rest)
{
	uint64_t at = run->start;

	for (size_t i = first_above(others, at); i < others->count && others->all[i].start < run->end; i++) {
		const struct tlb_run *other = &others->all[i];

		if (!matches(other, run))
			continue;
		add_piece(rest, run, at, min_u64(run->end, other->start));
		at = max_u64(at, min_u64(run->end, other->end));
	}
	add_piece(rest, run, at, run->end);
}

static void check_break_before_make(const struct tlb *tlb)
{
	for (size_t s = 0; s < tlb->stale.count; s++) {
		const struct tlb_run *old = &tlb->stale.all[s];

		for (size_t i = first_above(&tlb->now, old->start); i < tlb->now.count && tlb->now.all[i].start < old->end; i++) {
			const struct tlb_run *run = &tlb->now.all[i];

			CHECK(same_offset(run, old) && run->level == old->level,
			      "no break before make at %#jx: level %u to %#jx, then level %u to %#jx",
			      (uintmax_t)max_u64(run->start, old->start), old->level, (uintmax_t)old->hpa, run->level,
			      (uintmax_t)run->hpa);
		}
	}
}

static bool has_table(const struct tlb_tables *tables, const struct tlb_table *table)
{
	for (size_t i = 0; i < tables->count; i++)
		if (tables->all[i].hpa == table->hpa && tables->all[i].start == table->start)
			return true;
	return false;
}

/* Both lists are in the order of a scan, so most are found at once. */
static void note_unlinked(struct tlb *tlb, const struct tlb_tables *linked)
{
	size_t next = 0;

	for (size_t i = 0; i < tlb->tables.count; i++) {
		const struct tlb_table *table = &tlb->tables.all[i];

		if (next < linked->count && linked->all[next].hpa == table->hpa && linked->all[next].start == table->start) {
			next++;
			continue;
		}
		if (!has_table(linked, table))
			add_table(&tlb->stale_tables, table);
	}
}

static void look(struct tlb *tlb)
{
	struct sight sight = { 0 };

	view_scan(tlb->view, see, &sight);
	for (size_t i = 0; i < tlb->now.count; i++)
		subtract(&tlb->now.all[i], &sight.runs, same, &tlb->stale);
	note_unlinked(tlb, &sight.tables);
	free(tlb->now.all);
	free(tlb->tables.all);
	tlb->now = sight.runs;
	tlb->tables = sight.tables;
	if (tlb->break_before_make)
		check_break_before_make(tlb);
}

void tlb_open(struct tlb *tlb, const struct view *view, bool break_before_make)
{
	*tlb = (struct tlb){ .view = view, .break_before_make = break_before_make };
}

void tlb_close(struct tlb *tlb)
{
	free(tlb->now.all);
	free(tlb->stale.all);
	free(tlb->tables.all);
	free(tlb->stale_tables.all);
	*tlb = (struct tlb){ 0 };
}

/* Bytes that stale translations lead to, and that are not mapped where they were. */
static uint64_t lost(const struct tlb *tlb)
{
	struct tlb_runs gone = { 0 };
	uint64_t bytes = 0;

	for (size_t i = 0; i < tlb->stale.count; i++)
		subtract(&tlb->stale.all[i], &tlb->now, same_offset, &gone);
	for (size_t i = 0; i < gone.count; i++)
		bytes += gone.all[i].end - gone.all[i].start;
	free(gone.all);
	return bytes;
}

uint64_t tlb_flush(struct tlb *tlb, uint64_t gpa, uint64_t size)
{
	uint64_t end = size == NPT_FLUSH_ALL ? UINT64_MAX : gpa + size, bytes;
	struct tlb_runs kept = { 0 };
	size_t tables = 0;

	look(tlb);
	bytes = lost(tlb);
	for (size_t i = 0; i < tlb->stale.count; i++) {
		const struct tlb_run *run = &tlb->stale.all[i];

		add_piece(&kept, run, run->start, min_u64(run->end, gpa));
		add_piece(&kept, run, max_u64(run->start, end), run->end);
	}
	free(tlb->stale.all);
	tlb->stale = kept;
	for (size_t i = 0; i < tlb->stale_tables.count; i++) {
		const struct tlb_table *table = &tlb->stale_tables.all[i];

		/* RISC-V: a fence for one address says nothing about non-leaf entries. Ask for all that is below. */
		if (gpa > table->start || end < table->end)
			tlb->stale_tables.all[tables++] = *table;
	}
	bytes += (tlb->stale_tables.count - tables) * PAGE_SIZE;
	tlb->stale_tables.count = tables;
	return bytes - lost(tlb);
}

static bool known(const struct tlb_tables *tables, uint64_t hpa)
{
	for (size_t i = 0; i < tables->count; i++)
		if (tables->all[i].hpa == hpa)
			return true;
	return false;
}

void tlb_freed(struct tlb *tlb, uint64_t table)
{
	if (known(&tlb->tables, table))
		look(tlb);
	CHECK(!known(&tlb->tables, table), "table %#jx freed while it is linked", (uintmax_t)table);
	CHECK(!known(&tlb->stale_tables, table), "table %#jx freed before the flush", (uintmax_t)table);
}

void tlb_settle(struct tlb *tlb)
{
	struct tlb_runs harmful = { 0 };

	look(tlb);
	for (size_t i = 0; i < tlb->stale.count; i++)
		subtract(&tlb->stale.all[i], &tlb->now, covers, &harmful);
	if (harmful.count > 0) {
		struct tlb_run run = harmful.all[0];

		free(harmful.all);
		fail_msg("not flushed: %#jx to %#jx, level %u, prot %u, to %#jx", (uintmax_t)run.start, (uintmax_t)run.end,
			 run.level, run.prot, (uintmax_t)run.hpa);
	}
	free(harmful.all);
}

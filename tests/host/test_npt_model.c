/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Long random sequences of operations, against a plain array with one element a page. After each step the engine and
 * the oracle are asked about some pages, now and then about all; the TLB of tests/host/tlb.h watches throughout.
 */
#include "tests/host/fixture.h"

#include <stdlib.h>
#include <string.h>

#define SPACE      GIB(2)
#define PAGES      (SPACE / PAGE_SIZE)
#define WINDOW     (GIB(1) - MIB(5)) /* where small operations happen, around a border of all levels */
#define WINDOW_OF  MIB(9)
#define FULL_EVERY 50
#define OPERATIONS 13

struct page {
	uint64_t hpa;
	uint8_t prot, type; /* prot 0: not mapped */
	bool shared;
	bool read, written;  /* since the accessed and dirty bits were taken; must not be forgotten */
	bool access_tracked; /* nobody used it since accessed was taken, where software keeps the accessed and dirty bits */
};

struct model {
	struct fixture *f;
	struct host_rng rng;
	struct page *pages;
	struct fixture *child;     /* of the same format, for clones; empty between steps */
	unsigned done[OPERATIONS]; /* operations that succeeded, by kind: none may be idle */
};

struct range {
	uint64_t gpa, size;
};

static struct range choose_range(struct model *model)
{
	struct host_rng *rng = &model->rng;
	struct range range = { .gpa = WINDOW };
	uint64_t unit = KIB(4);

	switch (host_below(rng, 16)) {
	case 0: /* whole gibibytes */
		range.gpa = 0;
		range.gpa += GIB(1) * host_below(rng, 2);
		range.size = GIB(1) + (range.gpa == 0 && host_chance(rng, 30) ? GIB(1) : 0);
		return range;
	case 1: /* large and ragged */
		range.gpa = MIB(1) + KIB(4) * host_below(rng, 64);
		range.size = GIB(1) + KIB(4) * host_below(rng, 64);
		return range;
	case 2:
	case 3:
	case 4:
	case 5:
		unit = MIB(2);
		range.gpa = align_up(range.gpa, unit);
		break;
	default:
		break;
	}
	range.gpa += unit * host_below(rng, WINDOW_OF / unit);
	range.size = unit * (1 + host_below(rng, unit == KIB(4) ? (host_chance(rng, 20) ? 600 : 20) : 3));
	return range;
}

/* Above or below the range, sometimes aligned like it, at random. */
static uint64_t choose_hpa(struct model *model, const struct range *range)
{
	uint64_t space = BIT(model->f->npt.config.hpa_bits), hpa = host_random(&model->rng) % (space - range->size);
	static const uint64_t aligns[] = { KIB(4), MIB(2), GIB(1) };
	uint64_t align = aligns[host_below(&model->rng, 3)];

	hpa = align_down(hpa, align) | (range->gpa & (align - 1));
	return hpa <= space - range->size ? hpa : range->gpa;
}

static unsigned choose_prot(struct model *model)
{
	for (;;) {
		unsigned prot = (unsigned)host_below(&model->rng, 8);

		if (format_has_prot(model->f->format, prot) || host_chance(&model->rng, 3))
			return prot;
	}
}

static struct page *page_of(struct model *model, uint64_t gpa)
{
	return &model->pages[gpa / PAGE_SIZE];
}

static bool any_mapped(struct model *model, const struct range *range)
{
	for (uint64_t at = 0; at < range->size; at += PAGE_SIZE)
		if (page_of(model, range->gpa + at)->prot)
			return true;
	return false;
}

static enum err check_prot(const struct model *model, unsigned prot)
{
	if (prot == 0)
		return ERR_INVALID;
	return format_has_prot(model->f->format, prot) ? ERR_OK : ERR_UNSUPPORTED;
}

/* True when the operation was done; a failure must be the expected one, or the one that was arranged. */
static bool settle(struct model *model, unsigned kind, enum err err, enum err expected)
{
	struct fixture *f = model->f;
	bool starved = f->allocs_left == 0;

	f->allocs_left = -1;
	tlb_settle(&f->tlb);
	CHECK_EQ(f->taken, f->npt.table_bytes);
	if (err == ERR_NO_MEMORY && starved && expected == ERR_OK)
		return false;
	CHECK(err == expected || (starved && err == ERR_NO_MEMORY), "operation %u: %s, not %s", kind, host_err(err),
	      host_err(expected));
	if (err != ERR_OK)
		return false;
	model->done[kind]++;
	return true;
}

static void map_range(struct model *model, struct range range, uint64_t hpa, struct npt_attr attr)
{
	enum err expected = attr.shared && (attr.prot & NPT_W) ? ERR_INVALID : check_prot(model, attr.prot);

	if (expected == ERR_OK && !format_has_type(model->f->format, attr.memtype))
		expected = ERR_UNSUPPORTED;
	if (expected == ERR_OK && any_mapped(model, &range))
		expected = ERR_EXISTS;
	if (!settle(model, 0, npt_map(&model->f->npt, GPA(range.gpa), HPA(hpa), range.size, attr), expected))
		return;
	for (uint64_t at = 0; at < range.size; at += PAGE_SIZE)
		*page_of(model, range.gpa + at) =
			(struct page){ .hpa = hpa + at, .prot = attr.prot, .type = attr.memtype, .shared = attr.shared };
}

static void do_map(struct model *model)
{
	struct range range = choose_range(model);
	uint64_t hpa = choose_hpa(model, &range);
	struct npt_attr attr = {
		.prot = (uint8_t)choose_prot(model),
		.memtype = (uint8_t)(host_chance(&model->rng, 70) ? NPT_WB : host_below(&model->rng, 5)),
		.shared = host_chance(&model->rng, 20),
	};

	map_range(model, range, hpa, attr);
}

static void do_unmap(struct model *model)
{
	struct range range = choose_range(model);
	struct npt_gather gather;
	enum err err;

	npt_gather_init(&gather, &model->f->npt);
	err = npt_unmap(&model->f->npt, GPA(range.gpa), range.size, &gather);
	npt_gather_finish(&gather);
	if (settle(model, 1, err, ERR_OK))
		memset(page_of(model, range.gpa), 0, range.size / PAGE_SIZE * sizeof(struct page));
}

static void do_protect(struct model *model)
{
	struct range range = choose_range(model);
	unsigned prot = choose_prot(model);
	struct npt_gather gather;
	enum err err;

	npt_gather_init(&gather, &model->f->npt);
	err = npt_protect(&model->f->npt, GPA(range.gpa), range.size, prot, &gather);
	npt_gather_finish(&gather);
	if (!settle(model, 2, err, check_prot(model, prot)))
		return;
	for (uint64_t at = 0; at < range.size; at += PAGE_SIZE)
		if (page_of(model, range.gpa + at)->prot)
			page_of(model, range.gpa + at)->prot =
				(uint8_t)(page_of(model, range.gpa + at)->shared ? prot & NPT_RX : prot);
}

static void do_split(struct model *model)
{
	struct range range = choose_range(model);
	enum err expected = page_of(model, range.gpa)->prot ? ERR_OK : ERR_NOT_FOUND;

	settle(model, 3, npt_split(&model->f->npt, GPA(range.gpa), (unsigned)host_below(&model->rng, 3)), expected);
}

static void do_cut(struct model *model)
{
	struct range range = choose_range(model);

	settle(model, 4, npt_split_at_boundaries(&model->f->npt, GPA(range.gpa), range.size), ERR_OK);
}

/* A fault: one page where there is none. */
static void do_fault(struct model *model)
{
	struct range range = { choose_range(model).gpa, PAGE_SIZE };
	struct npt_attr attr = { .prot = NPT_RWX, .memtype = NPT_WB };
	uint64_t hpa = choose_hpa(model, &range);
	struct npt_cursor cursor;
	enum npt_kind kind = npt_find(&model->f->npt, GPA(range.gpa), &cursor);

	CHECK_EQ(kind, page_of(model, range.gpa)->prot ? NPT_LEAF : NPT_EMPTY);
	if (kind == NPT_LEAF)
		return;
	if (settle(model, 5, npt_map_at(&model->f->npt, &cursor, GPA(range.gpa), 0, HPA(hpa), attr), ERR_OK))
		*page_of(model, range.gpa) = (struct page){ .hpa = hpa, .prot = NPT_RWX, .type = NPT_WB };
}

/* The leaf at an address, and the model's pages that it maps. */
struct leaf_pages {
	struct npt_cursor cursor;
	struct npt_leaf leaf;
	struct page *first;
	uint64_t count;
};

static bool leaf_at(struct model *model, uint64_t gpa, struct leaf_pages *at)
{
	if (npt_find(&model->f->npt, GPA(gpa), &at->cursor) != NPT_LEAF)
		return false;
	npt_decode(&model->f->npt, &at->cursor, GPA(gpa), &at->leaf);
	at->first = page_of(model, at->leaf.gpa.raw);
	at->count = npt_level_size(at->leaf.level) / PAGE_SIZE;
	return true;
}

/* A guest's access, and the answer to the fault if that is one: access-tracked, or not permitted. */
static void do_touch(struct model *model)
{
	struct fixture *f = model->f;
	uint64_t gpa = choose_range(model).gpa;
	struct page *page = page_of(model, gpa);
	unsigned access = host_chance(&model->rng, 50) ? ORACLE_R : ORACLE_W;
	bool user = view_walk(&f->view, gpa, access).status == ORACLE_OK;
	struct leaf_pages at;

	CHECK_EQ(user, !page->access_tracked && (page->prot & access) ? 1 : 0);
	if (!user && (!leaf_at(model, gpa, &at) || host_chance(&model->rng, 50)))
		return;
	if (!user) {
		npt_touch(&f->npt, &at.cursor, access | NPT_R, NPT_ACCESSED | (access == ORACLE_W ? NPT_DIRTY : 0));
		tlb_settle(&f->tlb);
		for (uint64_t i = 0; i < at.count; i++) {
			at.first[i].prot |= (uint8_t)(access | NPT_R);
			at.first[i].shared = at.first[i].shared && access != ORACLE_W;
			at.first[i].access_tracked = false;
		}
		model->done[7]++;
	}
	view_touch(&f->view, gpa, access);
	page->read = true;
	page->written |= access == ORACLE_W;
	model->done[6]++;
}

/* Something else takes the place of what one leaf maps. */
static void do_replace(struct model *model)
{
	uint64_t gpa = choose_range(model).gpa;
	struct npt_attr attr = { .prot = NPT_RX, .memtype = NPT_WB, .shared = host_chance(&model->rng, 50) };
	struct leaf_pages at;
	uint64_t hpa;

	if (!leaf_at(model, gpa, &at))
		return;
	hpa = align_down(host_random(&model->rng) % BIT(model->f->npt.config.hpa_bits), npt_level_size(at.leaf.level));
	npt_replace(&model->f->npt, &at.cursor, GPA(gpa), HPA(hpa), attr, NPT_ACCESSED);
	settle(model, 8, ERR_OK, ERR_OK);
	for (uint64_t i = 0; i < at.count; i++)
		at.first[i] = (struct page){
			.hpa = hpa + i * PAGE_SIZE,
			.prot = attr.prot,
			.type = NPT_WB,
			.shared = attr.shared,
		};
}

static void do_collapse(struct model *model)
{
	uint64_t gpa = choose_range(model).gpa, start = align_down(gpa, MIB(2));
	const struct npt_attr attr = { .prot = NPT_RWX, .memtype = NPT_WB };
	uint64_t hpa = align_down(host_random(&model->rng) % BIT(model->f->npt.config.hpa_bits), MIB(2));
	bool access_tracked = true, read = false, written = false;
	struct npt_cursor cursor;
	enum err err;

	/* A table of pages there, or not? */
	npt_find(&model->f->npt, GPA(gpa), &cursor);
	err = npt_collapse(&model->f->npt, GPA(gpa), 1, HPA(hpa), attr, NULL, NULL);
	if (!settle(model, 9, err, cursor.level == 0 ? ERR_OK : ERR_NOT_FOUND))
		return;
	for (uint64_t i = 0; i < 512; i++) {
		const struct page *page = page_of(model, start + i * PAGE_SIZE);

		access_tracked &= page->access_tracked || page->prot == 0;
		read |= page->read;
		written |= page->written;
	}
	for (uint64_t i = 0; i < 512; i++)
		*page_of(model, start + i * PAGE_SIZE) = (struct page){
			.hpa = hpa + i * PAGE_SIZE,
			.prot = NPT_RWX,
			.type = NPT_WB,
			.read = read,
			.written = written,
			.access_tracked = access_tracked,
		};
}

/* Merging changes nothing that can be seen but accessed and dirty bits, which become everybody's. */
static void do_merge(struct model *model)
{
	uint64_t gpa = choose_range(model).gpa, start = align_down(gpa, MIB(2));
	const struct page *first = page_of(model, start);
	bool alike = true, access_tracked = true;
	struct npt_cursor cursor;

	/* So that there is something to merge. */
	model->f->allocs_left = -1;
	if (!any_mapped(model, &(struct range){ start, MIB(2) }))
		map_range(model, (struct range){ start, MIB(2) }, start, (struct npt_attr){ .prot = NPT_RX });
	if (first->prot)
		CHECK_ERR(npt_split(&model->f->npt, GPA(start), 0), ERR_OK);
	npt_find(&model->f->npt, GPA(gpa), &cursor);
	for (uint64_t i = 0; i < 512; i++) {
		const struct page *page = first + i;

		alike &= page->prot && page->prot == first->prot && page->type == first->type && page->shared == first->shared &&
			 page->hpa == first->hpa + i * PAGE_SIZE;
		access_tracked &= page->access_tracked;
	}
	alike &= cursor.level == 0 && is_aligned(first->hpa, MIB(2));
	CHECK_EQ(npt_collapse_in_place(&model->f->npt, GPA(gpa), 1), alike);
	settle(model, 10, alike ? ERR_OK : ERR_NOT_FOUND, alike ? ERR_OK : ERR_NOT_FOUND);
	for (uint64_t i = 0; i < 512 && alike; i++)
		page_of(model, start + i * PAGE_SIZE)->access_tracked = access_tracked;
}

static void do_test_and_clear(struct model *model)
{
	static uint64_t bitmap[PAGES / 64];
	struct range range = choose_range(model);
	enum npt_ad mark = host_chance(&model->rng, 50) ? NPT_ACCESSED : NPT_DIRTY;
	bool hardware_ad = model->f->npt.config.hardware_ad;
	struct npt_gather gather;

	memset(bitmap, 0, sizeof(bitmap));
	model->f->allocs_left = -1;
	if (host_chance(&model->rng, 50)) /* whole leaves, or what there is */
		CHECK_ERR(npt_split_at_boundaries(&model->f->npt, GPA(range.gpa), range.size), ERR_OK);
	npt_gather_init(&gather, &model->f->npt);
	CHECK_ERR(npt_test_and_clear(&model->f->npt, GPA(range.gpa), range.size, mark, bitmap, &gather), ERR_OK);
	npt_gather_finish(&gather);
	settle(model, 11, ERR_OK, ERR_OK);
	for (uint64_t at = 0; at < range.size;) {
		struct leaf_pages leaf;

		if (!leaf_at(model, range.gpa + at, &leaf)) {
			CHECK(!(bitmap[at / PAGE_SIZE / 64] >> at / PAGE_SIZE % 64 & 1), "told of a hole");
			at += PAGE_SIZE;
			continue;
		}
		bool told = bitmap[at / PAGE_SIZE / 64] >> at / PAGE_SIZE % 64 & 1;
		bool whole = leaf.leaf.gpa.raw >= range.gpa && leaf.leaf.gpa.raw + leaf.count * PAGE_SIZE <= range.gpa + range.size;

		CHECK(!whole || !(mark == NPT_ACCESSED ? leaf.leaf.accessed : leaf.leaf.dirty), "not taken");
		for (uint64_t i = 0; i < leaf.count; i++) {
			struct page *page = &leaf.first[i];

			CHECK(told || !(mark == NPT_ACCESSED ? page->read : page->written), "a mark is lost");
			if (!whole)
				continue;
			if (mark == NPT_ACCESSED) {
				page->read = false;
				page->access_tracked = !hardware_ad;
			} else {
				page->written = false;
				page->prot &= (uint8_t)(hardware_ad || !told ? NPT_RWX : NPT_RX);
			}
		}
		at = leaf.leaf.gpa.raw + leaf.count * PAGE_SIZE - range.gpa;
	}
}

static void count_clone(hpa_t hpa, unsigned level, void *context)
{
	(void)hpa;
	(void)level;
	++*(uint64_t *)context;
}

static void do_clone(struct model *model)
{
	struct range range = choose_range(model);
	struct npt *child = &model->child->npt;
	struct npt_gather gather;
	uint64_t told = 0;
	enum err err;

	model->f->allocs_left = -1;
	CHECK_ERR(npt_split_at_boundaries(&model->f->npt, GPA(range.gpa), range.size), ERR_OK);
	model->child->allocs_left = host_chance(&model->rng, 20) ? (long)host_below(&model->rng, 6) : -1;
	npt_gather_init(&gather, &model->f->npt);
	err = npt_clone(&model->f->npt, child, GPA(range.gpa), range.size, true, &gather, count_clone, &told);
	npt_gather_finish(&gather);
	CHECK(err == ERR_OK || (err == ERR_NO_MEMORY && model->child->allocs_left == 0), "%s", host_err(err));
	CHECK_EQ(child->leaves[0] + child->leaves[1] + child->leaves[2], told);
	settle(model, 12, ERR_OK, ERR_OK);
	for (uint64_t at = 0; at < range.size; at += PAGE_SIZE) {
		struct page *page = page_of(model, range.gpa + at);
		struct npt_leaf ours, theirs;

		if (page->prot == 0)
			continue;
		CHECK_ERR(npt_query(&model->f->npt, GPA(range.gpa + at), &ours), ERR_OK);
		if (err == ERR_OK) {
			page->prot &= NPT_RX;
			page->shared = true;
			CHECK_ERR(npt_query(child, GPA(range.gpa + at), &theirs), ERR_OK);
			CHECK(theirs.hpa.raw == ours.hpa.raw && theirs.attr.prot == ours.attr.prot && theirs.attr.shared &&
				      theirs.accessed == ours.accessed && theirs.dirty == ours.dirty,
			      "%#jx differs in the clone", (uintmax_t)(range.gpa + at));
		} else if (ours.attr.shared) { /* some were, before memory ran out */
			page->prot &= NPT_RX;
			page->shared = true;
		}
	}
	fixture_check(model->child);
	CHECK_ERR(fixture_unmap(model->child, 0, SPACE), ERR_OK);
	fixture_forget_events(model->child);
}

static void compare_page(struct model *model, uint64_t gpa)
{
	const struct page *page = page_of(model, gpa);
	struct oracle_walk walk = view_walk(&model->f->view, gpa, 0);
	struct npt_leaf leaf;

	if (page->prot == 0) {
		CHECK(walk.status == ORACLE_NOT_PRESENT, "%#jx is mapped", (uintmax_t)gpa);
		CHECK_ERR(npt_query(&model->f->npt, GPA(gpa), &leaf), ERR_NOT_FOUND);
		return;
	}
	if (page->access_tracked) {
		CHECK(walk.status == ORACLE_NOT_PRESENT, "%#jx is not access_tracked", (uintmax_t)gpa);
	} else {
		CHECK(walk.status == ORACLE_OK && walk.hpa == page->hpa && walk.prot == page->prot,
		      "%#jx is at %#jx with prot %u, not at %#jx with %u", (uintmax_t)gpa, (uintmax_t)walk.hpa, walk.prot,
		      (uintmax_t)page->hpa, page->prot);
		CHECK_EQ(walk.leaf.type, page->type);
	}
	CHECK_ERR(npt_query(&model->f->npt, GPA(gpa), &leaf), ERR_OK);
	CHECK_EQ(leaf.hpa.raw + (gpa - leaf.gpa.raw), page->hpa);
	CHECK_EQ(leaf.attr.prot, page->prot);
	CHECK_EQ(leaf.access_tracked, page->access_tracked);
	CHECK_EQ(leaf.attr.shared, page->shared);
	CHECK(leaf.dirty || !page->written, "a write to %#jx is forgotten", (uintmax_t)gpa);
	CHECK(leaf.accessed || !page->read, "an access to %#jx is forgotten", (uintmax_t)gpa);
}

/* Every leaf against the pages it covers. */
struct total {
	struct model *model;
	uint64_t pages;
};

static bool compare_leaf(const struct npt_leaf *leaf, void *context)
{
	struct total *total = context;

	for (uint64_t at = 0; at < npt_level_size(leaf->level); at += PAGE_SIZE, total->pages++) {
		const struct page *page = page_of(total->model, leaf->gpa.raw + at);

		CHECK(page->prot == leaf->attr.prot && page->type == leaf->attr.memtype && page->hpa == leaf->hpa.raw + at &&
			      (leaf->dirty || !page->written) && page->shared == leaf->attr.shared &&
			      page->access_tracked == leaf->access_tracked,
		      "%#jx differs from the model", (uintmax_t)(leaf->gpa.raw + at));
	}
	return true;
}

static void compare_all(struct model *model)
{
	struct total total = { .model = model };
	uint64_t mapped = 0;

	fixture_check(model->f);
	CHECK_ERR(npt_walk(&model->f->npt, GPA(0), BIT(model->f->npt.config.gpa_bits), compare_leaf, &total), ERR_OK);
	for (uint64_t i = 0; i < PAGES; i++)
		mapped += model->pages[i].prot != 0;
	CHECK_EQ(total.pages, mapped);
}

static void step(struct model *model)
{
	static void (*const operations[])(struct model *) = {
		do_map,   do_map,   do_map,   do_unmap, do_unmap,   do_protect,  do_protect, do_split,          do_cut,   do_fault,
		do_fault, do_touch, do_touch, do_touch, do_replace, do_collapse, do_merge,   do_test_and_clear, do_clone,
	};

	if (host_chance(&model->rng, 5))
		model->f->allocs_left = (long)host_below(&model->rng, 4);
	operations[host_below(&model->rng, ARRAY_LEN(operations))](model);
	model->f->allocs_left = -1;
	fixture_forget_events(model->f);
	for (unsigned i = 0; i < 4; i++)
		compare_page(model, WINDOW + align_down(host_below(&model->rng, WINDOW_OF), PAGE_SIZE));
	compare_page(model, align_down(host_below(&model->rng, SPACE), PAGE_SIZE));
}

static void the_engine_does_as_the_model(void **state)
{
	struct fixture *f = *state;
	struct model model = { .f = f, .rng = host_rng("model", 0x6e6573746c696e67) };
	unsigned steps = host_steps(600);

	model.child = fixture_new(f->format);
	model.pages = calloc(PAGES, sizeof(*model.pages));
	assert_non_null(model.pages);
	for (unsigned i = 1; i <= steps; i++) {
		step(&model);
		if (i % FULL_EVERY == 0)
			compare_all(&model);
	}
	for (unsigned kind = 0; kind < OPERATIONS && steps >= 600; kind++)
		CHECK(model.done[kind] > 0, "operation %u was never done", kind);
	CHECK_ERR(fixture_unmap(f, 0, SPACE), ERR_OK);
	CHECK_EQ(f->npt.table_bytes, PAGE_SIZE << f->npt.root_order);
	fixture_free(model.child);
	free(model.pages);
}

int main(void)
{
	static const struct format_test tests[] = {
		{ "the_engine_does_as_the_model", the_engine_does_as_the_model },
	};

	return format_suite("npt_model", tests, ARRAY_LEN(tests));
}

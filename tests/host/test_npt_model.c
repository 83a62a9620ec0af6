/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Long random sequences of operations, against a plain array with one element a page. After each step the engine and
 * the oracle are asked about some pages, now and then about all; the TLB of tests/host/tlb.h watches throughout.
 */
#include "tests/host/fixture.h"

#include <stdlib.h>
#include <string.h>

#define SPACE     GIB(2)
#define PAGES     (SPACE / PAGE_SIZE)
#define WINDOW    (GIB(1) - MIB(5)) /* where small operations happen, around a border of all levels */
#define WINDOW_OF MIB(9)
#define FULL_EVERY 50

struct page {
	uint64_t hpa;
	uint8_t prot, type; /* prot 0: not mapped */
	bool written;
};

struct model {
	struct fixture *f;
	struct host_rng rng;
	struct page *pages;
	unsigned done[8]; /* operations that succeeded, by kind: none may be idle */
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

static void do_map(struct model *model)
{
	struct range range = choose_range(model);
	uint64_t hpa = choose_hpa(model, &range);
	struct npt_attr attr = {
		.prot = (uint8_t)choose_prot(model),
		.memtype = (uint8_t)(host_chance(&model->rng, 70) ? NPT_WB : host_below(&model->rng, 5)),
	};
	enum err expected = check_prot(model, attr.prot);

	if (expected == ERR_OK && !format_has_type(model->f->format, attr.memtype))
		expected = ERR_UNSUPPORTED;
	if (expected == ERR_OK && any_mapped(model, &range))
		expected = ERR_EXISTS;
	if (!settle(model, 0, npt_map(&model->f->npt, GPA(range.gpa), HPA(hpa), range.size, attr), expected))
		return;
	for (uint64_t at = 0; at < range.size; at += PAGE_SIZE)
		*page_of(model, range.gpa + at) = (struct page){ hpa + at, attr.prot, attr.memtype, false };
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
			page_of(model, range.gpa + at)->prot = (uint8_t)prot;
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

	settle(model, 4, npt_cut(&model->f->npt, GPA(range.gpa), range.size), ERR_OK);
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
		*page_of(model, range.gpa) = (struct page){ hpa, NPT_RWX, NPT_WB, false };
}

static void do_touch(struct model *model)
{
	struct fixture *f = model->f;
	uint64_t gpa = choose_range(model).gpa;
	struct page *page = page_of(model, gpa);
	unsigned access = host_chance(&model->rng, 50) ? ORACLE_R : ORACLE_W;
	bool user = view_walk(&f->view, gpa, access).status == ORACLE_OK;

	CHECK_EQ(user, page->prot & access ? 1 : 0);
	if (!user)
		return;
	view_touch(&f->view, gpa, access);
	page->written |= access == ORACLE_W && f->format->keeps_dirty;
	model->done[6]++;
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
	CHECK(walk.status == ORACLE_OK && walk.hpa == page->hpa && walk.prot == page->prot,
	      "%#jx is at %#jx with prot %u, not at %#jx with %u", (uintmax_t)gpa, (uintmax_t)walk.hpa, walk.prot,
	      (uintmax_t)page->hpa, page->prot);
	CHECK_EQ(walk.leaf.type, page->type);
	CHECK_ERR(npt_query(&model->f->npt, GPA(gpa), &leaf), ERR_OK);
	CHECK_EQ(leaf.hpa.raw + (gpa - leaf.gpa.raw), page->hpa);
	CHECK_EQ(leaf.attr.prot, page->prot);
	CHECK(leaf.dirty || !page->written, "a write to %#jx is forgotten", (uintmax_t)gpa);
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

		CHECK(page->prot == leaf->attr.prot && page->type == leaf->attr.memtype &&
			      page->hpa == leaf->hpa.raw + at && (leaf->dirty || !page->written),
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
		do_map, do_map, do_map, do_unmap, do_unmap, do_protect, do_protect, do_split, do_cut, do_fault,
		do_fault, do_touch, do_touch, do_touch,
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

	model.pages = calloc(PAGES, sizeof(*model.pages));
	assert_non_null(model.pages);
	for (unsigned i = 1; i <= steps; i++) {
		step(&model);
		if (i % FULL_EVERY == 0)
			compare_all(&model);
	}
	for (unsigned kind = 0; kind < 7 && steps >= 600; kind++)
		CHECK(model.done[kind] > 0, "operation %u was never done", kind);
	CHECK_ERR(fixture_unmap(f, 0, SPACE), ERR_OK);
	CHECK_EQ(f->npt.table_bytes, PAGE_SIZE << f->npt.root_order);
	free(model.pages);
}

int main(void)
{
	static const struct format_test tests[] = {
		{ "the_engine_does_as_the_model", the_engine_does_as_the_model },
	};

	return format_suite("npt_model", tests, ARRAY_LEN(tests));
}

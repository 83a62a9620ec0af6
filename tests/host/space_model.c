/* SPDX-License-Identifier: BSD-2-Clause */
/* See tests/host/space_model.h. */
#include "tests/host/space_model.h"

#include <stdlib.h>
#include <string.h>

#define WINDOW     SPACE_MODEL_WINDOW
#define WINDOW_OF  SPACE_MODEL_SIZE
#define PAGES      (WINDOW_OF / PAGE_SIZE)
#define LINEAR_OF  10 /* order of the block that linear areas show: 4 MiB */

struct range {
	uint64_t gpa, size;
};

static struct model_page *page_of(struct space_model *m, uint64_t gpa)
{
	return &m->pages[(gpa - WINDOW) / PAGE_SIZE];
}

static struct range choose_range(struct space_model *m, bool bytes)
{
	struct host_rng *rng = &m->rng;
	uint64_t unit = host_chance(rng, 15) ? MIB(2) : KIB(4);
	struct range range = { .gpa = WINDOW + unit * host_below(rng, WINDOW_OF / unit) };

	range.size = unit * (1 + host_below(rng, unit == KIB(4) ? (host_chance(rng, 10) ? 900 : 24) : 2));
	range.size = min_u64(range.size, WINDOW + WINDOW_OF - range.gpa);
	if (bytes) {
		range.size = min_u64(range.size, KIB(100));
		range.gpa += host_below(rng, KIB(4));
		range.size = host_below(rng, range.size) + 1;
		range.size = min_u64(range.size, WINDOW + WINDOW_OF - range.gpa);
	}
	return range;
}

static unsigned choose_prot(struct space_model *m)
{
	for (;;) {
		unsigned prot = (unsigned)host_below(&m->rng, 8);

		if (format_has_prot(m->s->format, prot) || host_chance(&m->rng, 2))
			return prot;
	}
}

static enum err check_prot(const struct space_model *m, unsigned prot)
{
	if (prot == 0)
		return ERR_INVALID;
	return format_has_prot(m->s->format, prot) ? ERR_OK : ERR_UNSUPPORTED;
}

static bool any_area(struct space_model *m, const struct range *range)
{
	for (uint64_t at = 0; at < range->size; at += PAGE_SIZE)
		if (page_of(m, range->gpa + at)->kind != HOLE)
			return true;
	return false;
}

static void count_backed(struct space_model *m, int64_t pages)
{
	m->backed += (uint64_t)(pages * (int64_t)PAGE_SIZE);
	m->peak = max_u64(m->peak, m->backed);
}

/* Was it done? A failure must be the expected one, or a lack of memory that was arranged. */
static bool done(struct space_model *m, unsigned operation, enum err err, enum err expected)
{
	if (err == ERR_NO_MEMORY && m->starved && expected == ERR_OK)
		return false;
	CHECK(err == expected, "operation %u: %s, not %s", operation, host_err(err), host_err(expected));
	m->done[operation] += err == ERR_OK;
	return err == ERR_OK;
}

static void do_map(struct space_model *m)
{
	struct range range = choose_range(m, false);
	unsigned prot = choose_prot(m);
	enum model_kind kind = (enum model_kind)(LINEAR + host_below(&m->rng, 3));
	uint64_t hpa = m->linear + KIB(4) * host_below(&m->rng, 512);
	enum err expected = check_prot(m, prot), err;

	if (kind == LINEAR)
		range.size = min_u64(range.size, MIB(2));
	if (kind == LINEAR && host_chance(&m->rng, 50))
		hpa = m->linear + (range.gpa & (MIB(2) - 1));
	if (expected == ERR_OK && any_area(m, &range))
		expected = ERR_EXISTS;
	if (kind == LINEAR)
		err = addr_space_map_linear(&m->s->as, GPA(range.gpa), HPA(hpa), range.size,
					    (struct npt_attr){ .prot = (uint8_t)prot, .memtype = NPT_WB });
	else
		err = addr_space_map_alloc(&m->s->as, GPA(range.gpa), range.size, prot,
					   kind == POPULATED ? ALLOC_POPULATE : ALLOC_LAZY_4K);
	if (!done(m, kind - LINEAR, err, expected))
		return;
	for (uint64_t at = 0; at < range.size; at += PAGE_SIZE)
		*page_of(m, range.gpa + at) = (struct model_page){
			.kind = (uint8_t)kind, .prot = (uint8_t)prot, .backed = kind == POPULATED, .hpa = hpa + at,
		};
	memset(&m->bytes[range.gpa - WINDOW], 0, range.size);
	if (kind == POPULATED)
		count_backed(m, (int64_t)(range.size / PAGE_SIZE));
}

static void forget(struct space_model *m, uint64_t gpa)
{
	struct model_page *page = page_of(m, gpa);

	if (page->backed)
		count_backed(m, -1);
	*page = (struct model_page){ .kind = HOLE };
}

static void do_unmap(struct space_model *m)
{
	struct range range = choose_range(m, false);

	if (host_chance(&m->rng, 2)) {
		addr_space_clear(&m->s->as);
		range = (struct range){ WINDOW, WINDOW_OF };
	} else if (!done(m, 3, addr_space_unmap(&m->s->as, GPA(range.gpa), range.size), ERR_OK)) {
		return;
	}
	for (uint64_t at = 0; at < range.size; at += PAGE_SIZE)
		forget(m, range.gpa + at);
}

static void do_protect(struct space_model *m)
{
	struct range range = choose_range(m, false);
	unsigned prot = choose_prot(m);
	enum err expected = check_prot(m, prot);

	for (uint64_t at = 0; at < range.size && expected == ERR_OK; at += PAGE_SIZE)
		if (page_of(m, range.gpa + at)->kind == HOLE)
			expected = ERR_NOT_FOUND;
	/* A bad permission over a hole: either is true. */
	if (expected != ERR_OK && expected != ERR_NOT_FOUND && page_of(m, range.gpa)->kind == HOLE)
		return;
	if (!done(m, 4, addr_space_protect(&m->s->as, GPA(range.gpa), range.size, prot), expected))
		return;
	for (uint64_t at = 0; at < range.size; at += PAGE_SIZE)
		page_of(m, range.gpa + at)->prot = (uint8_t)prot;
}

/* What a fault at `gpa` comes to; backs the page if that is it. */
static enum fault_outcome fault_model(struct space_model *m, uint64_t gpa, unsigned access)
{
	struct model_page *page = page_of(m, gpa);

	if (page->kind == HOLE)
		return FAULT_UNMAPPED;
	if (access & ~(unsigned)page->prot)
		return FAULT_DENIED;
	return page->kind == LINEAR || page->backed ? FAULT_SPURIOUS : FAULT_HANDLED;
}

static void back(struct space_model *m, uint64_t gpa)
{
	page_of(m, gpa)->backed = true;
	count_backed(m, 1);
}

static void do_fault(struct space_model *m)
{
	const struct npt_fault fault = {
		.gpa = GPA(WINDOW + host_below(&m->rng, WINDOW_OF)),
		.access = (uint8_t)(1 + host_below(&m->rng, 7)),
	};
	enum fault_outcome expected = fault_model(m, fault.gpa.raw, fault.access);
	enum fault_outcome outcome = addr_space_handle_fault(&m->s->as, &fault);

	m->faults[outcome]++;
	if (outcome == FAULT_NO_MEMORY && m->starved && expected == FAULT_HANDLED)
		return;
	CHECK_EQ(outcome, expected);
	if (outcome == FAULT_HANDLED)
		back(m, fault.gpa.raw);
	m->done[5]++;
}

/* The byte that the guest must find; linear memory is its own model. */
static uint8_t *model_byte(struct space_model *m, uint64_t gpa)
{
	const struct model_page *page = page_of(m, gpa);

	if (page->kind == LINEAR)
		return arena_at(&m->s->ram.arena, page->hpa + gpa % PAGE_SIZE);
	return &m->bytes[gpa - WINDOW];
}

static enum err access_error(enum fault_outcome outcome)
{
	switch (outcome) {
	case FAULT_DENIED:
		return ERR_DENIED;
	case FAULT_UNMAPPED:
		return ERR_NOT_FOUND;
	default:
		return ERR_OK;
	}
}

/* Follow a copy through the model, page by page: how far it gets, and why no further. */
static uint64_t follow_copy(struct space_model *m, const struct range *range, unsigned access, enum err err,
			    enum err *expected)
{
	uint64_t gpa = range->gpa, end = gpa + range->size;

	for (*expected = ERR_OK; gpa < end; gpa = align_down(gpa, PAGE_SIZE) + PAGE_SIZE) {
		enum fault_outcome outcome = fault_model(m, gpa, access);

		*expected = access_error(outcome);
		if (*expected == ERR_OK && outcome == FAULT_HANDLED && err == ERR_NO_MEMORY && m->starved &&
		    !space_allows(m->s, gpa, 0)) {
			m->faults[FAULT_NO_MEMORY]++;
			m->by_host++;
			*expected = ERR_NO_MEMORY;
			break;
		}
		if (outcome != FAULT_SPURIOUS) {
			m->faults[outcome]++;
			m->by_host++;
		}
		if (*expected != ERR_OK)
			break;
		if (outcome == FAULT_HANDLED)
			back(m, gpa);
	}
	return min_u64(gpa, end) - range->gpa;
}

static void do_read(struct space_model *m)
{
	struct range range = choose_range(m, true);
	static uint8_t buffer[KIB(128)];
	enum err err = addr_space_read(&m->s->as, GPA(range.gpa), buffer, range.size), expected;
	uint64_t good = follow_copy(m, &range, NPT_R, err, &expected);

	CHECK_ERR(err, expected);
	for (uint64_t at = 0; at < good; at++)
		CHECK(buffer[at] == *model_byte(m, range.gpa + at), "byte %#jx", (uintmax_t)(range.gpa + at));
	m->done[6] += err == ERR_OK;
}

static void do_write(struct space_model *m)
{
	struct range range = choose_range(m, true);
	static uint8_t buffer[KIB(128)];
	unsigned salt = (unsigned)host_random(&m->rng);
	enum err err, expected;
	uint64_t good;

	for (uint64_t at = 0; at < range.size; at++)
		buffer[at] = (uint8_t)(salt + at * 7 + at / 256);
	err = addr_space_write(&m->s->as, GPA(range.gpa), buffer, range.size);
	good = follow_copy(m, &range, NPT_RW, err, &expected);
	CHECK_ERR(err, expected);
	for (uint64_t at = 0; at < good; at++)
		if (page_of(m, range.gpa + at)->kind != LINEAR)
			m->bytes[range.gpa + at - WINDOW] = buffer[at];
	m->done[7] += err == ERR_OK;
}

/* The guest itself writes, when it can. */
static void do_guest_write(struct space_model *m)
{
	uint64_t gpa = WINDOW + host_below(&m->rng, WINDOW_OF);
	const struct model_page *page = page_of(m, gpa);
	bool can = space_allows(m->s, gpa, ORACLE_W);

	CHECK_EQ(can, (page->prot & NPT_W) && (page->backed || page->kind == LINEAR) ? 1 : 0);
	if (!can)
		return;
	view_touch(&m->s->view, gpa, ORACLE_W);
	*space_byte(m->s, gpa) = *model_byte(m, gpa) = (uint8_t)host_random(&m->rng);
	m->done[8]++;
}

static void do_limit(struct space_model *m)
{
	uint64_t gpa = WINDOW + host_below(&m->rng, WINDOW_OF), want = 1 + host_below(&m->rng, MIB(3));
	struct oracle_walk walk = view_walk(&m->s->view, gpa, 0);
	uint64_t good, limit;
	hpa_t hpa;

	if (walk.status != ORACLE_OK) {
		CHECK_ERR(addr_space_translate_and_limit(&m->s->as, GPA(gpa), want, &hpa, &limit), ERR_NOT_FOUND);
		return;
	}
	for (good = PAGE_SIZE - gpa % PAGE_SIZE; good < want; good += PAGE_SIZE) {
		struct oracle_walk next = view_walk(&m->s->view, gpa + good, 0);

		if (next.status != ORACLE_OK || next.hpa != walk.hpa + good)
			break;
	}
	CHECK_ERR(addr_space_translate_and_limit(&m->s->as, GPA(gpa), want, &hpa, &limit), ERR_OK);
	CHECK_EQ(hpa.raw, walk.hpa);
	CHECK_EQ(limit, min_u64(good, want));
	m->done[9]++;
}

static void compare_page(struct space_model *m, uint64_t gpa, bool whole)
{
	const struct model_page *page = page_of(m, gpa);
	struct oracle_walk walk = view_walk(&m->s->view, gpa, 0);
	uint64_t stride = whole ? 1 : 61;

	if (page->kind == HOLE || (page->kind != LINEAR && !page->backed)) {
		CHECK(walk.status == ORACLE_NOT_PRESENT, "%#jx is there", (uintmax_t)gpa);
		return;
	}
	CHECK(walk.status == ORACLE_OK && walk.prot == page->prot, "%#jx: status %d, prot %u, not %u", (uintmax_t)gpa,
	      (int)walk.status, walk.prot, page->prot);
	if (page->kind == LINEAR) {
		CHECK_EQ(walk.hpa, page->hpa);
		return;
	}
	for (uint64_t at = 0; at < PAGE_SIZE; at += stride) {
		const uint8_t *byte = arena_at(&m->s->ram.arena, walk.hpa + at);

		CHECK(*byte == m->bytes[gpa + at - WINDOW], "byte %#jx is %#x", (uintmax_t)(gpa + at), *byte);
	}
}

/* Every area against the pages in it, and no page without. */
static void compare_areas(struct space_model *m)
{
	uint64_t end = 0, pages = 0, wanted = 0;

	for (struct area *area = area_find_from(&m->s->as.areas, 0); area; area = area_next(area)) {
		CHECK(area->start >= end && area->start < area->end && area->start >= WINDOW &&
			      area->end <= WINDOW + WINDOW_OF,
		      "area [%#jx, %#jx)", (uintmax_t)area->start, (uintmax_t)area->end);
		end = area->end;
		for (uint64_t at = area->start; at < end; at += PAGE_SIZE, pages++) {
			const struct model_page *page = page_of(m, at);

			CHECK(page->prot == area->attr.prot && page->kind != HOLE &&
				      (page->kind == LINEAR) == (area->backend == AREA_LINEAR),
			      "the area at %#jx", (uintmax_t)at);
		}
	}
	for (size_t i = 0; i < PAGES; i++)
		wanted += m->pages[i].kind != HOLE;
	CHECK_EQ(pages, wanted);
}

static void compare_stats(struct space_model *m)
{
	struct addr_space_stats stats = addr_space_get_stats(&m->s->as);

	CHECK_EQ(stats.resident, m->backed);
	CHECK_EQ(stats.resident_peak, m->peak);
	CHECK_EQ(stats.faults_by_host, m->by_host);
	for (unsigned i = 0; i < FAULT_OUTCOMES; i++)
		CHECK(stats.faults[i] == m->faults[i], "%ju faults %s, not %ju", (uintmax_t)stats.faults[i],
		      fault_outcome_name((enum fault_outcome)i), (uintmax_t)m->faults[i]);
}

void space_model_step(struct space_model *m)
{
	static void (*const operations[])(struct space_model *) = {
		do_map, do_map, do_map, do_unmap, do_unmap, do_protect, do_protect, do_fault, do_fault, do_fault,
		do_read, do_read, do_write, do_write, do_guest_write, do_guest_write, do_limit,
	};

	m->starved = host_chance(&m->rng, 15);
	if (m->starved)
		ram_leave(&m->s->ram, min_u64(host_below(&m->rng, 4), ram_free_bytes() / PAGE_SIZE));
	space_begin(m->s);
	operations[host_below(&m->rng, ARRAY_LEN(operations))](m);
	ram_release(&m->s->ram);
	tlb_settle(&m->s->tlb);
	compare_stats(m);
	for (unsigned i = 0; i < 8; i++)
		compare_page(m, WINDOW + PAGE_SIZE * host_below(&m->rng, PAGES), false);
}

void space_model_check(struct space_model *m)
{
	space_check(m->s);
	compare_areas(m);
	for (size_t i = 0; i < PAGES; i++)
		compare_page(m, WINDOW + i * PAGE_SIZE, i % 64 == 0);
}

struct space_model *space_model_new(const struct format_case *format, uint64_t ram, struct host_rng rng)
{
	struct space_model *m = calloc(1, sizeof(*m));
	hpa_t linear;

	assert_non_null(m);
	m->s = space_new(format, ram);
	m->rng = rng;
	CHECK_ERR(frame_alloc(LINEAR_OF, &linear), ERR_OK);
	m->linear = linear.raw;
	m->s->overhead += PAGE_SIZE << LINEAR_OF;
	return m;
}

void space_model_free(struct space_model *m)
{
	frame_free(HPA(m->linear), LINEAR_OF);
	space_free(m->s);
	free(m);
}

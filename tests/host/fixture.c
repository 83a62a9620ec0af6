/* SPDX-License-Identifier: BSD-2-Clause */
/* See tests/host/fixture.h. */
#include "tests/host/fixture.h"

#include <sanitizer/asan_interface.h>
#include <stdlib.h>
#include <string.h>

#define FRAMES (FIXTURE_TABLES_SIZE / PAGE_SIZE)

static struct fixture *fixture_of(struct npt_env *env)
{
	return CONTAINER_OF(env, struct fixture, env);
}

static struct fake_frame *frame_of(struct fixture *fixture, uint64_t hpa)
{
	CHECK(hpa >= fixture->arena.phys && hpa - fixture->arena.phys < fixture->arena.size, "table at %#jx", (uintmax_t)hpa);
	return &fixture->frames[(hpa - fixture->arena.phys) / PAGE_SIZE];
}

static void log_event(struct fixture *fixture, enum fake_event_kind kind, uint64_t at, uint64_t size)
{
	CHECK(fixture->event_count < FIXTURE_EVENTS, "too many events");
	fixture->events[fixture->event_count++] = (struct fake_event){ .kind = kind, .at = at, .size = size };
}

static bool is_free(const struct fixture *fixture, size_t first, size_t count)
{
	for (size_t i = first; i < first + count; i++)
		if (i >= FRAMES || fixture->frames[i].taken)
			return false;
	return true;
}

/* Goes round the arena, so that a freed table is not at once taken again and a stale pointer to it shows. */
static enum err fake_alloc(struct npt_env *env, unsigned order, hpa_t *table)
{
	struct fixture *fixture = fixture_of(env);
	size_t count = (size_t)1 << order;
	size_t first = align_up(fixture->next_frame, count);
	uint64_t hpa;

	if (fixture->meanwhile)
		fixture->meanwhile(fixture);
	if (fixture->allocs_left == 0)
		return ERR_NO_MEMORY;
	if (fixture->allocs_left > 0)
		fixture->allocs_left--;
	for (size_t tried = 0; !is_free(fixture, first, count); tried++) {
		CHECK(tried < FRAMES, "the tables' memory is too small for this test");
		first = (first + count) % FRAMES;
	}
	for (size_t i = first; i < first + count; i++)
		fixture->frames[i] = (struct fake_frame){ .taken = true, .head = i == first, .order = (uint8_t)order };
	fixture->next_frame = first + count;
	fixture->taken += PAGE_SIZE << order;
	hpa = fixture->arena.phys + first * PAGE_SIZE;
	ASAN_UNPOISON_MEMORY_REGION(fixture->arena.bytes + first * PAGE_SIZE, count * PAGE_SIZE);
	memset(fixture->arena.bytes + first * PAGE_SIZE, 0, count * PAGE_SIZE);
	log_event(fixture, FAKE_ALLOC, hpa, PAGE_SIZE << order);
	*table = HPA(hpa);
	return ERR_OK;
}

static void fake_free(struct npt_env *env, hpa_t table, unsigned order)
{
	struct fixture *fixture = fixture_of(env);
	struct fake_frame *frame = frame_of(fixture, table.raw);

	CHECK(frame->taken && frame->head && frame->order == order, "freeing table %#jx of order %u", (uintmax_t)table.raw, order);
	CHECK(is_aligned(table.raw, PAGE_SIZE << order), "table %#jx", (uintmax_t)table.raw);
	if (fixture->watched)
		tlb_freed(&fixture->tlb, table.raw);
	memset(frame, 0, sizeof(*frame) << order);
	ASAN_POISON_MEMORY_REGION(arena_at(&fixture->arena, table.raw), PAGE_SIZE << order);
	fixture->taken -= PAGE_SIZE << order;
	log_event(fixture, FAKE_FREE, table.raw, PAGE_SIZE << order);
}

static uint32_t *fake_present(struct npt_env *env, hpa_t table)
{
	struct fake_frame *frame = frame_of(fixture_of(env), table.raw);

	CHECK(frame->taken && frame->head && is_aligned(table.raw, PAGE_SIZE), "counter of %#jx, no table", (uintmax_t)table.raw);
	return &frame->present;
}

static void fake_flush(struct npt_env *env, gpa_t gpa, uint64_t size)
{
	struct fixture *fixture = fixture_of(env);

	if (fixture->meanwhile)
		fixture->meanwhile(fixture);
	CHECK(size > 0 && (size == NPT_FLUSH_ALL || is_aligned(gpa.raw | size, PAGE_SIZE)), "flush of %#jx, %#jx bytes",
	      (uintmax_t)gpa.raw, (uintmax_t)size);
	if (fixture->watched)
		tlb_flush(&fixture->tlb, gpa.raw, size);
	log_event(fixture, FAKE_FLUSH, gpa.raw, size);
}

static uint64_t *fake_word(struct fixture *fixture, uint64_t hpa)
{
	CHECK(frame_of(fixture, hpa)->taken && is_aligned(hpa, 8), "the hardware walks %#jx, which is no table", (uintmax_t)hpa);
	return arena_at(&fixture->arena, hpa);
}

static uint64_t fake_load(void *memory, uint64_t hpa)
{
	return __atomic_load_n(fake_word(memory, hpa), __ATOMIC_RELAXED);
}

static void fake_set(void *memory, uint64_t hpa, uint64_t bits)
{
	__atomic_fetch_or(fake_word(memory, hpa), bits, __ATOMIC_RELAXED);
}

struct fixture *fixture_bare(const struct format_case *format)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	fixture->format = format;
	fixture->allocs_left = -1;
	fixture->frames = calloc(FRAMES, sizeof(*fixture->frames));
	assert_non_null(fixture->frames);
	arena_open(&fixture->arena, format->tables_at, FIXTURE_TABLES_SIZE);
	ASAN_POISON_MEMORY_REGION(fixture->arena.bytes, fixture->arena.size);
	fixture->env = (struct npt_env){
		.alloc_table = fake_alloc,
		.free_table = fake_free,
		.present = fake_present,
		.flush = fake_flush,
		.phys_to_virt = fixture->arena.phys_to_virt,
		.cache = &fixture->cache,
	};
	return fixture;
}

void fixture_bare_free(struct fixture *fixture)
{
	ASAN_UNPOISON_MEMORY_REGION(fixture->arena.bytes, fixture->arena.size);
	arena_close(&fixture->arena);
	tlb_close(&fixture->tlb);
	free(fixture->frames);
	free(fixture);
}

struct fixture *fixture_new(const struct format_case *format)
{
	struct fixture *fixture = fixture_bare(format);

	CHECK_ERR(npt_new(&fixture->npt, format->ops, &format->config, &fixture->env), ERR_OK);
	fixture->view = (struct view){
		.oracle = format->oracle,
		.machine = format_machine(format),
		.npt = &fixture->npt,
	};
	fixture->view.machine.root = fixture->npt.root.raw;
	fixture->view.machine.load = fake_load;
	fixture->view.machine.set = fake_set;
	fixture->view.machine.memory = fixture;
	tlb_open(&fixture->tlb, &fixture->view, format->break_before_make);
	fixture->watched = true;
	fixture_forget_events(fixture);
	return fixture;
}

void fixture_free(struct fixture *fixture)
{
	uint64_t left;

	fixture->meanwhile = NULL;
	fixture->watched = false;
	fixture_forget_events(fixture);
	npt_free(&fixture->npt);
	left = fixture->taken;
	fixture_bare_free(fixture);
	CHECK(left == 0, "%ju bytes of tables leaked", (uintmax_t)left);
}

int fixture_setup(void **state)
{
	*state = fixture_new(*state);
	return 0;
}

int fixture_teardown(void **state)
{
	fixture_free(*state);
	return 0;
}

void fixture_forget_events(struct fixture *fixture)
{
	fixture->event_count = 0;
}

size_t fixture_count(const struct fixture *fixture, enum fake_event_kind kind)
{
	size_t count = 0;

	for (size_t i = 0; i < fixture->event_count; i++)
		count += fixture->events[i].kind == kind;
	return count;
}

const struct fake_event *fixture_event(const struct fixture *fixture, enum fake_event_kind kind, size_t n)
{
	for (size_t i = 0; i < fixture->event_count; i++)
		if (fixture->events[i].kind == kind && n-- == 0)
			return &fixture->events[i];
	fail_msg("event missing");
	return NULL;
}

void fixture_check(struct fixture *fixture)
{
	if (fixture->watched)
		tlb_settle(&fixture->tlb);
	view_check(&fixture->view, &fixture->env);
	CHECK_EQ(fixture->taken, fixture->npt.table_bytes);
}

enum err fixture_map(struct fixture *fixture, uint64_t gpa, uint64_t hpa, uint64_t size, unsigned prot)
{
	struct npt_attr attr = { .prot = (uint8_t)prot, .memtype = NPT_WB };
	enum err err = npt_map(&fixture->npt, GPA(gpa), HPA(hpa), size, attr);

	fixture_check(fixture);
	return err;
}

enum err fixture_unmap(struct fixture *fixture, uint64_t gpa, uint64_t size)
{
	struct npt_gather gather;
	enum err err;

	npt_gather_init(&gather, &fixture->npt);
	err = npt_unmap(&fixture->npt, GPA(gpa), size, &gather);
	npt_gather_finish(&gather);
	fixture_check(fixture);
	return err;
}

enum err fixture_protect(struct fixture *fixture, uint64_t gpa, uint64_t size, unsigned prot)
{
	struct npt_gather gather;
	enum err err;

	npt_gather_init(&gather, &fixture->npt);
	err = npt_protect(&fixture->npt, GPA(gpa), size, prot, &gather);
	npt_gather_finish(&gather);
	fixture_check(fixture);
	return err;
}

void expect_leaf(struct fixture *fixture, uint64_t gpa, uint64_t hpa, unsigned level, unsigned prot)
{
	struct oracle_walk walk = view_walk(&fixture->view, gpa, 0);

	CHECK(walk.status == ORACLE_OK, "%#jx: status %d", (uintmax_t)gpa, (int)walk.status);
	CHECK(walk.hpa == hpa, "%#jx is at %#jx, not %#jx", (uintmax_t)gpa, (uintmax_t)walk.hpa, (uintmax_t)hpa);
	CHECK(walk.level == level, "%#jx is in a leaf of level %u, not %u", (uintmax_t)gpa, walk.level, level);
	CHECK(walk.prot == prot, "%#jx has prot %u, not %u", (uintmax_t)gpa, walk.prot, prot);
}

void expect_hole(struct fixture *fixture, uint64_t gpa)
{
	struct oracle_walk walk = view_walk(&fixture->view, gpa, 0);

	CHECK(walk.status == ORACLE_NOT_PRESENT, "%#jx: status %d", (uintmax_t)gpa, (int)walk.status);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* See tests/host/space.h. */
#include "tests/host/space.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mm/space.h"
#include "tests/host/lock_order.h"
#include "npt/explain.h"

static uint64_t ram_load(void *memory, uint64_t hpa)
{
	struct space *space = memory;

	return __atomic_load_n((uint64_t *)arena_at(&space->machine->ram.arena, hpa), __ATOMIC_RELAXED);
}

static void ram_set(void *memory, uint64_t hpa, uint64_t bits)
{
	struct space *space = memory;

	__atomic_fetch_or((uint64_t *)arena_at(&space->machine->ram.arena, hpa), bits, __ATOMIC_RELAXED);
}

static uint64_t reserved(const struct addr_space *as)
{
	uint64_t bytes = 0;

	for (const struct addr_space_view *view = &as->view; view; view = view->next)
		bytes += reservation_held(view);
	return bytes;
}

/* What no guest can reach: free frames, those that spaces of the machine hold back for faults to come, and those of their areas. */
static uint64_t unreachable(const struct space *space)
{
	uint64_t bytes = ram_free_bytes();

	for (const struct space *kin = space->machine; kin; kin = kin->next)
		bytes += kin->gone ? 0 : reserved(&kin->as) + area_set_bytes(&kin->as.areas);
	return bytes;
}

static bool any_lock_held(const struct addr_space *as)
{
	for (const struct addr_space_view *view = &as->view; view; view = view->next)
		if (view->lock.held)
			return true;
	return false;
}

static bool add_hidden(const struct npt_leaf *leaf, void *context)
{
	if (!leaf->accessed)
		*(uint64_t *)context += npt_level_size(leaf->level);
	return true;
}

/* What is mapped and not marked accessed where software marks it: no CPU has a translation of that. */
static uint64_t hidden(struct space *space)
{
	uint64_t bytes = 0;

	if (!space->format->config.hardware_ad)
		CHECK_ERR(npt_walk(&space->as.npt, GPA(0), space->as.npt.end, add_hidden, &bytes), ERR_OK);
	return bytes;
}

static unsigned on_flush(struct addr_space *as, gpa_t gpa, uint64_t size)
{
	struct space *space = CONTAINER_OF(as, struct space, as);
	unsigned instructions = size == NPT_FLUSH_ALL ? 1 : 3;
	uint64_t still, gone;

	if (space->free_before == UINT64_MAX)
		return 0; /* the end: no CPU runs on it any more */
	CHECK(any_lock_held(as), "a flush without a lock");
	if (space->meanwhile) {
		unsigned other = lock_order_other_cpu();

		space->meanwhile(space);
		lock_order_this_cpu(other);
	}
	space->meanwhile = NULL;
	CHECK(unreachable(space) <= space->free_before, "%ju bytes freed before the flush",
	      (uintmax_t)(unreachable(space) - space->free_before));
	space->flushes++;
	space->instructions += instructions;
	/* What this flush makes unreachable may be free at the next one, and what the operation has taken only to give it back. */
	still = hidden(space);
	gone = tlb_flush(&space->tlb, gpa.raw, size) + (space->hidden_before > still ? space->hidden_before - still : 0);
	space->hidden_before = still;
	space->free_before = max_u64(space->free_before, unreachable(space) + gone);
	return instructions;
}

static void settle(void *memory)
{
	struct space *space = memory;
	uint64_t leaves[NPT_LEAF_LEVELS];

	addr_space_get_leaves(&space->as, leaves);
}

/* What the CPUs see of a space that has just been made. */
static void watch(struct space *space)
{
	space->view = (struct view){
		.oracle = space->format->oracle,
		.machine = format_machine(space->format),
		.npt = &space->as.npt,
		.settle = settle,
	};
	space->view.machine.root = space->as.npt.root.raw;
	space->view.machine.load = ram_load;
	space->view.machine.set = ram_set;
	space->view.machine.memory = space;
	tlb_open(&space->tlb, &space->view, space->format->break_before_make);
}

struct space *space_new(const struct format_case *format, uint64_t ram)
{
	struct space *space = host_zeros(sizeof(*space));

	assert_non_null(space);
	space->machine = space;
	space->format = format;
	ram_open(&space->ram, SPACE_RAM_AT, ram, ram < GIB(1)); /* rubbish in all of it would take too long */
	CHECK_ERR(addr_space_new(&space->as, format->ops, &format->config, on_flush), ERR_OK);
	watch(space);
	space_begin(space);
	return space;
}

static bool all_zero(const uint8_t *bytes, uint64_t size)
{
	return bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0;
}

/* Nobody has ever written to the zero pages that are there. */
static void check_zeros(unsigned max_order)
{
	uint64_t there = frame_get_stats().zero;
	hpa_t block;

	for (unsigned order = 0; order <= max_order; order += NPT_INDEX_BITS) {
		if (!(there & PAGE_SIZE << order))
			continue;
		CHECK_ERR(frame_zero_page(order, &block), ERR_OK);
		CHECK(all_zero(frame_ptr(block), PAGE_SIZE << order), "the zeros of order %u are not", order);
	}
}

/* No CPU runs on it any more. */
static void leave(struct space *space)
{
	if (space->gone)
		return;
	space->free_before = UINT64_MAX;
	space->as.view.lock.held = false; /* a test that failed in a flush left it so */
	addr_space_free(&space->as);
	tlb_close(&space->tlb);
	space->gone = true;
}

void space_end(struct space *space)
{
	leave(space);
	space_check(space->machine);
}

void space_free(struct space *space)
{
	struct space *kin = space->next, *next;

	for (; kin; kin = next) {
		next = kin->next;
		leave(kin);
		free(kin);
	}
	leave(space);
	check_zeros(NPT_INDEX_BITS);
	ram_release(&space->ram);
	ram_close(&space->ram);
	free(space);
}

int space_setup(void **state)
{
	*state = space_new(*state, SPACE_RAM_SIZE);
	return 0;
}

int space_teardown(void **state)
{
	space_free(*state);
	return 0;
}

static void add_tests(struct suite *suite, const struct format_test *tests, size_t count, const struct format_case *format,
		      const char *name)
{
	for (size_t t = 0; t < count; t++)
		suite_add(suite, tests[t].name, name, tests[t].test, space_setup, space_teardown, format);
}

static int run_suite(const char *name, const struct format_test *tests, size_t count, bool both_marks)
{
	static const char *const chosen[] = { "ept4", "ept4-old", "amd4", "stage2-40", "sv39x4" };
	static struct format_case others[ARRAY_LEN(chosen)];
	static struct suite suite;

	suite.count = 0;
	for (size_t f = 0; f < format_count; f++)
		for (size_t c = 0; c < ARRAY_LEN(chosen); c++) {
			char other[80];

			if (strcmp(formats[f].name, chosen[c]) != 0)
				continue;
			add_tests(&suite, tests, count, &formats[f], formats[f].name);
			if (!both_marks)
				continue;
			others[c] = formats[f];
			others[c].config.hardware_ad = !others[c].config.hardware_ad;
			snprintf(other, sizeof(other), "%s-%s", chosen[c], others[c].config.hardware_ad ? "hw" : "sw");
			add_tests(&suite, tests, count, &others[c], other);
		}
	return suite_run(&suite, name);
}

int space_suite(const char *name, const struct format_test *tests, size_t count)
{
	return run_suite(name, tests, count, false);
}

int space_suite_both_marks(const char *name, const struct format_test *tests, size_t count)
{
	return run_suite(name, tests, count, true);
}

enum err space_limit(struct space *space, uint64_t max)
{
	enum err err;

	if (max == UINT64_MAX)
		return addr_space_set_limit(&space->as, NULL);
	CHECK(!space->as.cost.limit || space->as.cost.limit == &space->limit, "a fork has its parent's limit");
	err = addr_space_set_limit(&space->as, NULL);
	if (err != ERR_OK)
		return err;
	CHECK_EQ(space->limit.used, 0);
	space->limit.max = max;
	return addr_space_set_limit(&space->as, &space->limit);
}

/* What spaces with one limit cost, and what is nobody's, is what is used of the limit, and not more than it permits. */
static void check_limit(struct space *machine, const struct addr_space_limit *limit)
{
	uint64_t used = 0;

	for (struct space *kin = machine; kin; kin = kin->next) {
		if (kin->gone || kin->as.cost.limit != limit)
			continue;
		used += addr_space_get_stats(&kin->as).memory_used;
	}
	CHECK(used <= limit->used, "%#jx used, %#jx charged", (uintmax_t)used, (uintmax_t)limit->used);
	CHECK(limit->used <= limit->max, "%#jx used, beyond the limit", (uintmax_t)limit->used);
}

void space_leave(struct space *space, uint64_t frames)
{
	for (struct space *kin = space->machine; kin; kin = kin->next)
		if (!kin->gone)
			addr_space_release_held(&kin->as);
	ram_leave(&space->machine->ram, frames);
}

void space_begin(struct space *space)
{
	space->free_before = unreachable(space);
	space->hidden_before = hidden(space);
}

/* --- What must hold ------------------------------------------------------------------------------------------------ */

#define USED    1
#define WRITTEN 2

/* How many spaces have a table, and pay for it. */
struct table_count {
	uint8_t spaces, payers;
};

/* Who maps which frame of the machine. */
struct frame_census {
	struct space *space;
	struct table_count *tables; /* by frame, those that are shared */
	uint8_t *frames;            /* by frame: USED, WRITTEN */
	uint64_t used;              /* frames of which that is said */
	uint64_t memory, zeros[2];  /* of this space */
};

static void count_frame(struct frame_census *census, uint64_t hpa, const struct npt_leaf *leaf)
{
	uint8_t *frame = &census->frames[(hpa - census->space->machine->ram.arena.phys) / PAGE_SIZE];
	uint8_t use = leaf->attr.prot & NPT_W ? USED | WRITTEN : USED;

	CHECK(!(*frame & WRITTEN) && !(*frame && use & WRITTEN), "%#jx, at %#jx, is written here and seen there", (uintmax_t)hpa,
	      (uintmax_t)leaf->gpa.raw);
	census->used += *frame == 0;
	*frame |= use;
}

static struct table_count *table_in(const struct frame_census *census, uint64_t hpa)
{
	return &census->tables[(hpa - census->space->machine->ram.arena.phys) / PAGE_SIZE];
}

static void count_table(const struct view_entry *entry, void *context)
{
	struct frame_census *census = context;
	const struct area *area = area_find(&census->space->as.areas, entry->gpa);

	if (!view_is_shared(&census->space->view, entry))
		return;
	CHECK(area && area->backend == AREA_ALLOC && holds_block(area, entry->gpa), "a shared table across areas at %#jx",
	      (uintmax_t)entry->gpa);
	table_in(census, entry->is.addr)->spaces++;
	table_in(census, entry->is.addr)->payers += view_pays_for(&census->space->view, entry);
}

/* Every shared table is had by as many spaces as it says, and one pays for it at most. Returns the bytes that nobody pays for. */
static uint64_t check_tables(const struct frame_census *census)
{
	const struct ram *ram = &census->space->machine->ram;
	uint64_t unpaid = 0;

	for (uint64_t at = 0; at < ram->arena.size; at += PAGE_SIZE) {
		const hpa_t table = HPA(ram->arena.phys + at);
		const struct table_count *count = table_in(census, table.raw);

		if (count->spaces == 0)
			continue;
		CHECK_EQ(*frame_table_present(table) / NPT_SHARER, count->spaces - 1);
		CHECK(count->payers <= 1, "%u pay for %#jx", count->payers, (uintmax_t)table.raw);
		unpaid += count->payers == 0 ? PAGE_SIZE : 0;
	}
	return unpaid;
}

/* Bytes of the range that no space maps. */
static uint64_t not_counted(const struct frame_census *census, const struct ram_range *range)
{
	uint64_t bytes = 0;

	for (uint64_t at = 0; at < range->size; at += PAGE_SIZE)
		if (!census->frames[(range->start.raw + at - census->space->machine->ram.arena.phys) / PAGE_SIZE])
			bytes += PAGE_SIZE;
	return bytes;
}

static bool count_leaf(const struct npt_leaf *leaf, void *context)
{
	struct frame_census *census = context;
	const struct area *area = area_find_from(&census->space->as.areas, leaf->gpa.raw);
	uint64_t size = npt_level_size(leaf->level);
	unsigned missing;

	CHECK(area && leaf->gpa.raw >= area->start && area->end - leaf->gpa.raw >= size, "a leaf across areas at %#jx",
	      (uintmax_t)leaf->gpa.raw);
	missing = area->attr.prot & ~(unsigned)leaf->attr.prot;
	CHECK(!(leaf->attr.prot & ~(unsigned)area->attr.prot), "more than the area permits at %#jx", (uintmax_t)leaf->gpa.raw);
	CHECK(missing == 0 || (missing == NPT_W && (leaf->attr.shared || !census->space->format->config.hardware_ad)),
	      "prot %u, not %u, at %#jx", leaf->attr.prot, area->attr.prot, (uintmax_t)leaf->gpa.raw);
	if (area->backend == AREA_LINEAR) {
		CHECK(!leaf->attr.shared, "Linear memory is shared at %#jx", (uintmax_t)leaf->gpa.raw);
		return true;
	}
	if (frame_is_zero_page(leaf->hpa)) {
		CHECK(leaf->attr.shared && !(leaf->attr.prot & NPT_W) && leaf->level < 2, "zeros at %#jx",
		      (uintmax_t)leaf->gpa.raw);
		census->zeros[leaf->level]++;
		return true;
	}
	census->memory += size;
	for (uint64_t at = 0; at < size; at += PAGE_SIZE)
		count_frame(census, leaf->hpa.raw + at, leaf);
	return true;
}

static void check_stats(struct space *space, const struct frame_census *census)
{
	struct addr_space_stats stats = addr_space_get_stats(&space->as);

	CHECK_EQ(stats.resident + stats.shared, census->memory);
	CHECK_EQ(stats.zero_leaves[0], census->zeros[0]);
	CHECK_EQ(stats.zero_leaves[1], census->zeros[1]);
	CHECK(stats.resident_peak >= stats.resident, "peak %#jx", (uintmax_t)stats.resident_peak);
	CHECK_EQ(stats.flushes, space->flushes);
	CHECK_EQ(stats.flush_instructions, space->instructions);
	CHECK_EQ(stats.handled_zero + stats.handled_fresh + stats.handled_unzero + stats.handled_copy + stats.handled_reuse +
			 stats.handled_tracked,
		 stats.faults[FAULT_HANDLED]);
}

static uint64_t hogged(const struct space *space)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < space->ram.hog_count; i++)
		bytes += PAGE_SIZE << space->ram.hogs[i].order;
	return bytes;
}

/* The tables that are known are those that a walk comes to, and what was told of their blocks is what the area there says. */
static void check_known(struct space *space, const struct npt_walk_cache *cache)
{
	const struct npt *npt = &space->as.npt;

	for (unsigned i = 0; i < NPT_WALK_CACHE_SIZE; i++) {
		uint64_t block = cache->block[i] << NPT_BLOCK_SHIFT;
		struct npt_step steps[NPT_MAX_LEVELS];
		const struct npt_step *last;
		const struct area *area;

		if (cache->block[i] >= NPT_WALK_CACHE_NONE || cache->block[i] % NPT_WALK_CACHE_SIZE != i)
			continue;
		last = &steps[npt_explain(npt, GPA(block), steps) - 1];
		CHECK_EQ(last->level, 0);
		CHECK_EQ((uintptr_t)npt_walk_cache_lookup(cache, GPA(block)), (uintptr_t)frame_ptr(last->table));
		CHECK_EQ((uintptr_t)cache->of[i].present, (uintptr_t)frame_table_present(last->table));
		if (cache->fresh_accesses[i] == 0)
			continue;
		area = area_find(&space->as.areas, block);
		CHECK(area && holds_block(area, block), "no area has all of the block at %#jx", (uintmax_t)block);
		CHECK_EQ(cache->fresh_accesses[i], area->fast_page | NPT_FRESH_THERE);
		CHECK_EQ(cache->fresh_entry[i], area->page);
	}
}

static void check_one(struct space *space, struct frame_census *census)
{
	CHECK(!any_lock_held(&space->as), "a lock is still held");
	tlb_settle(&space->tlb);
	view_check(&space->view, &space->as.env);
	census->space = space;
	census->memory = census->zeros[0] = census->zeros[1] = 0;
	CHECK_ERR(npt_walk(&space->as.npt, GPA(0), BIT(space->format->config.gpa_bits), count_leaf, census), ERR_OK);
	check_stats(space, census);
	view_scan(&space->view, count_table, census);
	for (const struct npt_walk_cache *cache = space->as.npt.cache; cache; cache = cache->next)
		check_known(space, cache);
}

/* Frames that hold the areas' structures, a chain through the first bytes of each, and the hints to them. */
static uint64_t area_bytes(const struct space *space)
{
	const struct area_set *areas = &space->as.areas;
	uint64_t bytes = areas->hint_frames.raw != 0 ? (areas->hint_mask + 1) * sizeof(*areas->hint) : 0;

	for (hpa_t frame = areas->chunks; frame.raw != 0; frame = *(hpa_t *)frame_ptr(frame))
		bytes += PAGE_SIZE;
	return bytes;
}

/* What all of a space costs beside what is resident; each byte of it is in the figures, and they are within the limit. */
static uint64_t check_cost(struct space *space)
{
	struct addr_space_stats stats = addr_space_get_stats(&space->as);
	uint64_t overhead =
		space->as.npt.table_bytes + area_bytes(space) + (space->as.reserve.raw ? PAGE_SIZE : 0) + reserved(&space->as);

	CHECK_EQ(stats.memory_used, stats.resident + overhead);
	CHECK(stats.memory_peak >= stats.memory_used && stats.memory_peak >= stats.resident_peak, "memory_peak %#jx",
	      (uintmax_t)stats.memory_peak);
	if (space->as.cost.limit)
		CHECK(stats.memory_used <= space->as.cost.charged, "%#jx used, %#jx charged", (uintmax_t)stats.memory_used,
		      (uintmax_t)space->as.cost.charged);
	CHECK_EQ(space->as.cost.in_hand, 0);
	return overhead;
}

void space_check(struct space *space)
{
	struct space *machine = space->machine;
	struct frame_census census = {
		.frames = calloc(1, machine->ram.arena.size / PAGE_SIZE),
		.tables = calloc(machine->ram.arena.size / PAGE_SIZE, sizeof(*census.tables)),
	};
	uint64_t taken = machine->ram.usable - ram_free_bytes() - hogged(machine), others = frame_get_stats().zero, owned = 0;

	assert_non_null(census.frames);
	assert_non_null(census.tables);
	census.space = machine;
	for (struct space *kin = machine; kin; kin = kin->next) {
		if (kin->gone)
			continue;
		check_one(kin, &census);
		others += check_cost(kin) + kin->overhead;
		owned += addr_space_get_stats(&kin->as).resident;
	}
	others += not_counted(&census, &machine->file) + check_tables(&census);
	free(census.frames);
	free(census.tables);
	check_limit(machine, &machine->limit);
	CHECK_EQ(taken, census.used * PAGE_SIZE + others);
	CHECK(owned <= census.used * PAGE_SIZE, "%#jx bytes owned, %#jx in use", (uintmax_t)owned,
	      (uintmax_t)(census.used * PAGE_SIZE));
	check_zeros(0);
}

/* --- Operations ---------------------------------------------------------------------------------------------------- */

enum err space_linear(struct space *space, uint64_t gpa, uint64_t hpa, uint64_t size, unsigned prot)
{
	enum err err;

	space_begin(space);
	err = addr_space_map_linear(&space->as, GPA(gpa), HPA(hpa), size,
				    (struct npt_attr){ .prot = (uint8_t)prot, .memtype = NPT_WB });
	space_check(space);
	return err;
}

enum err space_alloc(struct space *space, uint64_t gpa, uint64_t size, unsigned prot, enum alloc_policy policy)
{
	enum err err;

	space_begin(space);
	err = addr_space_map_alloc(&space->as, GPA(gpa), size, prot, policy);
	space_check(space);
	return err;
}

enum err space_unmap(struct space *space, uint64_t gpa, uint64_t size)
{
	enum err err;

	space_begin(space);
	err = addr_space_unmap(&space->as, GPA(gpa), size);
	space_check(space);
	return err;
}

enum err space_protect(struct space *space, uint64_t gpa, uint64_t size, unsigned prot)
{
	enum err err;

	space_begin(space);
	err = addr_space_protect(&space->as, GPA(gpa), size, prot);
	space_check(space);
	return err;
}

void space_clear(struct space *space)
{
	space_begin(space);
	addr_space_clear(&space->as);
	space_check(space);
}

enum err space_discard(struct space *space, uint64_t gpa, uint64_t size)
{
	enum err err;

	space_begin(space);
	err = addr_space_discard(&space->as, GPA(gpa), size);
	space_check(space);
	return err;
}

enum err space_set_policy(struct space *space, uint64_t gpa, uint64_t size, enum alloc_policy policy)
{
	enum err err;

	space_begin(space);
	err = addr_space_set_policy(&space->as, GPA(gpa), size, policy);
	space_check(space);
	return err;
}

uint64_t space_test_and_clear(struct space *space, enum npt_ad mark, uint64_t gpa, uint64_t size, bool split, uint64_t *bitmap)
{
	uint64_t pages;

	space_begin(space);
	if (mark == NPT_ACCESSED)
		CHECK_ERR(addr_space_scan_accessed(&space->as, GPA(gpa), size, bitmap, &pages), ERR_OK);
	else
		CHECK_ERR(addr_space_dirty_log(&space->as, GPA(gpa), size, split, bitmap, &pages), ERR_OK);
	space_check(space);
	return pages;
}

static enum err fork_by(enum err (*fork)(struct addr_space *parent, struct addr_space *child), struct space *parent,
			struct space **child)
{
	struct space *space = host_zeros(sizeof(*space));
	enum err err;

	assert_non_null(space);
	*space = (struct space){ .machine = parent->machine, .format = parent->format };
	space_begin(parent);
	err = fork(&parent->as, &space->as);
	*child = NULL;
	if (err != ERR_OK) {
		free(space);
	} else {
		watch(space);
		space->next = parent->machine->next;
		parent->machine->next = *child = space;
		space_begin(space);
	}
	space_check(parent);
	return err;
}

enum err space_fork(struct space *parent, struct space **child)
{
	return fork_by(addr_space_fork, parent, child);
}

enum err space_fork_begin(struct space *parent, struct space **child)
{
	return fork_by(addr_space_fork_begin, parent, child);
}

enum err space_fork_piece(struct space *parent, struct space *child, uint64_t *at, bool *more)
{
	gpa_t gpa = GPA(*at);
	enum err err;

	space_begin(parent);
	err = addr_space_fork_piece(&parent->as, &child->as, &gpa, more);
	*at = gpa.raw;
	space_check(parent);
	return err;
}

enum fault_outcome space_fault(struct space *space, uint64_t gpa, unsigned access)
{
	const struct npt_fault fault = {
		.gpa = GPA(gpa),
		.access = (uint8_t)access,
		.present = view_walk(&space->view, gpa, 0).status != ORACLE_NOT_PRESENT,
	};
	enum fault_outcome outcome;

	space_begin(space);
	outcome = addr_space_handle_fault(&space->as.view, &fault);
	space_check(space);
	return outcome;
}

uint8_t *space_byte(struct space *space, uint64_t gpa)
{
	struct oracle_walk walk = view_walk(&space->view, gpa, ORACLE_R);

	CHECK(walk.status == ORACLE_OK, "the guest cannot read %#jx: %d", (uintmax_t)gpa, (int)walk.status);
	return arena_at(&space->machine->ram.arena, walk.hpa);
}

bool space_allows(struct space *space, uint64_t gpa, unsigned access)
{
	return view_walk(&space->view, gpa, access).status == ORACLE_OK;
}

unsigned space_level(struct space *space, uint64_t gpa)
{
	struct oracle_walk walk = view_walk(&space->view, gpa, 0);

	CHECK(walk.status == ORACLE_OK, "nothing at %#jx", (uintmax_t)gpa);
	return walk.level;
}

bool space_is_zero(struct space *space, uint64_t gpa)
{
	struct oracle_walk walk = view_walk(&space->view, gpa, 0);

	return walk.status == ORACLE_OK && frame_is_zero_page(HPA(walk.hpa));
}

unsigned space_touch(struct space *space, uint64_t gpa, unsigned access)
{
	const struct npt_fault fault = { .gpa = GPA(gpa), .access = (uint8_t)access };
	unsigned faults = 0;

	for (; !space_allows(space, gpa, access); faults++) {
		enum fault_outcome outcome;

		space_begin(space);
		outcome = addr_space_handle_fault(&space->as.view, &fault);
		CHECK(outcome == FAULT_HANDLED && faults < 2, "%s at %#jx", fault_outcome_name(outcome), (uintmax_t)gpa);
	}
	view_touch(&space->view, gpa, access);
	return faults;
}

void space_store(struct space *space, uint64_t gpa, uint8_t value)
{
	space_touch(space, gpa, NPT_RW);
	*space_byte(space, gpa) = value;
}

uint8_t space_load(struct space *space, uint64_t gpa)
{
	space_touch(space, gpa, NPT_R);
	return *space_byte(space, gpa);
}

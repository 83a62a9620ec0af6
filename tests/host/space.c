/* SPDX-License-Identifier: BSD-2-Clause */
/* See tests/host/space.h. */
#include "tests/host/space.h"

#include <stdlib.h>
#include <string.h>

static uint64_t ram_load(void *memory, uint64_t hpa)
{
	struct space *space = memory;

	return __atomic_load_n((uint64_t *)arena_at(&space->ram.arena, hpa), __ATOMIC_RELAXED);
}

static void ram_set(void *memory, uint64_t hpa, uint64_t bits)
{
	struct space *space = memory;

	__atomic_fetch_or((uint64_t *)arena_at(&space->ram.arena, hpa), bits, __ATOMIC_RELAXED);
}

static unsigned on_flush(struct addr_space *as, gpa_t gpa, uint64_t size)
{
	struct space *space = CONTAINER_OF(as, struct space, as);

	if (space->free_before == UINT64_MAX)
		return 0; /* the end: no CPU runs on it any more */
	CHECK(as->lock.held, "a flush without the lock");
	CHECK(ram_free_bytes() <= space->free_before, "%ju bytes freed before the flush",
	      (uintmax_t)(ram_free_bytes() - space->free_before));
	space->flushes++;
	tlb_flush(&space->tlb, gpa.raw, size);
	return 1;
}

struct space *space_new(const struct format_case *format, uint64_t ram)
{
	struct space *space = calloc(1, sizeof(*space));

	assert_non_null(space);
	space->format = format;
	ram_open(&space->ram, SPACE_RAM_AT, ram, true);
	CHECK_ERR(addr_space_new(&space->as, format->ops, &format->config, on_flush), ERR_OK);
	space->view = (struct view){
		.oracle = format->oracle,
		.machine = format_machine(format),
		.npt = &space->as.npt,
	};
	space->view.machine.root = space->as.npt.root.raw;
	space->view.machine.load = ram_load;
	space->view.machine.set = ram_set;
	space->view.machine.memory = space;
	tlb_open(&space->tlb, &space->view, format->break_before_make);
	space->overhead = space->ram.usable - ram_free_bytes() - space->as.npt.table_bytes;
	space_begin(space);
	return space;
}

void space_free(struct space *space)
{
	space->free_before = UINT64_MAX;
	space->as.lock.held = false; /* a test that failed in a flush left it so */
	addr_space_free(&space->as);
	tlb_close(&space->tlb);
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

int space_suite(const char *name, const struct format_test *tests, size_t count)
{
	static const char *const chosen[] = { "ept4", "ept4-old", "amd4", "stage2-40", "sv39x4" };
	static struct suite suite;

	suite.count = 0;
	for (size_t t = 0; t < count; t++)
		for (size_t f = 0; f < format_count; f++)
			for (size_t c = 0; c < ARRAY_LEN(chosen); c++)
				if (strcmp(formats[f].name, chosen[c]) == 0)
					suite_add(&suite, tests[t].name, formats[f].name, tests[t].test, space_setup,
						  space_teardown, &formats[f]);
	return suite_run(&suite, name);
}

void space_begin(struct space *space)
{
	space->free_before = ram_free_bytes();
}

static uint64_t hogged(const struct space *space)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < space->ram.hog_count; i++)
		bytes += PAGE_SIZE << space->ram.hogs[i].order;
	return bytes;
}

void space_check(struct space *space)
{
	struct addr_space_stats stats = addr_space_get_stats(&space->as);
	uint64_t taken = space->ram.usable - ram_free_bytes() - hogged(space);

	CHECK(!space->as.lock.held, "the lock is still held");
	tlb_settle(&space->tlb);
	view_check(&space->view, &space->as.env);
	CHECK_EQ(taken, stats.resident + space->as.npt.table_bytes + space->overhead);
	CHECK(stats.resident_peak >= stats.resident, "peak %#jx", (uintmax_t)stats.resident_peak);
	CHECK_EQ(stats.flushes, space->flushes);
}

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

enum fault_outcome space_fault(struct space *space, uint64_t gpa, unsigned access)
{
	const struct npt_fault fault = {
		.gpa = GPA(gpa),
		.access = (uint8_t)access,
		.present = view_walk(&space->view, gpa, 0).status != ORACLE_NOT_PRESENT,
	};
	enum fault_outcome outcome;

	space_begin(space);
	outcome = addr_space_handle_fault(&space->as, &fault);
	space_check(space);
	return outcome;
}

uint8_t *space_byte(struct space *space, uint64_t gpa)
{
	struct oracle_walk walk = view_walk(&space->view, gpa, ORACLE_R);

	CHECK(walk.status == ORACLE_OK, "the guest cannot read %#jx: %d", (uintmax_t)gpa, (int)walk.status);
	return arena_at(&space->ram.arena, walk.hpa);
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

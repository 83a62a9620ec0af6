/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Spaces of one fork tree, each used by a thread of its own: they fault, discard, protect, fork and end beside each other, with
 * little host memory, and share tables and pages meanwhile. Each knows what it has to find in its memory. Built twice: with the
 * other host tests, and with the thread sanitizer, to which the guests' accesses are plain ones: two spaces that reach the same
 * frame, one of them to write, are a race.
 *
 * A space has a TLB that keeps whatever it has seen until a flush, as those of test_space_threads.c do.
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "mm/space.h"
#include "tests/host/formats.h"
#include "tests/host/ram.h"

#define THREADS   4
#define MEMBERS   10 /* spaces at a time */
#define RAM_AT    0x400000000
#define AREAS     4 /* by policy: 4k, 64k, 2m, auto */
#define AREA_SIZE MIB(4)
#define PAGES     (AREAS * AREA_SIZE / PAGE_SIZE)
#define WORDS     (PAGE_SIZE / sizeof(uint64_t))
#define TURN      60 /* operations, before another thread may have the space */

/* What a space's CPU has seen of a page. */
struct seen {
	uint64_t hpa; /* 0: nothing */
	unsigned prot;
	bool dirty;
};

/* A space, used by one thread at a time. */
struct member {
	struct addr_space as;
	struct oracle_machine hardware;
	struct host_rng rng;
	struct member *next; /* of those that wait for a thread, or are free */
	unsigned generation;
	uint64_t salt; /* of what it writes next */
	uint64_t truth[PAGES];
	struct seen tlb[PAGES];
};

static struct tree {
	const struct format_case *format;
	struct ram ram;
	struct addr_space_limit limit;
	pthread_mutex_t lock; /* of the lists and `live` */
	struct member members[MEMBERS], *ready, *unused;
	unsigned live;
	uint64_t salts, faults, forks, ends, refused; /* atomic */
	bool stop;
} * tree;

static uint64_t count(uint64_t *counter)
{
	return __atomic_add_fetch(counter, 1, __ATOMIC_RELAXED);
}

/* --- The hardware ------------------------------------------------------------------------------------------------------ */

static uint64_t load_entry(void *memory, uint64_t hpa)
{
	(void)memory;
	return __atomic_load_n((uint64_t *)arena_at(&tree->ram.arena, hpa), __ATOMIC_ACQUIRE);
}

static void set_bits(void *memory, uint64_t hpa, uint64_t bits)
{
	(void)memory;
	__atomic_fetch_or((uint64_t *)arena_at(&tree->ram.arena, hpa), bits, __ATOMIC_RELAXED);
}

static unsigned flush(struct addr_space *as, gpa_t gpa, uint64_t size)
{
	struct member *member = CONTAINER_OF(as, struct member, as);

	for (uint64_t page = 0; page < PAGES; page++)
		if (size == NPT_FLUSH_ALL || page * PAGE_SIZE - gpa.raw < size)
			member->tlb[page].hpa = 0;
	return 1;
}

/* The page, if the TLB or the tables let the guest access it; else NULL. */
static uint64_t *reach(struct member *member, uint64_t page, unsigned access)
{
	struct seen *seen = &member->tlb[page];
	struct oracle_walk walk;

	if (seen->hpa == 0 || (access & ~seen->prot) || (access & NPT_W && !seen->dirty)) {
		tree->format->oracle->walk(&member->hardware, page * PAGE_SIZE, access, true, &walk);
		if (walk.status != ORACLE_OK)
			return NULL;
		*seen = (struct seen){ align_down(walk.hpa, PAGE_SIZE), walk.prot, access & NPT_W };
	}
	return arena_at(&tree->ram.arena, seen->hpa);
}

/* The page, with the faults that it takes. NULL: no memory, or denied. */
static uint64_t *access_page(struct member *member, uint64_t page, uint8_t access)
{
	const struct npt_fault fault = { .gpa = GPA(page * PAGE_SIZE), .access = access };
	uint64_t *words;

	while (!(words = reach(member, page, access))) {
		enum fault_outcome outcome = addr_space_handle_fault(&member->as.view, &fault);

		count(&tree->faults);
		if (outcome == FAULT_SPURIOUS)
			member->tlb[page].hpa = 0;
		else if (outcome != FAULT_HANDLED)
			return NULL;
	}
	return words;
}

/* --- A guest ----------------------------------------------------------------------------------------------------------- */

static void expect(struct member *member, uint64_t page, const uint64_t *words)
{
	uint64_t want = member->truth[page];

	MUST(words[0] == want && words[WORDS / 2] == want && words[WORDS - 1] == want,
	     "page %#jx of generation %u holds %#jx, %#jx, %#jx, not %#jx", (uintmax_t)page, member->generation,
	     (uintmax_t)words[0], (uintmax_t)words[WORDS / 2], (uintmax_t)words[WORDS - 1], (uintmax_t)want);
}

static void load(struct member *member, uint64_t page)
{
	const uint64_t *words = access_page(member, page, NPT_R);

	if (words)
		expect(member, page, words);
}

static void store(struct member *member, uint64_t page)
{
	uint64_t *words = access_page(member, page, NPT_RW);

	if (!words) {
		count(&tree->refused);
		return;
	}
	expect(member, page, words);
	member->truth[page] = count(&tree->salts);
	words[0] = words[WORDS / 2] = words[WORDS - 1] = member->truth[page];
}

static uint64_t some_pages(struct member *member, uint64_t most, uint64_t *first)
{
	*first = host_below(&member->rng, PAGES);
	return 1 + host_below(&member->rng, min_u64(most, PAGES - *first));
}

static void store_some(struct member *member)
{
	uint64_t first, pages = some_pages(member, 12, &first);

	for (uint64_t i = 0; i < pages; i++)
		store(member, first + i);
}

static void load_some(struct member *member)
{
	uint64_t first, pages = some_pages(member, 12, &first);

	for (uint64_t i = 0; i < pages; i++)
		load(member, first + i);
}

static void discard_some(struct member *member)
{
	uint64_t first, pages = some_pages(member, host_chance(&member->rng, 20) ? PAGES : 64, &first);
	enum err err = addr_space_discard(&member->as, GPA(first * PAGE_SIZE), pages * PAGE_SIZE);

	MUST(err == ERR_OK || err == ERR_NO_MEMORY, "discard: %s", err_name(err));
	for (uint64_t i = 0; i < pages && err == ERR_OK; i++)
		member->truth[first + i] = 0;
	load(member, first);
}

static void protect_some(struct member *member)
{
	uint64_t first, pages = some_pages(member, 64, &first), size = pages * PAGE_SIZE;

	if (addr_space_protect(&member->as, GPA(first * PAGE_SIZE), size, NPT_R) == ERR_OK)
		MUST(!access_page(member, first, NPT_RW), "page %#jx can be written", (uintmax_t)first);
	/* Without memory some stay as they are, and stores to them are refused, until the next time. */
	(void)!addr_space_protect(&member->as, GPA(first * PAGE_SIZE), size, NPT_RW);
	load(member, first);
}

static void harvest_some(struct member *member)
{
	uint64_t first, bits[PAGES / 64], found, pages = some_pages(member, PAGES, &first);
	enum err err = addr_space_dirty_log(&member->as, GPA(first * PAGE_SIZE), pages * PAGE_SIZE, host_chance(&member->rng, 50),
					    bits, &found);

	MUST(err == ERR_OK || err == ERR_NO_MEMORY, "harvest: %s", err_name(err));
}

static void check_all(struct member *member)
{
	for (uint64_t page = 0; page < PAGES; page++)
		load(member, page);
}

/* --- The tree ---------------------------------------------------------------------------------------------------------- */

static struct member *take(struct member **list)
{
	struct member *member;

	pthread_mutex_lock(&tree->lock);
	member = *list;
	if (member)
		*list = member->next;
	pthread_mutex_unlock(&tree->lock);
	return member;
}

/* At the end of the list, so that all of them have their turn. */
static void put(struct member **list, struct member *member)
{
	pthread_mutex_lock(&tree->lock);
	while (*list)
		list = &(*list)->next;
	*list = member;
	member->next = NULL;
	pthread_mutex_unlock(&tree->lock);
}

static void begin(struct member *member, unsigned generation)
{
	member->hardware = format_machine(tree->format);
	member->hardware.root = member->as.npt.root.raw;
	member->hardware.load = load_entry;
	member->hardware.set = set_bits;
	member->generation = generation;
	memset(member->tlb, 0, sizeof(member->tlb));
	member->rng = (struct host_rng){ .state = count(&tree->salts) * 0x9e3779b97f4a7c15 };
}

static void fork_one(struct member *parent)
{
	struct member *child = take(&tree->unused);

	if (!child)
		return;
	if (addr_space_fork(&parent->as, &child->as) != ERR_OK) {
		put(&tree->unused, child);
		return;
	}
	memcpy(child->truth, parent->truth, sizeof(child->truth));
	begin(child, parent->generation + 1);
	count(&tree->forks);
	put(&tree->ready, child);
}

static void end(struct member *member)
{
	addr_space_free(&member->as);
	count(&tree->ends);
	put(&tree->unused, member);
}

static void step(struct member *member)
{
	uint64_t what = host_below(&member->rng, 100);

	if (what < 40)
		store_some(member);
	else if (what < 70)
		load_some(member);
	else if (what < 85)
		discard_some(member);
	else if (what < 88)
		protect_some(member);
	else if (what < 90)
		harvest_some(member);
	else if (what < 92)
		addr_space_zero_ahead(&member->as.view);
	else
		fork_one(member);
}

/* A turn of some space, until the run is over. The first one of the tree stays. */
static void *run_thread(void *unused)
{
	(void)unused;
	while (!__atomic_load_n(&tree->stop, __ATOMIC_RELAXED)) {
		struct member *member = take(&tree->ready);

		if (!member) {
			sched_yield();
			continue;
		}
		for (unsigned i = 0; i < TURN; i++)
			step(member);
		if (host_chance(&member->rng, 10))
			check_all(member);
		if (member->generation > 0 && host_chance(&member->rng, 40))
			end(member);
		else
			put(&tree->ready, member);
	}
	return NULL;
}

static void plant(const struct format_case *format, uint64_t memory, uint64_t limit)
{
	static const enum alloc_policy policies[AREAS] = { ALLOC_LAZY_4K, ALLOC_LAZY_64K, ALLOC_LAZY_2M, ALLOC_LAZY_AUTO };
	struct member *first;

	tree = host_zeros(sizeof(*tree));
	tree->format = format;
	tree->limit.max = limit;
	pthread_mutex_init(&tree->lock, NULL);
	ram_open(&tree->ram, RAM_AT, memory, true);
	for (unsigned i = 0; i < MEMBERS; i++)
		put(&tree->unused, &tree->members[i]);
	first = take(&tree->unused);
	CHECK_ERR(addr_space_new(&first->as, format->ops, &format->config, flush), ERR_OK);
	if (limit)
		CHECK_ERR(addr_space_set_limit(&first->as, &tree->limit), ERR_OK);
	for (unsigned i = 0; i < AREAS; i++)
		CHECK_ERR(addr_space_map_alloc(&first->as, GPA(i * AREA_SIZE), AREA_SIZE, NPT_RW, policies[i]), ERR_OK);
	begin(first, 0);
	put(&tree->ready, first);
}

/* All of it has come back. */
static void fell(void)
{
	struct member *member;

	while ((member = take(&tree->ready))) {
		check_all(member);
		end(member);
	}
	CHECK_EQ(tree->limit.used, 0);
	ram_close(&tree->ram);
	pthread_mutex_destroy(&tree->lock);
	free(tree);
}

static void run(unsigned milliseconds)
{
	pthread_t threads[THREADS];

	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, run_thread, NULL), 0);
	nanosleep(&(struct timespec){ .tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000 }, NULL);
	__atomic_store_n(&tree->stop, true, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	printf("%ju faults, %ju forks, %ju ends, %ju stores refused\n", (uintmax_t)tree->faults, (uintmax_t)tree->forks,
	       (uintmax_t)tree->ends, (uintmax_t)tree->refused);
	CHECK(tree->forks > 0, "nothing happened");
	fell();
}

/* NESTLING_TEST_STEPS is in milliseconds. */
static void a_tree_lives(void **state)
{
	plant(*state, MIB(96), 0);
	run(host_steps(800));
}

static void memory_is_short(void **state)
{
	plant(*state, MIB(10), 0);
	run(host_steps(800));
}

static void the_limit_is_near(void **state)
{
	plant(*state, MIB(96), MIB(12));
	run(host_steps(800));
}

int main(void)
{
	static const char *const chosen[] = { "amd4", "ept4-old", "stage2-40", "sv39x4" };
	static struct suite suite;

	for (size_t f = 0; f < format_count; f++)
		for (size_t c = 0; c < ARRAY_LEN(chosen); c++)
			if (strcmp(formats[f].name, chosen[c]) == 0) {
				suite_add(&suite, "a_tree_lives", chosen[c], a_tree_lives, NULL, NULL, &formats[f]);
				suite_add(&suite, "memory_is_short", chosen[c], memory_is_short, NULL, NULL, &formats[f]);
				suite_add(&suite, "the_limit_is_near", chosen[c], the_limit_is_near, NULL, NULL, &formats[f]);
			}
	return suite_run(&suite, "tree_threads");
}

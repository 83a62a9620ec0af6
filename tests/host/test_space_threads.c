/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Several vCPUs in one space, each a thread: they fault, discard, protect, fork, harvest and read the guest's memory against each
 * other, with little host memory, while every byte that is read is compared with what it must be. Built twice: with the other host
 * tests, and with the thread sanitizer.
 *
 * A vCPU has a TLB that keeps whatever it has seen until a flush reaches it, and uses that without looking at the tables. So memory
 * that was given to someone else before the flush is written and read by the wrong owner here, as on a machine.
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
#include "tests/host/view.h"

#define VCPUS       3
#define RAM_AT      0x400000000
#define RAM_SIZE    MIB(12)
#define AREAS       4 /* by policy: 4k, 64k, 2m, auto */
#define AREA_SIZE   MIB(4)
#define PAGES       (AREAS * AREA_SIZE / PAGE_SIZE)
#define GROUP_PAGES 32 /* consecutive pages that one vCPU owns: it writes to them, and gives them back */
#define TLB_ENTRIES 256

/* What a vCPU has seen of a page. */
struct seen {
	uint64_t page; /* its number + 1; 0: nothing */
	uint64_t hpa;
	unsigned prot;
	bool dirty;
};

struct vcpu {
	struct machine *machine;
	unsigned number;
	struct addr_space_view own, *view;
	struct spinlock lock; /* held during an access, and by whoever flushes: a flush ends when no access is going on */
	struct seen tlb[TLB_ENTRIES];
	struct host_rng rng;
	uint64_t faults, stores, refused; /* refused for lack of memory */
	pthread_t thread;
};

/* What the first word of a page holds: even `sequence`: just that. */
struct truth {
	uint64_t sequence, value;
};

struct machine {
	struct addr_space as;
	const struct format_case *format;
	struct ram ram;
	struct view view;
	struct vcpu vcpus[VCPUS];
	struct truth truth[PAGES];
	uint64_t forks, spins, failed; /* atomic */
	bool injects;                  /* allocations fail, although there is memory */
	bool stop;
};

static struct machine *machine; /* for the flush, which is told of spaces only */

static void count_spin(void)
{
	__atomic_fetch_add(&machine->spins, 1, __ATOMIC_RELAXED);
	sched_yield();
}

/* --- Allocations that fail --------------------------------------------------------------------------------------------- */

/* By thread: of the allocations that an operation makes, `from` and the next `count` fail. */
static _Thread_local struct {
	uint64_t made, from, count;
} injected;

/* For the next operation, by chance: one, several or all from one on, or none. */
static void inject(struct host_rng *rng)
{
	static const uint64_t counts[] = { 0, 0, 1, 1, 2, UINT64_MAX };

	injected.made = 0;
	injected.from = host_below(rng, host_chance(rng, 50) ? 2 : 12);
	injected.count = counts[host_below(rng, ARRAY_LEN(counts))];
}

static bool fails(void)
{
	bool fail = injected.made >= injected.from && injected.made - injected.from < injected.count;

	injected.made++;
	if (fail)
		__atomic_add_fetch(&machine->failed, 1, __ATOMIC_RELAXED);
	return fail;
}

enum err __real_frame_alloc_need(enum frame_need need, unsigned order, uint16_t owner, hpa_t *out);
enum err __wrap_frame_alloc_need(enum frame_need need, unsigned order, uint16_t owner, hpa_t *out);
enum err __wrap_frame_alloc_need(enum frame_need need, unsigned order, uint16_t owner, hpa_t *out)
{
	return fails() ? ERR_NO_MEMORY : __real_frame_alloc_need(need, order, owner, out);
}

enum err __real_frame_alloc_zeroed(unsigned order, hpa_t *out);
enum err __wrap_frame_alloc_zeroed(unsigned order, hpa_t *out);
enum err __wrap_frame_alloc_zeroed(unsigned order, hpa_t *out)
{
	return fails() ? ERR_NO_MEMORY : __real_frame_alloc_zeroed(order, out);
}

/* A run that is not renewed is an empty one. */
enum err __real_frame_run_renew(struct frame_run *run, uint16_t owner, unsigned least, uint64_t most);
enum err __wrap_frame_run_renew(struct frame_run *run, uint16_t owner, unsigned least, uint64_t most);
enum err __wrap_frame_run_renew(struct frame_run *run, uint16_t owner, unsigned least, uint64_t most)
{
	if (!fails())
		return __real_frame_run_renew(run, owner, least, most);
	frame_run_drop(run, owner);
	return ERR_NO_MEMORY;
}

/* --- The hardware ------------------------------------------------------------------------------------------------------ */

static uint64_t load_word(void *memory, uint64_t hpa)
{
	struct machine *m = memory;

	return __atomic_load_n((uint64_t *)arena_at(&m->ram.arena, hpa), __ATOMIC_ACQUIRE);
}

static void set_bits(void *memory, uint64_t hpa, uint64_t bits)
{
	struct machine *m = memory;

	__atomic_fetch_or((uint64_t *)arena_at(&m->ram.arena, hpa), bits, __ATOMIC_RELAXED);
}

/* Only the parent's vCPUs have TLBs; a child is used by the walks of one thread. */
static unsigned flush(struct addr_space *as, gpa_t gpa, uint64_t size)
{
	for (unsigned i = 0; as == &machine->as && i < VCPUS; i++) {
		struct vcpu *vcpu = &machine->vcpus[i];

		spin_lock(&vcpu->lock);
		for (unsigned e = 0; e < TLB_ENTRIES; e++) {
			uint64_t at = (vcpu->tlb[e].page - 1) * PAGE_SIZE;

			if (vcpu->tlb[e].page != 0 && (size == NPT_FLUSH_ALL || at - gpa.raw < size))
				vcpu->tlb[e].page = 0;
		}
		spin_unlock(&vcpu->lock);
	}
	return 1;
}

/* The word at the beginning of a page, if the TLB or the tables let the vCPU access it. */
static uint64_t *reach_word(struct vcpu *vcpu, uint64_t page, unsigned access)
{
	struct machine *m = vcpu->machine;
	struct seen *seen = &vcpu->tlb[page % TLB_ENTRIES];
	struct oracle_walk walk;

	if (seen->page != page + 1 || (access & ~seen->prot) || (access & NPT_W && !seen->dirty)) {
		m->view.oracle->walk(&m->view.machine, page * PAGE_SIZE, access, true, &walk);
		if (walk.status != ORACLE_OK)
			return NULL;
		*seen = (struct seen){ page + 1, align_down(walk.hpa, PAGE_SIZE), walk.prot, access & NPT_W };
	}
	return arena_at(&m->ram.arena, seen->hpa);
}

/* One access of the guest. False: it faults. */
static bool try_access(struct vcpu *vcpu, uint64_t page, bool write, uint64_t *value)
{
	uint64_t *word;

	spin_lock(&vcpu->lock);
	word = reach_word(vcpu, page, write ? NPT_RW : NPT_R);
	if (word && write)
		__atomic_store_n(word, *value, __ATOMIC_RELAXED);
	else if (word)
		*value = __atomic_load_n(word, __ATOMIC_ACQUIRE);
	spin_unlock(&vcpu->lock);
	return word;
}

/* An access with its faults. The outcome: handled, denied or no memory. */
static enum fault_outcome access_page(struct vcpu *vcpu, uint64_t page, bool write, uint64_t *value)
{
	const struct npt_fault fault = { .gpa = GPA(page * PAGE_SIZE), .access = write ? NPT_RW : NPT_R };

	while (!try_access(vcpu, page, write, value)) {
		enum fault_outcome outcome = addr_space_handle_fault(vcpu->view, &fault);

		vcpu->faults++;
		if (outcome == FAULT_SPURIOUS) {
			spin_lock(&vcpu->lock);
			vcpu->tlb[page % TLB_ENTRIES].page = 0;
			spin_unlock(&vcpu->lock);
		} else if (outcome != FAULT_HANDLED) {
			return outcome;
		}
	}
	return FAULT_HANDLED;
}

/* --- The guest --------------------------------------------------------------------------------------------------------- */

static unsigned owner_of(uint64_t page)
{
	return (unsigned)(page / GROUP_PAGES % VCPUS);
}

/* Some page; `own`: one that this vCPU owns. */
static uint64_t some_page(struct vcpu *vcpu, bool own)
{
	uint64_t page;

	do
		page = host_below(&vcpu->rng, PAGES);
	while (own && owner_of(page) != vcpu->number);
	return page;
}

static void begin_change(struct truth *truth)
{
	__atomic_store_n(&truth->sequence, truth->sequence + 1, __ATOMIC_SEQ_CST);
}

static void end_change(struct truth *truth, uint64_t value)
{
	__atomic_store_n(&truth->value, value, __ATOMIC_SEQ_CST);
	__atomic_store_n(&truth->sequence, truth->sequence + 1, __ATOMIC_SEQ_CST);
}

/* The page's number is in the value: what another page holds is never taken for it. */
static void store(struct vcpu *vcpu, uint64_t page)
{
	struct truth *truth = &vcpu->machine->truth[page];
	uint64_t value = page << 32 | (++vcpu->stores & UINT32_MAX);
	enum fault_outcome outcome;

	begin_change(truth);
	outcome = access_page(vcpu, page, true, &value);
	MUST(outcome == FAULT_HANDLED || outcome == FAULT_NO_MEMORY, "a store to page %#jx: %s", (uintmax_t)page,
	     fault_outcome_name(outcome));
	vcpu->refused += outcome == FAULT_NO_MEMORY;
	end_change(truth, outcome == FAULT_HANDLED ? value : truth->value);
}

/* Whoever owns the page: if nobody changed it meanwhile, it holds what was stored last. */
static void load(struct vcpu *vcpu, uint64_t page)
{
	struct truth *truth = &vcpu->machine->truth[page];
	uint64_t before = __atomic_load_n(&truth->sequence, __ATOMIC_SEQ_CST), want, value = 0;
	enum fault_outcome outcome;

	want = __atomic_load_n(&truth->value, __ATOMIC_SEQ_CST);
	outcome = access_page(vcpu, page, false, &value);
	if (outcome == FAULT_NO_MEMORY)
		return;
	MUST(outcome == FAULT_HANDLED, "a load from page %#jx: %s", (uintmax_t)page, fault_outcome_name(outcome));
	MUST(value == 0 || value >> 32 == page, "page %#jx holds %#jx of another page", (uintmax_t)page, (uintmax_t)value);
	if (before % 2 == 0 && __atomic_load_n(&truth->sequence, __ATOMIC_SEQ_CST) == before)
		MUST(value == want, "page %#jx holds %#jx, not %#jx", (uintmax_t)page, (uintmax_t)value, (uintmax_t)want);
}

/* --- The hypervisor on behalf of the guest -------------------------------------------------------------------------------- */

/* Some pages of a group that the vCPU owns. */
static uint64_t some_range(struct vcpu *vcpu, uint64_t *first)
{
	uint64_t group = align_down(some_page(vcpu, true), GROUP_PAGES), from = host_below(&vcpu->rng, GROUP_PAGES);

	*first = group + from;
	return 1 + host_below(&vcpu->rng, GROUP_PAGES - from);
}

static void discard(struct vcpu *vcpu)
{
	struct truth *truth = vcpu->machine->truth;
	uint64_t first, count = some_range(vcpu, &first);
	enum err err;

	for (uint64_t i = 0; i < count; i++)
		begin_change(&truth[first + i]);
	err = addr_space_discard(&vcpu->machine->as, GPA(first * PAGE_SIZE), count * PAGE_SIZE);
	MUST(err == ERR_OK || err == ERR_NO_MEMORY, "discard: %s", err_name(err));
	for (uint64_t i = 0; i < count; i++)
		end_change(&truth[first + i], err == ERR_OK ? 0 : truth[first + i].value);
	load(vcpu, first);
}

/* While the pages are read-only, a store is denied, by whatever TLB; afterwards it is not. */
static void protect(struct vcpu *vcpu)
{
	struct addr_space *as = &vcpu->machine->as;
	uint64_t first, count = some_range(vcpu, &first), value = 0;

	if (addr_space_protect(as, GPA(first * PAGE_SIZE), count * PAGE_SIZE, NPT_R) != ERR_OK)
		return;
	for (uint64_t i = 0; i < count; i++)
		MUST(access_page(vcpu, first + i, true, &value) == FAULT_DENIED, "page %#jx can be written",
		     (uintmax_t)(first + i));
	while (addr_space_protect(as, GPA(first * PAGE_SIZE), count * PAGE_SIZE, NPT_RW) != ERR_OK)
		sched_yield();
	store(vcpu, first);
}

/* An area and its tables, which come and go. */
static void map_and_unmap(struct vcpu *vcpu)
{
	struct addr_space *as = &vcpu->machine->as;
	uint64_t at = GIB(1) * (1 + vcpu->number) + host_below(&vcpu->rng, 8) * MIB(2), value = at + 1, found = 0;
	enum alloc_policy policy = host_chance(&vcpu->rng, 50) ? ALLOC_LAZY_4K : ALLOC_LAZY_64K;

	if (addr_space_map_alloc(as, GPA(at), MIB(2), NPT_RW, policy) != ERR_OK)
		return;
	if (addr_space_write(as, GPA(at + KIB(8)), &value, sizeof(value)) == ERR_OK &&
	    addr_space_read(as, GPA(at + KIB(8)), &found, sizeof(found)) == ERR_OK)
		MUST(found == value, "%#jx holds %#jx", (uintmax_t)at, (uintmax_t)found);
	while (addr_space_unmap(as, GPA(at), MIB(2)) != ERR_OK)
		sched_yield();
}

static void harvest(struct vcpu *vcpu)
{
	uint64_t first = host_below(&vcpu->rng, PAGES - 600), bitmap[10], pages;
	bool split = host_chance(&vcpu->rng, 30);
	enum err err;

	if (host_chance(&vcpu->rng, 50))
		err = addr_space_scan_accessed(&vcpu->machine->as, GPA(first * PAGE_SIZE), 600 * PAGE_SIZE, bitmap, &pages);
	else
		err = addr_space_dirty_log(&vcpu->machine->as, GPA(first * PAGE_SIZE), 600 * PAGE_SIZE, split, bitmap, &pages);
	MUST(err == ERR_OK || err == ERR_NO_MEMORY, "harvest: %s", err_name(err));
}

/* The hypervisor reads what the guest has written, and the other way round. */
static void copy(struct vcpu *vcpu)
{
	struct machine *m = vcpu->machine;
	uint64_t page = some_page(vcpu, true), value = page << 32 | (++vcpu->stores & UINT32_MAX), found = 0;

	begin_change(&m->truth[page]);
	if (addr_space_write(&m->as, GPA(page * PAGE_SIZE), &value, sizeof(value)) != ERR_OK)
		value = m->truth[page].value;
	end_change(&m->truth[page], value);
	load(vcpu, page);
	if (addr_space_read(&m->as, GPA(page * PAGE_SIZE), &found, sizeof(found)) == ERR_OK)
		MUST(found == value, "page %#jx is read as %#jx, not %#jx", (uintmax_t)page, (uintmax_t)found, (uintmax_t)value);
}

/* A child has what there was, keeps it while the parent goes on, and what it writes is its own. */
static void fork_and_look(struct vcpu *vcpu)
{
	/* One child at a time: memory is short. */
	static struct spinlock one = SPINLOCK(LOCK_REPORT);
	static struct addr_space child;
	uint64_t page = some_page(vcpu, false), seen[2] = { 0 }, mine = UINT64_MAX - page, back = 0;

	if (!spin_trylock(&one))
		return;
	if (addr_space_fork(&vcpu->machine->as, &child) != ERR_OK)
		goto out;
	__atomic_add_fetch(&vcpu->machine->forks, 1, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < 2; i++) {
		if (addr_space_read(&child, GPA(page * PAGE_SIZE), &seen[i], sizeof(seen[i])) != ERR_OK)
			goto free;
		store(vcpu, some_page(vcpu, true));
	}
	MUST(seen[0] == seen[1], "the child's page %#jx was %#jx, and is %#jx", (uintmax_t)page, (uintmax_t)seen[0],
	     (uintmax_t)seen[1]);
	MUST(seen[0] == 0 || seen[0] >> 32 == page, "the child's page %#jx holds %#jx", (uintmax_t)page, (uintmax_t)seen[0]);
	if (addr_space_write(&child, GPA(page * PAGE_SIZE), &mine, sizeof(mine)) == ERR_OK &&
	    addr_space_read(&child, GPA(page * PAGE_SIZE), &back, sizeof(back)) == ERR_OK)
		MUST(back == mine, "the child's page %#jx holds %#jx", (uintmax_t)page, (uintmax_t)back);
	load(vcpu, page);
free:
	addr_space_free(&child);
out:
	spin_unlock(&one);
}

static bool count_memory(const struct npt_leaf *leaf, void *context)
{
	uint64_t *bytes = context;

	if (!frame_is_zero_page(leaf->hpa))
		*bytes += npt_level_size(leaf->level);
	return true;
}

/* What report, trace and post-mortem ask while others change the space. */
static void ask(struct vcpu *vcpu)
{
	struct addr_space *as = &vcpu->machine->as;
	gpa_t gpa = GPA(some_page(vcpu, false) * PAGE_SIZE);
	uint64_t tables = addr_space_table_bytes(as), bytes = 0;
	struct npt_step steps[NPT_MAX_LEVELS];
	struct npt_leaf leaf;
	unsigned count = addr_space_explain(as, gpa, steps);

	for (unsigned i = 0; i < 100; i++) { /* so that it meets those who change it */
		tables = addr_space_table_bytes(as);
		if (i % 20 == 0)
			sched_yield();
	}
	MUST(tables >= PAGE_SIZE << as->npt.root_order && tables < RAM_SIZE, "%#jx bytes of tables", (uintmax_t)tables);
	MUST(count > 0 && count <= as->npt.config.levels && steps[count - 1].kind != NPT_MALFORMED, "a walk of %u steps", count);
	if (addr_space_query(as, gpa, &leaf) == ERR_OK)
		MUST(leaf.hpa.raw - RAM_AT < RAM_SIZE, "a leaf of %#jx", (uintmax_t)leaf.hpa.raw);
	MUST(addr_space_walk(as, GPA(0), as->npt.end, count_memory, &bytes) == ERR_OK && bytes <= RAM_SIZE, "%#jx bytes are mapped",
	     (uintmax_t)bytes);
}

/* --- The run ----------------------------------------------------------------------------------------------------------- */

static void *run_vcpu(void *context)
{
	struct vcpu *vcpu = context;
	struct machine *m = vcpu->machine;

	if (vcpu->number == 0)
		fork_and_look(vcpu); /* there may be too little memory later */
	while (!__atomic_load_n(&m->stop, __ATOMIC_RELAXED)) {
		uint64_t what = host_below(&vcpu->rng, 1000), first;

		if (m->injects)
			inject(&vcpu->rng);
		if (what < 450) { /* a few pages in a row, for the policies that look at neighbours */
			first = some_page(vcpu, true);
			for (unsigned i = 0; i < 8 && first + i < PAGES && owner_of(first + i) == vcpu->number; i++)
				store(vcpu, first + i);
		} else if (what < 900) {
			load(vcpu, some_page(vcpu, false));
		} else if (what < 960) {
			discard(vcpu);
		} else if (what < 965) {
			map_and_unmap(vcpu);
		} else if (what < 970) {
			protect(vcpu);
		} else if (what < 980) {
			copy(vcpu);
		} else if (what < 990) {
			harvest(vcpu);
		} else if (what < 995) {
			ask(vcpu);
		} else if (what < 998) {
			addr_space_zero_ahead(vcpu->view);
		} else {
			fork_and_look(vcpu);
		}
	}
	return NULL;
}

static struct machine *machine_new(const struct format_case *format)
{
	static const enum alloc_policy policies[AREAS] = { ALLOC_LAZY_4K, ALLOC_LAZY_64K, ALLOC_LAZY_2M, ALLOC_LAZY_AUTO };
	struct machine *m = host_zeros(sizeof(*m));

	machine = m;
	m->format = format;
	ram_open(&m->ram, RAM_AT, RAM_SIZE, true);
	CHECK_ERR(addr_space_new(&m->as, format->ops, &format->config, flush), ERR_OK);
	m->view = (struct view){ .oracle = format->oracle, .machine = format_machine(format), .npt = &m->as.npt };
	m->view.machine.root = m->as.npt.root.raw;
	m->view.machine.load = load_word;
	m->view.machine.set = set_bits;
	m->view.machine.memory = m;
	for (unsigned i = 0; i < AREAS; i++)
		CHECK_ERR(addr_space_map_alloc(&m->as, GPA(i * AREA_SIZE), AREA_SIZE, NPT_RW, policies[i]), ERR_OK);
	for (unsigned i = 0; i < VCPUS; i++) {
		struct vcpu *vcpu = &m->vcpus[i];

		vcpu->machine = m;
		spin_init(&vcpu->lock, LOCK_INNERMOST);
		vcpu->number = i;
		vcpu->rng = host_rng("vCPU", i + 1);
		vcpu->view = i == 0 ? &m->as.view : &vcpu->own;
		if (i > 0)
			CHECK_ERR(addr_space_add_view(&m->as, &vcpu->own), ERR_OK);
	}
	return m;
}

/* Every page holds what it must, and every count is what the tables say. */
static void check_machine(struct machine *m)
{
	struct addr_space_stats stats = addr_space_get_stats(&m->as);
	uint64_t bytes = 0, leaves[NPT_LEAF_LEVELS];

	addr_space_get_leaves(&m->as, leaves);
	view_check(&m->view, &m->as.env);
	CHECK_ERR(npt_walk(&m->as.npt, GPA(0), AREAS * AREA_SIZE, count_memory, &bytes), ERR_OK);
	CHECK_EQ(stats.resident + stats.shared, bytes);
	addr_space_release_held(&m->as);
	for (uint64_t page = 0; page < PAGES; page++) {
		struct oracle_walk walk = view_walk(&m->view, page * PAGE_SIZE, NPT_R);
		uint64_t value = walk.status == ORACLE_OK ? load_word(m, align_down(walk.hpa, PAGE_SIZE)) : 0;

		if (walk.status != ORACLE_NOT_PRESENT || m->format->config.hardware_ad)
			CHECK(value == m->truth[page].value, "page %#jx holds %#jx, not %#jx", (uintmax_t)page, (uintmax_t)value,
			      (uintmax_t)m->truth[page].value);
	}
}

static void machine_free(struct machine *m)
{
	for (unsigned i = VCPUS - 1; i > 0; i--)
		addr_space_remove_view(m->vcpus[i].view);
	check_machine(m);
	addr_space_free(&m->as);
	ram_close(&m->ram); /* every frame is free again */
	free(m);
}

/* Enough to say that they have met? */
static bool much_happened(const struct machine *m)
{
	return __atomic_load_n(&m->forks, __ATOMIC_RELAXED) > 0 &&
	       (!m->injects || __atomic_load_n(&m->failed, __ATOMIC_RELAXED) > 50);
}

/* Longer on a machine that is busy with other work. */
#define LONGEST 20000

static void run(struct machine *m, unsigned milliseconds)
{
	uint64_t faults = 0, refused = 0, stores = 0;

	spin_wait = count_spin;
	for (unsigned i = 0; i < VCPUS; i++)
		assert_int_equal(pthread_create(&m->vcpus[i].thread, NULL, run_vcpu, &m->vcpus[i]), 0);
	for (unsigned passed = 0; passed < milliseconds || (passed < LONGEST && !much_happened(m)); passed += 10)
		nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
	__atomic_store_n(&m->stop, true, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < VCPUS; i++) {
		pthread_join(m->vcpus[i].thread, NULL);
		faults += m->vcpus[i].faults;
		stores += m->vcpus[i].stores;
		refused += m->vcpus[i].refused;
	}
	spin_wait = NULL;
	check_machine(m);
	printf("%ju faults, %ju stores, %ju refused, %ju forks, %ju spins, %ju allocations failed\n", (uintmax_t)faults,
	       (uintmax_t)stores, (uintmax_t)refused, (uintmax_t)m->forks, (uintmax_t)m->spins, (uintmax_t)m->failed);
	CHECK(faults > 100 && much_happened(m), "nothing happened");
	machine_free(m);
}

/* NESTLING_TEST_STEPS is in milliseconds. */
static void vcpus_share_a_space(void **state)
{
	run(machine_new(*state), host_steps(800));
}

static void allocations_fail(void **state)
{
	struct machine *m = machine_new(*state);

	m->injects = true;
	run(m, host_steps(800));
}

int main(void)
{
	static const char *const chosen[] = { "ept4", "ept4-old", "stage2-40", "sv39x4" };
	static struct suite suite;

	for (size_t f = 0; f < format_count; f++)
		for (size_t c = 0; c < ARRAY_LEN(chosen); c++)
			if (strcmp(formats[f].name, chosen[c]) == 0) {
				suite_add(&suite, "vcpus_share_a_space", chosen[c], vcpus_share_a_space, NULL, NULL, &formats[f]);
				suite_add(&suite, "allocations_fail", chosen[c], allocations_fail, NULL, NULL, &formats[f]);
			}
	return suite_run(&suite, "space_threads");
}

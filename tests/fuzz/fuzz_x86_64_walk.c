/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * x86: a walk to a guest's code that is remembered, while the guest changes its tables and its code, and what is behind them goes,
 * comes anew, is shared by forks and copied. What is read by it is what a walk from the top finds. Input: bytes, from which all
 * this is drawn.
 */
#include "vmm/x86_64/guest_walk.c"

#include "tests/fuzz/fuzz.h"
#include "tests/host/space.h"

#define RAM    MIB(8)
#define PAGES  64 /* of the guest's, far enough apart to be in several tables of ours: tables of its own, and code */
#define STEPS  200
#define BLOCKS 4

const struct virt_ops *virt;

static const struct guest_paging paging = { .cr0 = CR0_PG | CR0_PE, .cr3 = 0, .cr4 = CR4_PAE, .efer = EFER_LMA | EFER_LME };

static uint64_t page_at(uint64_t number)
{
	return number % BLOCKS * MIB(2) + number / BLOCKS % 16 * PAGE_SIZE;
}

static const struct format_case *amd_format(void)
{
	for (size_t i = 0; i < format_count; i++)
		if (formats[i].ops == &npt_amd)
			return &formats[i];
	CHECK(false, "there is no such format");
	return NULL;
}

/* All the guest's tables are the first two entries of pages; an entry leads to one of its pages, or nowhere. */
static uint64_t any_entry(struct host_rng *rng)
{
	uint64_t flags = PTE_P | (host_below(rng, 8) ? 0 : PTE_PS) | host_below(rng, 2) << 5;

	return host_below(rng, 16) ? page_at(host_below(rng, PAGES)) | flags : 0;
}

static void store(struct space *s, uint64_t gpa, uint64_t value)
{
	enum err err;

	space_begin(s);
	err = addr_space_write(&s->as, GPA(gpa), &value, sizeof(value));
	CHECK(err == ERR_OK || err == ERR_DENIED, "error %d", (int)err);
}

static void change_memory(struct space *s, struct host_rng *rng)
{
	uint64_t page = page_at(host_below(rng, PAGES)), block = align_down(page, MIB(2));
	struct space *child;

	switch (host_below(rng, 6)) {
	case 0:
		CHECK_ERR(space_discard(s, page, PAGE_SIZE), ERR_OK);
		break;
	case 1:
		CHECK_ERR(space_discard(s, block, MIB(2)), ERR_OK);
		break;
	case 2:
		CHECK_ERR(space_unmap(s, block, MIB(2)), ERR_OK);
		CHECK_ERR(space_alloc(s, block, MIB(2), NPT_RWX, host_below(rng, 2) ? ALLOC_LAZY_4K : ALLOC_LAZY_2M), ERR_OK);
		break;
	case 3:
		if (space_fork(s, &child) == ERR_OK)
			space_end(child);
		break;
	case 4:
		CHECK_ERR(space_protect(s, page, PAGE_SIZE, host_below(rng, 2) ? NPT_R | NPT_X : NPT_RWX), ERR_OK);
		break;
	default:
		store(s, page + host_below(rng, 64) * 8, host_random(rng));
	}
}

/* Code whose walk ends somewhere: by two entries of each table. */
static uint64_t any_address(struct host_rng *rng)
{
	return host_below(rng, 2) << 39 | host_below(rng, 2) << 30 | host_below(rng, 2) << 21 | host_below(rng, 2) << 12 |
	       host_below(rng, 500) * 8;
}

/* A table of ours that is no longer where it was has been counted: what is remembered of it may not be read any more. */
static const uint64_t *tables[BLOCKS];
static uint64_t unlinked;

static void check_tables(const struct npt_walk_cache *cache)
{
	for (uint64_t i = 0; i < BLOCKS; i++) {
		const uint64_t *table = npt_walk_cache_lookup(cache, GPA(i * MIB(2)));

		CHECK(!tables[i] || table == tables[i] || cache->unlinked != unlinked, "a table has gone");
		tables[i] = table;
	}
	unlinked = cache->unlinked;
}

static void check(struct space *s, struct remembered_walk *walk, uint64_t at)
{
	struct code by_memory = { 0 }, by_walk;
	size_t count = peek_code(&s->as, &paging, at, &by_walk);

	if (!read_again(&s->as, walk, &paging, at, &by_memory))
		return;
	by_memory.words[1] &= BITS(55, 0);
	CHECK_EQ(count, CODE_MAX);
	CHECK(by_memory.words[0] == by_walk.words[0] && by_memory.words[1] == by_walk.words[1], "code of another time");
}

static void step(struct space *s, struct remembered_walk *walk, uint64_t *at, struct host_rng *rng)
{
	switch (host_below(rng, 4)) {
	case 0:
		change_memory(s, rng);
		break;
	case 1:
		store(s, (host_below(rng, 4) ? page_at(host_below(rng, PAGES)) : 0) + host_below(rng, 2) * 8, any_entry(rng));
		break;
	default:
		*at = any_address(rng);
		remember(&s->as, walk, &paging, *at);
	}
	check_tables(&s->as.view.cache);
	check(s, walk, *at);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct host_rng rng = host_rng_of_bytes(data, size);
	struct space *s = space_new(amd_format(), RAM);
	struct remembered_walk walk = { 0 };
	uint64_t at = 0;

	memset(tables, 0, sizeof(tables));
	for (uint64_t block = 0; block < BLOCKS; block++)
		CHECK_ERR(space_alloc(s, block * MIB(2), MIB(2), NPT_RWX, block < 3 ? ALLOC_LAZY_4K : ALLOC_LAZY_2M), ERR_OK);
	for (uint64_t i = 0; i < PAGES; i++)
		for (uint64_t entry = 0; entry < 2; entry++)
			store(s, page_at(i) + entry * 8, any_entry(&rng));
	for (unsigned i = 0; i < STEPS && !host_rng_spent(&rng); i++)
		step(s, &walk, &at, &rng);
	space_free(s);
	return 0;
}

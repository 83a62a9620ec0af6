/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a guest fetches is what the hypervisor has written: zeros, copies, the program. The CPU here has an instruction
 * side of its own, which remembers what was in each frame when it was last published, and rubbish at first, as of
 * whoever had the frame before.
 */
#include <string.h>

#include "tests/host/space.h"

static uint8_t fetched[SPACE_RAM_SIZE];
static unsigned publications, zeroings;

/* Where the instruction side has the byte that is at `bytes`. */
static uint8_t *fetched_at(const void *bytes)
{
	return fetched + ((uintptr_t)bytes - frame_phys_to_virt - SPACE_RAM_AT);
}

static void publish(void *bytes, uint64_t size)
{
	memcpy(fetched_at(bytes), bytes, size);
	publications++;
}

static void zero(void *pages, uint64_t size)
{
	memset(pages, 0, size);
	memcpy(fetched_at(pages), pages, size);
	zeroings++;
}

static struct space *start(void **state)
{
	struct space *s = *state;

	memset(fetched, 0xdb, sizeof(fetched));
	publications = zeroings = 0;
	s->as.publish = publish;
	s->as.zero = NULL;
	return s;
}

/* A guest that writes an instruction does what it takes to fetch it. */
static void store(struct space *s, uint64_t gpa, uint8_t value)
{
	space_store(s, gpa, value);
	*fetched_at(space_byte(s, gpa)) = value;
}

static void check_fetches(struct space *s, uint64_t start_gpa, uint64_t size)
{
	for (uint64_t at = start_gpa; at < start_gpa + size; at += PAGE_SIZE) {
		const uint8_t *page = space_byte(s, at);

		CHECK(memcmp(page, fetched_at(page), PAGE_SIZE) == 0, "%#jx fetches something else", (uintmax_t)at);
	}
}

static void touch_fresh_memory(struct space *s)
{
	for (unsigned policy = 0; policy < ALLOC_POLICIES; policy++) {
		uint64_t at = MIB(32) * (policy + 1);

		CHECK_ERR(space_alloc(s, at, MIB(2), NPT_RWX, (enum alloc_policy)policy), ERR_OK);
		CHECK_EQ(space_touch(s, at + KIB(64), NPT_X), policy != ALLOC_POPULATE);
		check_fetches(s, at + KIB(64), PAGE_SIZE);
		for (uint64_t page = at; page < at + KIB(256); page += PAGE_SIZE)
			space_touch(s, page, NPT_W);
		check_fetches(s, at, KIB(256));
		CHECK_ERR(space_unmap(s, at, MIB(2)), ERR_OK);
	}
}

static void fresh_memory(void **state)
{
	touch_fresh_memory(start(state));
	CHECK(publications > 0, "nothing is published");
}

/* Where what is cleared is published by clearing it, it is so once; and a child's is. */
static void memory_that_is_published_as_it_is_cleared(void **state)
{
	struct space *s = start(state), *child;

	s->as.zero = zero;
	touch_fresh_memory(s);
	CHECK(zeroings > 0, "nothing is cleared so");
	CHECK_EQ(publications, 2); /* of the zero pages, which are nobody's */
	CHECK_ERR(space_alloc(s, 0, MIB(1), NPT_RWX, ALLOC_LAZY_4K), ERR_OK);
	CHECK_ERR(space_fork(s, &child), ERR_OK);
	CHECK(child->as.zero == zero, "the child does without");
}

/* A frame that has held other instructions, and is zeroed for its next owner. */
static void a_frame_that_was_used_before(void **state)
{
	struct space *s = start(state);

	CHECK_ERR(space_alloc(s, 0, SPACE_RAM_SIZE, NPT_RWX, ALLOC_LAZY_4K), ERR_OK);
	space_leave(s, 32);
	for (unsigned round = 0; round < 8; round++) {
		for (uint64_t at = 0; at < KIB(64); at += PAGE_SIZE) {
			space_touch(s, at, NPT_W);
			check_fetches(s, at, PAGE_SIZE);
			store(s, at, 0x13);
		}
		CHECK_ERR(space_discard(s, 0, KIB(64)), ERR_OK);
	}
}

static void a_copy_on_write(void **state)
{
	struct space *s = start(state), *child;

	CHECK_ERR(space_alloc(s, 0, MIB(1), NPT_RWX, ALLOC_LAZY_4K), ERR_OK);
	store(s, KIB(4), 33);
	store(s, KIB(8), 34);
	CHECK_ERR(space_fork(s, &child), ERR_OK);
	CHECK(child->as.publish == publish, "the child does without");
	check_fetches(child, KIB(4), KIB(8));
	store(child, KIB(4) + 1, 44); /* a copy; beside what was written it has the parent's instructions */
	check_fetches(child, KIB(4), KIB(8));
	store(s, KIB(8) + 1, 45);
	store(s, KIB(4) + 1, 46); /* its own again */
	check_fetches(s, KIB(4), KIB(8));
}

/* Promotion: by copy, with holes and without, beside a large leaf, and in place. */
static void blocks_that_become_one_leaf(void **state)
{
	struct space *s = start(state);
	unsigned before;

	CHECK_ERR(space_alloc(s, 0, MIB(16), NPT_RWX, ALLOC_LAZY_AUTO), ERR_OK);
	for (uint64_t at = 0; at < MIB(2); at += 2 * PAGE_SIZE)
		store(s, at, (uint8_t)(at >> PAGE_SHIFT) | 1);
	CHECK_EQ(space_level(s, 0), 0);
	before = publications;
	for (uint64_t at = PAGE_SIZE; space_level(s, 0) == 0; at += 2 * PAGE_SIZE)
		store(s, at, (uint8_t)(at >> PAGE_SHIFT) | 1);
	CHECK(publications - before < 64, "%u publications, for one block", publications - before);
	check_fetches(s, 0, MIB(2));
	for (uint64_t at = MIB(2); at < MIB(6); at += PAGE_SIZE) {
		store(s, at, (uint8_t)(at >> PAGE_SHIFT) | 1);
		check_fetches(s, at, PAGE_SIZE);
	}
	CHECK_EQ(space_level(s, MIB(2)), 1);
	CHECK_EQ(space_level(s, MIB(4)), 1);
	check_fetches(s, 0, MIB(6));
}

static void what_the_hypervisor_writes(void **state)
{
	struct space *s = start(state);
	uint8_t program[3 * PAGE_SIZE];

	memset(program, 0x93, sizeof(program));
	CHECK_ERR(space_alloc(s, 0, MIB(1), NPT_RWX, ALLOC_LAZY_4K), ERR_OK);
	CHECK_ERR(addr_space_write(&s->as, GPA(KIB(4) + 100), program, sizeof(program)), ERR_OK);
	check_fetches(s, KIB(4), KIB(16));
	memset(program, 0x94, sizeof(program));
	CHECK_ERR(addr_space_write(&s->as, GPA(KIB(4) + 300), program, 5000), ERR_OK);
	check_fetches(s, KIB(4), KIB(16));
}

/* Faults that only take what is ready publish nothing: one publication for as many pages as are cleared at once. */
static void not_once_a_fault(void **state)
{
	struct space *s = start(state);

	CHECK_ERR(space_alloc(s, 0, MIB(1), NPT_RWX, ALLOC_LAZY_4K), ERR_OK);
	for (uint64_t at = 0; at < KIB(64); at += PAGE_SIZE) /* the first runs of frames are small */
		space_touch(s, at, NPT_W);
	publications = 0;
	for (uint64_t at = KIB(64); at < MIB(1); at += PAGE_SIZE)
		space_touch(s, at, NPT_W);
	CHECK(publications <= (MIB(1) - KIB(64)) / PAGE_SIZE / 16 + 1, "%u publications", publications);
	check_fetches(s, 0, MIB(1));
}

int main(void)
{
	static const struct format_test tests[] = {
		{ "fresh_memory", fresh_memory },
		{ "memory_that_is_published_as_it_is_cleared", memory_that_is_published_as_it_is_cleared },
		{ "a_frame_that_was_used_before", a_frame_that_was_used_before },
		{ "a_copy_on_write", a_copy_on_write },
		{ "blocks_that_become_one_leaf", blocks_that_become_one_leaf },
		{ "what_the_hypervisor_writes", what_the_hypervisor_writes },
		{ "not_once_a_fault", not_once_a_fault },
	};

	return space_suite("fetch", tests, ARRAY_LEN(tests));
}

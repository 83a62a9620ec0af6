/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest memory as the hypervisor reaches it: translate, how far that is good for, and copies across everything. */
#include "tests/host/space.h"

#include <string.h>

static void expect_limit(struct space *s, uint64_t gpa, uint64_t want, uint64_t hpa, uint64_t limit)
{
	hpa_t found, at;
	uint64_t got;

	CHECK_ERR(addr_space_translate_and_limit(&s->as, GPA(gpa), want, &found, &got), ERR_OK);
	CHECK(got == limit, "%#jx: limit %#jx, not %#jx", (uintmax_t)gpa, (uintmax_t)got, (uintmax_t)limit);
	CHECK_EQ(found.raw, hpa);
	CHECK_ERR(addr_space_translate(&s->as, GPA(gpa), &at), ERR_OK);
	CHECK_EQ(at.raw, hpa);
	CHECK(!s->as.view.lock.held, "the lock is still held");
}

static void expect_no_limit(struct space *s, uint64_t gpa, enum err err)
{
	hpa_t hpa;
	uint64_t limit;

	CHECK_ERR(addr_space_translate_and_limit(&s->as, GPA(gpa), KIB(8), &hpa, &limit), err);
	CHECK_ERR(addr_space_translate(&s->as, GPA(gpa), &hpa), err);
	CHECK(!s->as.view.lock.held, "the lock is still held");
}

static void limit_goes_on_across_leaves_and_areas(void **state)
{
	struct space *s = *state;
	const uint64_t far = GIB(100);

	/* Host-contiguous over three areas and leaves of two sizes, then a jump, then a hole. */
	CHECK_ERR(space_linear(s, MIB(2), MIB(102), MIB(4), NPT_RW), ERR_OK);
	CHECK_ERR(space_linear(s, MIB(6), MIB(106), KIB(8), NPT_R), ERR_OK);
	CHECK_ERR(space_linear(s, MIB(6) + KIB(8), MIB(106) + KIB(8), KIB(4), NPT_RX), ERR_OK);
	CHECK_ERR(space_linear(s, MIB(6) + KIB(12), MIB(300), KIB(4), NPT_RW), ERR_OK);
	expect_limit(s, MIB(2), far, MIB(102), MIB(4) + KIB(12));
	expect_limit(s, MIB(2) + 5, far, MIB(102) + 5, MIB(4) + KIB(12) - 5);
	expect_limit(s, MIB(6) - 1, far, MIB(106) - 1, KIB(12) + 1);
	expect_limit(s, MIB(6) + KIB(12) - 1, far, MIB(106) + KIB(12) - 1, 1);
	expect_limit(s, MIB(6) + KIB(12), far, MIB(300), KIB(4));
	expect_limit(s, MIB(6) + KIB(16) - 1, far, MIB(300) + KIB(4) - 1, 1);
	expect_no_limit(s, MIB(6) + KIB(16), ERR_NOT_FOUND);
	expect_no_limit(s, MIB(2) - 1, ERR_NOT_FOUND); /* what comes next does not count */
	expect_no_limit(s, 0, ERR_NOT_FOUND);
	/* Neighbours for the host, a hole between them for the guest. */
	CHECK_ERR(space_linear(s, GIB(2), MIB(400), KIB(4), NPT_RW), ERR_OK);
	CHECK_ERR(space_linear(s, GIB(2) + KIB(8), MIB(400) + KIB(4), KIB(4), NPT_RW), ERR_OK);
	expect_limit(s, GIB(2), far, MIB(400), KIB(4));
}

/* Whatever is asked for, and wherever in a table it begins, a limit is what leaf by leaf it comes to. */
static void limit_is_what_the_leaves_say(void **state)
{
	static const uint64_t wants[] = { 1, KIB(4) - 1, KIB(4), KIB(4) + 1, KIB(8), KIB(8) + 1, MIB(1), UINT64_MAX };
	struct space *s = *state;
	const uint64_t device = MIB(4) + KIB(64);
	const struct npt_attr uncached = { .prot = NPT_RW, .memtype = NPT_UC };
	struct npt_leaf leaf;

	/* Runs of 1, 2, 3, ... pages, one of them across the end of a table, one of a large leaf, one of a device's memory. */
	for (uint64_t at = MIB(4) - KIB(48), pages = 1; pages < 8; pages++) {
		CHECK_ERR(space_linear(s, at, MIB(100) * pages + at, pages * PAGE_SIZE, NPT_RW), ERR_OK);
		at += pages * PAGE_SIZE;
	}
	if (s->format->config.page_memtypes)
		CHECK_ERR(addr_space_map_linear(&s->as, GPA(device), HPA(MIB(64) + device), KIB(64), uncached), ERR_OK);
	CHECK_ERR(space_linear(s, device + KIB(64), MIB(64) + device + KIB(64), MIB(4), NPT_RW), ERR_OK);
	for (uint64_t gpa = MIB(4) - KIB(48); gpa < MIB(8); gpa += 1237) {
		uint64_t limit = 0, distance = 0;

		for (uint64_t at = gpa; npt_query(&s->as.npt, GPA(at), &leaf) == ERR_OK; at = gpa + limit) {
			if (limit == 0)
				distance = leaf.hpa.raw - leaf.gpa.raw;
			if (leaf.hpa.raw - leaf.gpa.raw != distance)
				break;
			limit = leaf.gpa.raw + npt_level_size(leaf.level) - gpa;
		}
		for (unsigned i = 0; i < ARRAY_LEN(wants) && limit > 0; i++)
			expect_limit(s, gpa, wants[i], gpa + distance, min_u64(wants[i], limit));
		if (limit == 0)
			expect_no_limit(s, gpa, ERR_NOT_FOUND);
	}
}

static void limit_is_clipped_by_what_is_wanted(void **state)
{
	struct space *s = *state;
	const uint64_t end = BIT(s->format->config.gpa_bits);

	CHECK_ERR(space_linear(s, MIB(2), 0, MIB(4), NPT_RW), ERR_OK);
	CHECK_ERR(space_linear(s, end - KIB(8), MIB(2), KIB(8), NPT_RW), ERR_OK);
	expect_limit(s, MIB(2), 1, 0, 1);
	expect_limit(s, MIB(2) + 1, KIB(4), 1, KIB(4));
	expect_limit(s, MIB(4) - 1, 2, MIB(2) - 1, 2);
	expect_limit(s, MIB(2), MIB(4), 0, MIB(4));
	expect_limit(s, MIB(2), UINT64_MAX, 0, MIB(4));
	expect_limit(s, MIB(2) + 7, UINT64_MAX, 7, MIB(4) - 7);
	expect_limit(s, end - KIB(8) + 3, UINT64_MAX, MIB(2) + 3, KIB(8) - 3);
	expect_limit(s, end - 1, UINT64_MAX, MIB(2) + KIB(8) - 1, 1);
	expect_no_limit(s, end, ERR_RANGE);
	expect_no_limit(s, UINT64_MAX, ERR_RANGE);
}

/* A lazy area is as long as it is backed, which the area's size does not tell. */
static void limit_ends_where_backing_ends(void **state)
{
	struct space *s = *state;
	uint64_t free;
	hpa_t hpa;
	uint64_t limit;

	CHECK_ERR(space_alloc(s, 0, MIB(8), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	expect_no_limit(s, 0, ERR_NOT_FOUND);
	CHECK_EQ(space_fault(s, KIB(4), NPT_W), FAULT_HANDLED);
	free = ram_free_bytes();
	expect_no_limit(s, 0, ERR_NOT_FOUND);
	CHECK_ERR(addr_space_translate_and_limit(&s->as, GPA(KIB(4) + 16), MIB(1), &hpa, &limit), ERR_OK);
	CHECK_EQ(limit, KIB(4) - 16);
	CHECK_EQ(ram_free_bytes(), free); /* asking backs nothing */
	/* Frames that happen not to be neighbours. */
	for (unsigned i = 2; i < 40; i++)
		CHECK_EQ(space_fault(s, KIB(4) * (41 - i), NPT_W), FAULT_HANDLED);
	for (uint64_t at = KIB(4); at < KIB(160); at += limit) {
		uint64_t first;

		CHECK_ERR(addr_space_translate_and_limit(&s->as, GPA(at), MIB(8), &hpa, &limit), ERR_OK);
		first = hpa.raw;
		for (uint64_t in = 0; in < limit; in += KIB(4))
			CHECK_EQ(view_walk(&s->view, at + in, 0).hpa, first + in);
		if (at + limit < KIB(160)) /* and not one page less than it could have been */
			CHECK(view_walk(&s->view, at + limit, 0).hpa != first + limit, "cut short at %#jx",
			      (uintmax_t)(at + limit));
	}
}

static void fill(uint8_t *bytes, uint64_t size, unsigned seed)
{
	for (uint64_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)(i * 31 + i / 256 + seed);
}

/* Ragged ranges, over pages, areas of each kind and leaves of both sizes. */
static void copies_cross_everything(void **state)
{
	struct space *s = *state;
	static uint8_t out[MIB(3)], in[MIB(3)];
	const struct {
		uint64_t gpa, size;
	} copies[] = {
		{ MIB(2) - 1, 2 },
		{ MIB(2) - KIB(4), KIB(4) },
		{ MIB(1) + 1, MIB(2) + KIB(7) },
		{ MIB(3) + 4095, 1 },
		{ MIB(4) - 3, KIB(64) },
		{ MIB(5) + KIB(4) - 9, KIB(8) + 18 },
		{ MIB(4) + 1234, MIB(1) + 98765 },
		{ MIB(6) - 1, 1 },
		{ MIB(2) + 7, 0 },
	};

	CHECK_ERR(space_alloc(s, MIB(1), MIB(1), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	CHECK_ERR(space_alloc(s, MIB(2), MIB(2), NPT_RWX, ALLOC_POPULATE), ERR_OK);
	CHECK_ERR(space_alloc(s, MIB(4), MIB(2), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	for (size_t i = 0; i < ARRAY_LEN(copies); i++) {
		fill(out, copies[i].size, (unsigned)i);
		memset(in, 0xee, sizeof(in));
		CHECK_ERR(addr_space_write(&s->as, GPA(copies[i].gpa), out, copies[i].size), ERR_OK);
		CHECK_ERR(addr_space_read(&s->as, GPA(copies[i].gpa), in, copies[i].size), ERR_OK);
		CHECK(memcmp(in, out, copies[i].size) == 0, "copy %zu", i);
		CHECK_EQ(in[copies[i].size], 0xee);
		/* It is where the guest will find it. */
		for (uint64_t at = 0; at < copies[i].size; at += 509)
			CHECK_EQ(*space_byte(s, copies[i].gpa + at), out[at]);
		space_check(s);
	}
}

static void reading_untouched_memory_gives_zeros(void **state)
{
	struct space *s = *state;
	uint8_t bytes[KIB(12)], zeros[KIB(12)] = { 0 };
	struct addr_space_stats stats;

	CHECK_ERR(space_alloc(s, 0, MIB(1), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	memset(bytes, 1, sizeof(bytes));
	CHECK_ERR(addr_space_read(&s->as, GPA(KIB(2)), bytes, sizeof(bytes)), ERR_OK);
	CHECK(memcmp(bytes, zeros, sizeof(bytes)) == 0, "not zero");
	stats = addr_space_get_stats(&s->as);
	CHECK_EQ(stats.faults[FAULT_HANDLED], 4);
	CHECK_EQ(stats.faults_by_host, 4);
	CHECK_EQ(stats.resident, 0);
	CHECK_EQ(stats.zero_leaves[0], 4);
	/* Memory comes with the first write; what is there by then raises no fault. */
	for (unsigned round = 0; round < 2; round++) {
		CHECK_ERR(addr_space_write(&s->as, GPA(KIB(2)), zeros, sizeof(zeros)), ERR_OK);
		stats = addr_space_get_stats(&s->as);
		CHECK_EQ(stats.faults_by_host, 8);
		CHECK_EQ(stats.resident, KIB(16));
		CHECK_EQ(stats.handled_unzero, 4);
	}
	space_check(s);
}

/* The guest's permissions hold for whoever acts on its behalf; what came before the bad page is done. */
static void permissions_are_obeyed(void **state)
{
	struct space *s = *state;
	uint8_t bytes[KIB(12)], back[KIB(4)];

	CHECK_ERR(space_alloc(s, 0, KIB(4), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	CHECK_ERR(space_alloc(s, KIB(4), KIB(4), NPT_R, ALLOC_LAZY_4K), ERR_OK);
	CHECK_ERR(space_alloc(s, KIB(8), KIB(4), NPT_RX, ALLOC_POPULATE), ERR_OK);
	fill(bytes, sizeof(bytes), 3);
	CHECK_ERR(addr_space_write(&s->as, GPA(KIB(4)), bytes, 1), ERR_DENIED);
	CHECK_ERR(addr_space_write(&s->as, GPA(KIB(8)), bytes, 1), ERR_DENIED);
	CHECK_ERR(addr_space_write(&s->as, GPA(0), bytes, KIB(5)), ERR_DENIED);
	CHECK_ERR(addr_space_read(&s->as, GPA(0), back, KIB(4)), ERR_OK);
	CHECK(memcmp(back, bytes, KIB(4)) == 0, "the first page was not written");
	CHECK_ERR(addr_space_read(&s->as, GPA(0), bytes, KIB(12)), ERR_OK);
	for (unsigned i = KIB(4); i < KIB(12); i++)
		CHECK_EQ(bytes[i], 0);
	if (s->format->exec_only) {
		CHECK_ERR(space_alloc(s, KIB(12), KIB(4), NPT_X, ALLOC_POPULATE), ERR_OK);
		CHECK_ERR(addr_space_read(&s->as, GPA(KIB(12)), bytes, 1), ERR_DENIED);
	}
}

static void holes_end_a_copy(void **state)
{
	struct space *s = *state;
	const uint64_t end = BIT(s->format->config.gpa_bits);
	uint8_t bytes[KIB(8)] = { 5 };

	CHECK_ERR(space_alloc(s, MIB(2), KIB(4), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	CHECK_ERR(space_alloc(s, end - KIB(4), KIB(4), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	CHECK_ERR(addr_space_read(&s->as, GPA(0), bytes, 1), ERR_NOT_FOUND);
	CHECK_ERR(addr_space_write(&s->as, GPA(MIB(2) - 1), bytes, 2), ERR_NOT_FOUND);
	CHECK_EQ(addr_space_get_stats(&s->as).resident, 0);
	CHECK_ERR(addr_space_write(&s->as, GPA(MIB(2)), bytes, KIB(4) + 1), ERR_NOT_FOUND);
	CHECK_EQ(*space_byte(s, MIB(2)), 5);
	/* The end of the space, and of all addresses. */
	CHECK_ERR(addr_space_write(&s->as, GPA(end - 4), bytes, 4), ERR_OK);
	CHECK_ERR(addr_space_write(&s->as, GPA(end - 4), bytes, 5), ERR_NOT_FOUND);
	CHECK_ERR(addr_space_read(&s->as, GPA(end), bytes, 1), ERR_NOT_FOUND);
	CHECK_ERR(addr_space_read(&s->as, GPA(UINT64_MAX), bytes, 1), ERR_NOT_FOUND);
	CHECK_ERR(addr_space_read(&s->as, GPA(UINT64_MAX - 3), bytes, 8), ERR_NOT_FOUND);
	space_check(s);
}

/* What a device has there is for the guest alone: the hypervisor's own map may not have it. */
static void devices_are_not_accessed(void **state)
{
	struct space *s = *state;
	const struct npt_attr uncached = { .prot = NPT_RW, .memtype = NPT_UC };
	uint8_t bytes[8] = { 5 };
	uint16_t word;

	if (!s->format->config.page_memtypes)
		return;
	CHECK_ERR(space_alloc(s, MIB(2), KIB(4), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	CHECK_ERR(addr_space_map_linear(&s->as, GPA(MIB(2) + KIB(4)), HPA(GIB(40)), KIB(4), uncached), ERR_OK);
	CHECK_ERR(addr_space_read(&s->as, GPA(MIB(2) + KIB(4)), bytes, 1), ERR_DENIED);
	CHECK_ERR(addr_space_write(&s->as, GPA(MIB(2) + KIB(8) - 1), bytes, 1), ERR_DENIED);
	CHECK_ERR(addr_space_write(&s->as, GPA(MIB(2) + KIB(4) - 4), bytes, 8), ERR_DENIED);
	CHECK_ERR(addr_space_load16(&s->as, GPA(MIB(2) + KIB(4)), &word), ERR_DENIED);
	CHECK_ERR(addr_space_copy(&s->as, GPA(MIB(2)), GPA(MIB(2) + KIB(4)), KIB(4)), ERR_DENIED);
	CHECK_ERR(addr_space_copy(&s->as, GPA(MIB(2) + KIB(4)), GPA(MIB(2)), 16), ERR_DENIED);
}

static void copies_meet_the_end_of_memory(void **state)
{
	struct space *s = *state;
	uint8_t bytes[KIB(12)];

	CHECK_ERR(space_alloc(s, 0, MIB(1), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	fill(bytes, sizeof(bytes), 1);
	space_leave(s, s->format->config.levels + 1u); /* two pages and the tables for them */
	CHECK_ERR(addr_space_write(&s->as, GPA(0), bytes, KIB(12)), ERR_NO_MEMORY);
	CHECK_EQ(addr_space_get_stats(&s->as).resident, KIB(8));
	CHECK_EQ(*space_byte(s, KIB(8) - 1), bytes[KIB(8) - 1]);
	ram_release(&s->ram);
	CHECK_ERR(addr_space_write(&s->as, GPA(0), bytes, KIB(12)), ERR_OK);
}

struct pieces {
	struct space *space;
	const uint8_t *all; /* what there is from 100 on */
	uint64_t bytes, stop_after;
	unsigned count;
};

static bool note_piece(const void *bytes, uint64_t size, void *context)
{
	const uint8_t *piece = bytes;
	struct pieces *pieces = context;

	CHECK(!pieces->space->as.view.lock.held, "a callback under the lock");
	CHECK(size > 0 && size <= ADDR_SPACE_CHUNK, "a piece of %ju bytes", (uintmax_t)size);
	for (uint64_t i = 0; i < size; i++)
		CHECK(piece[i] == (uint8_t)(pieces->bytes + i), "out of order at %#jx", (uintmax_t)(pieces->bytes + i));
	/* Another vCPU gives the memory back: the piece is a copy. */
	CHECK_ERR(addr_space_discard(&pieces->space->as, GPA(0), MIB(1)), ERR_OK);
	CHECK(piece[size - 1] == (uint8_t)(pieces->bytes + size - 1), "the guest's own memory was handed out");
	CHECK_ERR(addr_space_write(&pieces->space->as, GPA(100), pieces->all, KIB(12)), ERR_OK);
	pieces->count++;
	pieces->bytes += size;
	return pieces->bytes < pieces->stop_after;
}

static void iter_bytes_gives_every_piece_in_order(void **state)
{
	struct space *s = *state;
	static uint8_t all[KIB(12)];
	struct pieces pieces = { .space = s, .stop_after = UINT64_MAX, .all = all };

	for (unsigned i = 0; i < sizeof(all); i++)
		all[i] = (uint8_t)i;
	CHECK_ERR(space_alloc(s, 0, MIB(1), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	space_begin(s);
	s->free_before = UINT64_MAX - 1; /* this discards in between */
	CHECK_ERR(addr_space_write(&s->as, GPA(100), all, sizeof(all)), ERR_OK);
	CHECK_ERR(addr_space_iter_bytes(&s->as, GPA(100), KIB(12), note_piece, &pieces), ERR_OK);
	CHECK_EQ(pieces.bytes, KIB(12));
	/* Stopped early: no error. */
	pieces = (struct pieces){ .space = s, .stop_after = 1, .all = all };
	CHECK_ERR(addr_space_iter_bytes(&s->as, GPA(100), KIB(12), note_piece, &pieces), ERR_OK);
	CHECK_EQ(pieces.count, 1);
	pieces.count = 0;
	CHECK_ERR(addr_space_iter_bytes(&s->as, GPA(MIB(1)), 1, note_piece, &pieces), ERR_NOT_FOUND);
	CHECK_ERR(addr_space_iter_bytes(&s->as, GPA(0), 0, note_piece, &pieces), ERR_OK);
	CHECK_EQ(pieces.count, 0);
	space_begin(s);
	space_check(s);
}

/* Nothing beyond the range, and with the permission that was asked for. */
static void memory_is_faulted_in(void **state)
{
	struct space *s = *state;

	CHECK_ERR(space_alloc(s, 0, MIB(1), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	CHECK_ERR(addr_space_fault_in(&s->as, GPA(KIB(4) + 1), KIB(8), NPT_RW), ERR_OK);
	CHECK(!space_allows(s, 0, 0) && !space_allows(s, KIB(16), 0), "faulted in for nothing");
	CHECK(space_allows(s, KIB(4), NPT_RW) && space_allows(s, KIB(12), NPT_RW), "not faulted in");
	CHECK_ERR(addr_space_fault_in(&s->as, GPA(MIB(1) - 1), 2, NPT_R), ERR_NOT_FOUND);
	space_check(s);
}

/* What sync and publish were told, and what the memory was like then. */
static struct {
	struct space *space;
	uint64_t gpa; /* where the memory will be, or is */
	struct {
		uint8_t *bytes, first;
		uint64_t size;
		bool mapped;
	} calls[16];
	unsigned count;
} synced;

static void note_sync(void *bytes, uint64_t size)
{
	unsigned i = synced.count++;

	CHECK(i < ARRAY_LEN(synced.calls), "too many calls");
	synced.calls[i].bytes = bytes;
	synced.calls[i].first = *(uint8_t *)bytes;
	synced.calls[i].size = size;
	synced.calls[i].mapped = space_allows(synced.space, synced.gpa, 0);
}

static void watch_sync(struct space *s, uint64_t gpa)
{
	memset(&synced, 0, sizeof(synced));
	synced.space = s;
	synced.gpa = gpa;
	s->as.sync = s->as.publish = note_sync;
}

/* Has all that the page at `gpa` maps been synced? */
static bool is_synced(struct space *s, uint64_t gpa)
{
	const uint8_t *page = space_byte(s, gpa);

	for (unsigned i = 0; i < synced.count; i++) {
		const uint8_t *start = synced.calls[i].bytes;

		if (page >= start && page + PAGE_SIZE <= start + synced.calls[i].size)
			return true;
	}
	return false;
}

/* Memory goes past the caches zeroed and before the guest has it. */
static void new_memory_is_synced_before_it_is_mapped(void **state)
{
	struct space *s = *state;

	CHECK_ERR(space_alloc(s, 0, MIB(1), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	watch_sync(s, KIB(64));
	for (uint64_t at = KIB(64); at < KIB(256); at += PAGE_SIZE) {
		CHECK_EQ(space_fault(s, at, NPT_W), FAULT_HANDLED);
		CHECK(is_synced(s, at), "%#jx is not", (uintmax_t)at);
	}
	CHECK(!synced.calls[0].mapped, "the guest has it already");
	watch_sync(s, KIB(4));
	CHECK_EQ(space_fault(s, KIB(4), NPT_R), FAULT_HANDLED);
	CHECK_EQ(synced.count, 1);
	CHECK(synced.calls[0].bytes == space_byte(s, KIB(4)), "another frame");
	CHECK_EQ(synced.calls[0].size, PAGE_SIZE);
	CHECK_EQ(synced.calls[0].first, 0);
	CHECK(!synced.calls[0].mapped, "the guest has it already");
	CHECK_EQ(space_fault(s, KIB(4), NPT_R), FAULT_SPURIOUS);
	CHECK_EQ(synced.count, 1);
	addr_space_release_held(&s->as); /* some of that has been synced before */
	watch_sync(s, MIB(2));
	CHECK_ERR(space_alloc(s, MIB(2), MIB(2) + KIB(12), NPT_RW, ALLOC_POPULATE), ERR_OK);
	for (uint64_t at = MIB(2); at < MIB(4) + KIB(12); at += PAGE_SIZE)
		CHECK(is_synced(s, at), "%#jx is not", (uintmax_t)at);
	CHECK(!synced.calls[0].mapped, "the guest has it already");
	/* A device's memory is nobody's to clean. */
	watch_sync(s, GIB(1));
	CHECK_ERR(space_linear(s, GIB(1), 0, MIB(2), NPT_RW), ERR_OK);
	CHECK_EQ(synced.count, 0);
	s->as.sync = s->as.publish = NULL;
}

static void accesses_are_synced_on_both_sides(void **state)
{
	struct space *s = *state;
	uint8_t bytes[64] = { 9 };

	CHECK_ERR(space_alloc(s, 0, MIB(2), NPT_RW, ALLOC_POPULATE), ERR_OK);
	watch_sync(s, 100);
	CHECK_ERR(addr_space_write(&s->as, GPA(100), bytes, sizeof(bytes)), ERR_OK);
	CHECK_EQ(synced.count, 2);
	for (unsigned i = 0; i < 2; i++) {
		CHECK(synced.calls[i].bytes == space_byte(s, 100), "another place");
		CHECK_EQ(synced.calls[i].size, sizeof(bytes));
		CHECK_EQ(synced.calls[i].first, i ? 9 : 0); /* before, and after */
	}
	for (unsigned i = 0; i < 3; i++) { /* the page is known by then */
		watch_sync(s, 100);
		CHECK_ERR(addr_space_read(&s->as, GPA(100), bytes, sizeof(bytes)), ERR_OK);
		CHECK_EQ(synced.count, 1);
		CHECK(synced.calls[0].bytes == space_byte(s, 100), "another place");
		CHECK_EQ(synced.calls[0].size, sizeof(bytes));
	}
	for (unsigned i = 0; i < 3; i++) {
		watch_sync(s, 100);
		CHECK_ERR(addr_space_write(&s->as, GPA(100), bytes, sizeof(bytes)), ERR_OK);
		CHECK_EQ(synced.count, 2);
		CHECK(synced.calls[1].bytes == space_byte(s, 100), "another place");
	}
	s->as.sync = s->as.publish = NULL;
}

/* A copy is of what the guest sees past the caches, and is there before the guest has it. */
static void copies_on_write_are_synced(void **state)
{
	struct space *s = *state, *child;
	uint8_t *old;

	CHECK_ERR(space_alloc(s, 0, MIB(1), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	space_store(s, KIB(4), 33);
	watch_sync(s, KIB(4));
	CHECK_ERR(space_fork(s, &child), ERR_OK);
	CHECK(child->as.sync == note_sync && child->as.publish == note_sync,
	      "a child of a guest that goes past the caches does so too");
	watch_sync(child, KIB(4));
	old = space_byte(child, KIB(4));
	CHECK_EQ(space_fault(child, KIB(4), NPT_W), FAULT_HANDLED);
	CHECK_EQ(synced.count, 2);
	CHECK(synced.calls[0].bytes == old && synced.calls[1].bytes == space_byte(child, KIB(4)), "other pages");
	for (unsigned i = 0; i < 2; i++) {
		CHECK_EQ(synced.calls[i].size, PAGE_SIZE);
		CHECK_EQ(synced.calls[i].first, 33);
	}
	/* Zeros too, once, wherever they are shown. */
	CHECK_ERR(space_alloc(child, GIB(1), MIB(1), NPT_RW, ALLOC_LAZY_64K), ERR_OK);
	watch_sync(child, KIB(8));
	CHECK_EQ(space_fault(child, KIB(8), NPT_R), FAULT_HANDLED);
	CHECK_EQ(space_fault(child, KIB(12), NPT_R), FAULT_HANDLED);
	CHECK_EQ(space_fault(child, GIB(1), NPT_R), FAULT_HANDLED);
	CHECK_EQ(synced.count, 1);
	CHECK(synced.calls[0].bytes == space_byte(child, KIB(8)), "another page");
	CHECK(!synced.calls[0].mapped, "the guest has it already");
	s->as.sync = s->as.publish = child->as.sync = child->as.publish = NULL;
}

/* A write over what is shared is of what the guest has put past the caches, and is there before the guest has it. */
static void overwritten_pages_are_synced(void **state)
{
	struct space *s = *state, *child;
	uint8_t *from, byte;

	CHECK_ERR(space_alloc(s, 0, MIB(1), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	for (unsigned i = 0; i < 3; i++)
		space_store(s, KIB(4) * i, (uint8_t)(30 + i));
	watch_sync(s, 0);
	CHECK_ERR(space_fork(s, &child), ERR_OK);
	watch_sync(child, 0);
	for (unsigned i = 0; i < 2; i++) { /* so that it is known what such pages look like */
		space_store(child, 0, 30);
		CHECK_ERR(addr_space_read(&child->as, GPA(0), &byte, 1), ERR_OK);
	}
	watch_sync(child, KIB(4));
	from = space_byte(child, 0);
	CHECK_ERR(addr_space_store(&child->as, GPA(KIB(4)), GPA(0), PAGE_SIZE), ERR_OK);
	CHECK_EQ(space_stats(child).handled_copy, 1);
	CHECK_EQ(synced.count, 2);
	CHECK(synced.calls[0].bytes == from && synced.calls[1].bytes == space_byte(child, KIB(4)), "other pages");
	CHECK(synced.calls[0].size == PAGE_SIZE && synced.calls[1].size == PAGE_SIZE, "not all of them");
	CHECK_EQ(synced.calls[1].first, 30);
	s->as.sync = s->as.publish = child->as.sync = child->as.publish = NULL;
}

static uint8_t read_byte(struct space *s, uint64_t gpa)
{
	uint8_t byte = 0xee;

	CHECK_ERR(addr_space_read(&s->as, GPA(gpa), &byte, 1), ERR_OK);
	return byte;
}

/* Several times, so that all that is kept in mind of the page is. */
static void write_byte(struct space *s, uint64_t gpa, uint8_t byte)
{
	for (unsigned i = 0; i < 3; i++)
		CHECK_ERR(addr_space_write(&s->as, GPA(gpa), &byte, 1), ERR_OK);
	CHECK_EQ(read_byte(s, gpa), byte);
	CHECK_EQ(*space_byte(s, gpa), byte);
}

/* What is kept in mind of pages and large leaves does not outlive them. */
static void accesses_see_what_has_changed(void **state)
{
	static const enum alloc_policy policies[] = { ALLOC_LAZY_4K, ALLOC_POPULATE };
	struct space *s = *state, *child;
	const uint64_t at = MIB(2) + KIB(12) + 5;
	uint8_t byte = 9;

	for (unsigned i = 0; i < ARRAY_LEN(policies); i++) {
		CHECK_ERR(space_alloc(s, MIB(2), MIB(2), NPT_RW, policies[i]), ERR_OK);
		write_byte(s, at, 1);
		CHECK_ERR(space_fork(s, &child), ERR_OK);
		write_byte(s, at, 2);
		CHECK_EQ(read_byte(child, at), 1);
		write_byte(child, at, 3);
		CHECK_EQ(read_byte(s, at), 2);
		space_end(child);
		CHECK_ERR(space_protect(s, MIB(2), MIB(2), NPT_R), ERR_OK);
		CHECK_ERR(addr_space_write(&s->as, GPA(at), &byte, 1), ERR_DENIED);
		CHECK_EQ(read_byte(s, at), 2);
		CHECK_ERR(space_protect(s, MIB(2), MIB(2), NPT_RW), ERR_OK);
		write_byte(s, at, 4);
		CHECK_ERR(space_discard(s, MIB(2), MIB(2)), ERR_OK);
		CHECK_EQ(read_byte(s, at), 0);
		write_byte(s, at, 5);
		CHECK_ERR(space_unmap(s, MIB(2), MIB(2)), ERR_OK);
		CHECK_ERR(addr_space_read(&s->as, GPA(at), &byte, 1), ERR_NOT_FOUND);
	}
}

int main(void)
{
	static const struct format_test tests[] = {
		{ "limit_goes_on_across_leaves_and_areas", limit_goes_on_across_leaves_and_areas },
		{ "limit_is_what_the_leaves_say", limit_is_what_the_leaves_say },
		{ "limit_is_clipped_by_what_is_wanted", limit_is_clipped_by_what_is_wanted },
		{ "limit_ends_where_backing_ends", limit_ends_where_backing_ends },
		{ "copies_cross_everything", copies_cross_everything },
		{ "reading_untouched_memory_gives_zeros", reading_untouched_memory_gives_zeros },
		{ "permissions_are_obeyed", permissions_are_obeyed },
		{ "holes_end_a_copy", holes_end_a_copy },
		{ "devices_are_not_accessed", devices_are_not_accessed },
		{ "copies_meet_the_end_of_memory", copies_meet_the_end_of_memory },
		{ "iter_bytes_gives_every_piece_in_order", iter_bytes_gives_every_piece_in_order },
		{ "memory_is_faulted_in", memory_is_faulted_in },
		{ "new_memory_is_synced_before_it_is_mapped", new_memory_is_synced_before_it_is_mapped },
		{ "accesses_are_synced_on_both_sides", accesses_are_synced_on_both_sides },
		{ "copies_on_write_are_synced", copies_on_write_are_synced },
		{ "overwritten_pages_are_synced", overwritten_pages_are_synced },
		{ "accesses_see_what_has_changed", accesses_see_what_has_changed },
	};

	return space_suite("addr_space_access", tests, ARRAY_LEN(tests));
}

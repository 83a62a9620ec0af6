/* SPDX-License-Identifier: BSD-2-Clause */
/* See tests/host/ram.h. */
#include "tests/host/ram.h"

#include <string.h>

void ram_open(struct ram *ram, uint64_t phys, uint64_t size, bool dirty)
{
	const struct ram_range span = { HPA(phys), size };
	uint64_t records = frame_records_size(&span, 1);

	ram->hog_count = 0;
	arena_open(&ram->arena, phys, size);
	if (dirty)
		memset(ram->arena.bytes, 0xa5, size);
	CHECK_ERR(frame_init(&span, 1, HPA(phys), ram->arena.phys_to_virt), ERR_OK);
	CHECK_ERR(frame_add((struct ram_range){ HPA(phys + records), size - records }), ERR_OK);
	ram->usable = size - records;
	CHECK_EQ(ram_free_bytes(), ram->usable);
}

void ram_close(struct ram *ram)
{
	/* Shared zeros stay for good. */
	uint64_t free = ram_free_bytes() + frame_get_stats().zero;

	arena_close(&ram->arena);
	CHECK(free == ram->usable, "%ju bytes leaked", (uintmax_t)(ram->usable - free));
}

/* The largest block that leaves `frames` frames; false when it is there already. */
static bool take_one(struct ram *ram, uint64_t frames)
{
	uint64_t above = ram_free_bytes() / PAGE_SIZE - frames;
	unsigned order = FRAME_MAX_ORDER + 1;

	while (above > 0 && order-- > 0) {
		if (UINT64_C(1) << order > above)
			continue;
		if (frame_alloc(order, &ram->hogs[ram->hog_count].frame) != ERR_OK)
			continue;
		CHECK(ram->hog_count < RAM_MAX_HOGS, "too many hogs");
		ram->hogs[ram->hog_count++].order = order;
		return true;
	}
	return false;
}

void ram_leave(struct ram *ram, uint64_t frames)
{
	while (take_one(ram, frames))
		;
	CHECK_EQ(ram_free_bytes(), frames * PAGE_SIZE);
}

static void take_all(struct ram *ram, unsigned order)
{
	for (hpa_t frame; frame_alloc(order, &frame) == ERR_OK; ram->hog_count++) {
		CHECK(ram->hog_count < RAM_MAX_HOGS, "too many hogs");
		ram->hogs[ram->hog_count].frame = frame;
		ram->hogs[ram->hog_count].order = order;
	}
}

void ram_take_all(struct ram *ram)
{
	take_all(ram, 0);
}

void ram_scatter(struct ram *ram, unsigned order, uint64_t blocks)
{
	size_t kept = ram->hog_count;

	for (unsigned smaller = order + 1; smaller-- > 0;)
		take_all(ram, smaller);
	for (size_t i = kept; i < ram->hog_count; i++) {
		/* Only lower buddies: the upper ones stay taken. */
		if (blocks > 0 && ram->hogs[i].order == order && !(ram->hogs[i].frame.raw >> PAGE_SHIFT >> order & 1)) {
			frame_free(ram->hogs[i].frame, order);
			blocks--;
		} else {
			ram->hogs[kept++] = ram->hogs[i];
		}
	}
	ram->hog_count = kept;
	CHECK(blocks == 0, "too little memory for blocks apart");
}

void ram_release(struct ram *ram)
{
	while (ram->hog_count > 0) {
		ram->hog_count--;
		frame_free(ram->hogs[ram->hog_count].frame, ram->hogs[ram->hog_count].order);
	}
}

uint64_t ram_free_bytes(void)
{
	return frame_get_stats().free;
}

uint64_t ram_alloc(unsigned order)
{
	hpa_t frame;

	CHECK_ERR(frame_alloc(order, &frame), ERR_OK);
	CHECK(is_aligned(frame.raw, PAGE_SIZE << order), "%#jx of order %u", (uintmax_t)frame.raw, order);
	return frame.raw;
}

void ram_check_whole(uint64_t block, unsigned order)
{
	static uint64_t taken[64];
	bool found = false;
	size_t count = 0;
	hpa_t frame;

	while (frame_alloc(order, &frame) == ERR_OK) {
		assert_true(count < ARRAY_LEN(taken));
		found |= frame.raw == block;
		taken[count++] = frame.raw;
	}
	while (count > 0)
		frame_free(HPA(taken[--count]), order);
	CHECK(found, "%#jx is not whole", (uintmax_t)block);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The reservation: a block of frames for a 2 MiB block of the guest that a sequence of accesses is filling. Each fault-around
 * window gets its frames from the place that they will have when the block becomes one leaf, so that nothing is copied then. A
 * space has one reservation at a time. What was not handed out is given back when the sequence goes on elsewhere, when memory is
 * unmapped or discarded, and when a frame is missing.
 */
#include "include/arch/machine.h"
#include "mm/fault.h"

void give_back(struct addr_space *as, uint64_t start, uint64_t end)
{
	struct frame_chain chain = { 0 };

	(void)frame_chain_add(&chain, HPA(start), (end - start) >> PAGE_SHIFT, as->id);
	frame_chain_free(&chain);
}

#define PIECES (BLOCK_SIZE / RESERVATION_PIECE)
_Static_assert(PIECES == 32, "a bit each in `given`");

static unsigned piece_of(const struct reservation *reservation, uint64_t gpa)
{
	return (unsigned)((gpa - reservation->block) / RESERVATION_PIECE);
}

uint64_t reservation_held(const struct addr_space_view *view)
{
	const struct reservation *reservation = &view->reservation;
	uint64_t held = 0;

	for (uint32_t left = ~reservation->given; reservation->memory.raw != 0 && left != 0; left &= left - 1)
		held += RESERVATION_PIECE;
	return held;
}

bool reservation_drop(struct addr_space_view *view)
{
	struct reservation reservation = view->reservation;
	struct addr_space *as = view->as;

	if (reservation.memory.raw == 0)
		return false;
	cost_uncharge(as, reservation_held(view));
	view->reservation = (struct reservation){ 0 };
	for (unsigned i = 0; i < PIECES; i++)
		if (!(reservation.given >> i & 1))
			give_back(as, reservation.memory.raw + i * RESERVATION_PIECE,
				  reservation.memory.raw + (i + 1) * RESERVATION_PIECE);
	return reservation.given != UINT32_MAX;
}

bool reservations_drop(struct addr_space *as)
{
	bool any = false;

	for (struct addr_space_view *view = &as->view; view; view = view->next)
		any |= reservation_drop(view);
	return any;
}

/* If that much is free: nothing is reclaimed for it. */
enum err reservation_make(struct addr_space_view *view, uint64_t start)
{
	struct addr_space *as = view->as;
	hpa_t memory;

	reservation_drop(view);
	if (!cost_reserve(as, BLOCK_SIZE) || frame_alloc_for(level_order(BLOCK_LEVEL), as->id, &memory) != ERR_OK)
		return ERR_NO_MEMORY;
	cost_hold(as, BLOCK_SIZE);
	view->reservation = (struct reservation){ .block = align_down(start, BLOCK_SIZE), .memory = memory };
	return ERR_OK;
}

enum err reservation_take(struct addr_space_view *view, uint64_t start, hpa_t *memory)
{
	struct reservation *reservation = &view->reservation;
	unsigned piece;

	if (reservation->memory.raw == 0 || reservation->block != align_down(start, BLOCK_SIZE))
		return ERR_NOT_FOUND;
	piece = piece_of(reservation, start);
	if (reservation->given >> piece & 1)
		return ERR_EXISTS; /* it was handed out before, and may have another owner by now */
	reservation->given |= 1u << piece;
	/* It is about to be resident, so that the sum does not change, and no peak is lost. */
	view->overhead -= RESERVATION_PIECE;
	*memory = HPA(reservation->memory.raw + piece * RESERVATION_PIECE);
	return ERR_OK;
}

bool view_held_drop(struct addr_space_view *view)
{
	bool run = run_drop(view);

	return reservation_drop(view) || run;
}

bool held_drop(struct addr_space *as)
{
	bool any = false;

	for (struct addr_space_view *view = &as->view; view; view = view->next)
		any |= view_held_drop(view);
	return any;
}

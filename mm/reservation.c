/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory held back for a block that a sequence of accesses is filling: its windows get their memory from where it will be when the
 * block becomes one leaf, so that it needs no copying then. A space has one such block at a time; what was not handed out
 * of it is given back when the sequence goes on elsewhere, and when anybody takes memory away or needs it.
 */
#include "mm/fault.h"

#define PIECES (BLOCK_SIZE / RESERVATION_PIECE)
_Static_assert(PIECES == 32, "a bit each in `given`");

static unsigned piece_of(const struct reservation *reservation, uint64_t gpa)
{
	return (unsigned)((gpa - reservation->block) / RESERVATION_PIECE);
}

uint64_t reservation_held(const struct addr_space *as)
{
	const struct reservation *reservation = &as->reservation;
	uint64_t held = 0;

	for (uint32_t left = ~reservation->given; reservation->memory.raw != 0 && left != 0; left &= left - 1)
		held += RESERVATION_PIECE;
	return held;
}

bool reservation_drop(struct addr_space *as)
{
	struct reservation *reservation = &as->reservation;
	bool any = reservation_held(as) > 0;
	struct frame_chain chain = { 0 }; /* no CPU has come to know what is in it */

	for (unsigned i = 0; any && i < PIECES; i++)
		if (!(reservation->given >> i & 1))
			(void)frame_chain_add(&chain, HPA(reservation->memory.raw + i * RESERVATION_PIECE),
					      RESERVATION_PIECE >> PAGE_SHIFT, as->id);
	frame_chain_free(&chain);
	*reservation = (struct reservation){ 0 };
	return any;
}

enum err reservation_take(struct addr_space *as, uint64_t start, hpa_t *memory)
{
	struct reservation *reservation = &as->reservation;
	uint64_t block = align_down(start, BLOCK_SIZE);
	unsigned piece;
	enum err err;

	if (reservation->memory.raw == 0 || reservation->block != block) {
		reservation_drop(as);
		err = frame_alloc_for(level_order(BLOCK_LEVEL), as->id, &reservation->memory);
		if (err != ERR_OK) {
			reservation->memory = HPA(0);
			return err;
		}
		reservation->block = block;
	}
	piece = piece_of(reservation, start);
	if (reservation->given >> piece & 1)
		return ERR_EXISTS; /* it was given once, and may be somebody else's by now */
	reservation->given |= 1u << piece;
	*memory = HPA(reservation->memory.raw + piece * RESERVATION_PIECE);
	return ERR_OK;
}

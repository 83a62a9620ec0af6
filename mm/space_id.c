/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers of address spaces, as owners of frames: no two spaces have the same at one time. */
#include "mm/space.h"

/*
 * One bit for each number that is in use; 0 means "no owner", FRAME_OWNER_FILE is that of files. Given out in turn, so that most
 * searches look at one word.
 */
static struct {
	struct spinlock lock;
	uint64_t used[(UINT16_MAX + 1) / 64];
	unsigned word; /* where the last one was found */
} ids = { .lock = SPINLOCK(LOCK_NUMBERS), .used = { [0] = 1, [FRAME_OWNER_FILE / 64] = BIT(FRAME_OWNER_FILE % 64) } };

uint16_t space_id_take(void)
{
	uint16_t id = 0;

	spin_lock(&ids.lock);
	for (unsigned i = 0; i < ARRAY_LEN(ids.used); i++) {
		uint64_t free = ~ids.used[ids.word];

		if (free != 0) {
			unsigned bit = (unsigned)__builtin_ctzll(free);

			ids.used[ids.word] |= BIT(bit);
			id = (uint16_t)(ids.word * 64 + bit);
			break;
		}
		ids.word = (ids.word + 1) % ARRAY_LEN(ids.used);
	}
	spin_unlock(&ids.lock);
	return id;
}

void space_id_give(uint16_t id)
{
	spin_lock(&ids.lock);
	ids.used[id / 64] &= ~BIT(id % 64);
	spin_unlock(&ids.lock);
}

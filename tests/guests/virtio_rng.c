/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Drives the virtio entropy device: numbers that look like any, buffers as wide as one likes, chains that make no sense; and a
 * fork, whose numbers are not its parent's.
 */
#include "tests/guests/check.h"
#include "tests/guests/virtio.h"

#define WORDS 1024
#define MOST  65536u /* that a chain gets */

static struct queue queue;
static uint64_t words[2][WORDS];
static uint8_t large[2 * MOST];

static void begin(void)
{
	virtio_begin(RNG, &queue, 1, MODERN);
	CHECK(*virtio_at(RNG, STATUS) == DRIVER_OK);
}

/* Returns how many bytes came. */
static uint32_t ask(void *buffer, uint32_t size)
{
	uint16_t before = queue.used.idx;

	queue.descriptor[0] = (struct descriptor){ (uintptr_t)buffer, size, WRITE, 0 };
	virtio_offer(RNG, &queue, 0, 0);
	CHECK(queue.used.idx == (uint16_t)(before + 1));
	return virtio_written(&queue);
}

static unsigned bits_of(const uint64_t *word, unsigned count)
{
	unsigned bits = 0;

	for (unsigned i = 0; i < count; i++)
		for (uint64_t left = word[i]; left; left &= left - 1)
			bits++;
	return bits;
}

/* Half of 65,536 bits are set, give or take 128, the standard deviation; and no word comes again. */
static void numbers_look_like_any(void)
{
	begin();
	CHECK(ask(words[0], sizeof(words[0])) == sizeof(words[0]));
	CHECK(ask(words[1], sizeof(words[1])) == sizeof(words[1]));
	for (unsigned i = 0; i < 2; i++) {
		unsigned bits = bits_of(words[i], WORDS);

		CHECK(bits > 32 * WORDS - 8 * 128 && bits < 32 * WORDS + 8 * 128);
	}
	for (unsigned i = 0; i < WORDS; i++)
		CHECK(words[0][i] != words[1][i] && (i == 0 || words[0][i] != words[0][i - 1]));
}

static void a_chain_gets_so_much_at_most(void)
{
	unsigned zeros = 0;

	CHECK(ask(large, sizeof(large)) == MOST);
	for (unsigned i = 0; i < MOST; i++)
		zeros += large[i] == 0;
	CHECK(zeros > MOST / 256 / 2 && zeros < MOST / 256 * 2);
	for (unsigned i = MOST; i < sizeof(large); i++)
		CHECK(large[i] == 0);
	CHECK(ask(large, 1) == 1);
}

/* It stops where there is no RAM, and in a circle; a reset has it go on. */
static void what_makes_no_sense_stops_it(void)
{
	queue.descriptor[0] = (struct descriptor){ ram_end(), 64, WRITE, 0 };
	virtio_offer(RNG, &queue, 0, 0);
	CHECK(*virtio_at(RNG, STATUS) & NEEDS_RESET);
	begin();
	queue.descriptor[0] = (struct descriptor){ (uintptr_t)large, 64, WRITE | NEXT, 0 };
	virtio_offer(RNG, &queue, 0, 0);
	CHECK(*virtio_at(RNG, STATUS) & NEEDS_RESET);
	begin();
	CHECK(ask(words[0], 64) == 64);
}

int guest_main(void)
{
	static uint64_t first[8];
	uint64_t child;

	numbers_look_like_any();
	a_chain_gets_so_much_at_most();
	what_makes_no_sense_stops_it();
	child = rt_fork();
	CHECK(!rt_is_error(child));
	CHECK(ask(first, sizeof(first)) == sizeof(first));
	rt_printf("virtio_rng: %s has %lx %lx\n", child == 0 ? "child" : "parent", first[0], first[7]);
	if (child == 0)
		rt_exit((uint64_t)check_failures);
	rt_vm_wait(child);
	return check_status("virtio_rng");
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The PLIC: accesses of any size anywhere in it, and lines that go up and down, compared step by step with a model that has an
 * array for everything. Input: bytes, from which both are drawn.
 */
#include "vmm/devices/plic.h"

#include <string.h>

#include "tests/fuzz/fuzz.h"

#define HARTS 3

static struct plic plic;
static struct device_table table;
static unsigned told; /* contexts that were told of, a bit each */

/* By the specification's pictures: what a source's gateway and its bits in the core are, and a hart's registers. */
static struct {
	bool line[PLIC_SOURCES], pending[PLIC_SOURCES], in_service[PLIC_SOURCES];
	unsigned priority[PLIC_SOURCES];
	struct {
		bool enabled[PLIC_SOURCES];
		unsigned threshold;
	} hart[HARTS];
} model;

static void changed(struct plic *of, unsigned context)
{
	CHECK(of == &plic && context < HARTS, "context %u", context);
	told |= 1u << context;
}

static void model_gateways(void)
{
	for (unsigned i = 1; i < PLIC_SOURCES; i++)
		if (model.line[i] && !model.in_service[i])
			model.pending[i] = true;
}

static unsigned model_best(unsigned hart)
{
	unsigned best = 0;

	for (unsigned i = PLIC_SOURCES - 1; i > 0; i--)
		if (model.pending[i] && model.hart[hart].enabled[i] && model.priority[i] > 0 &&
		    model.priority[i] >= model.priority[best])
			best = i;
	return best;
}

static uint32_t word_of(const bool *bits)
{
	uint32_t word = 0;

	for (unsigned i = 0; i < PLIC_SOURCES; i++)
		word |= (uint32_t)bits[i] << i;
	return word;
}

static uint32_t model_read(uint64_t offset)
{
	for (unsigned i = 0; i < PLIC_SOURCES; i++)
		if (offset == 4 * i)
			return model.priority[i];
	if (offset == 0x1000)
		return word_of(model.pending);
	for (unsigned hart = 0; hart < HARTS; hart++) {
		if (offset == 0x2000 + 0x80 * hart)
			return word_of(model.hart[hart].enabled);
		if (offset == 0x200000 + 0x1000 * hart)
			return model.hart[hart].threshold;
		if (offset == 0x200004 + 0x1000 * hart) {
			unsigned source = model_best(hart);

			model.in_service[source] = source;
			model.pending[source] = false;
			return source;
		}
	}
	return 0;
}

static void model_write(uint64_t offset, uint32_t value)
{
	for (unsigned i = 1; i < PLIC_SOURCES; i++)
		if (offset == 4 * i)
			model.priority[i] = value & 7;
	for (unsigned hart = 0; hart < HARTS; hart++) {
		for (unsigned i = 1; i < PLIC_SOURCES && offset == 0x2000 + 0x80 * hart; i++)
			model.hart[hart].enabled[i] = value >> i & 1;
		if (offset == 0x200000 + 0x1000 * hart)
			model.hart[hart].threshold = value & 7;
		if (offset == 0x200004 + 0x1000 * hart && value < PLIC_SOURCES && model.hart[hart].enabled[value])
			model.in_service[value] = false;
	}
	model_gateways();
}

static void check_harts(unsigned before)
{
	for (unsigned hart = 0; hart < HARTS; hart++) {
		bool wanted = model.priority[model_best(hart)] > model.hart[hart].threshold;

		CHECK(plic_is_asserted(&plic, hart) == wanted, "hart %u", hart);
		CHECK((told >> hart & 1) == ((before >> hart & 1) != wanted), "hart %u was %stold", hart,
		      told >> hart & 1 ? "" : "not ");
	}
}

/* Often a register that is there. */
static uint64_t pick_offset(struct host_rng *rng)
{
	unsigned hart = (unsigned)host_below(rng, HARTS + 1);

	switch (host_below(rng, 8)) {
	case 0:
		return host_below(rng, PLIC_SIZE);
	case 1:
		return 4 * host_below(rng, PLIC_SOURCES + 2);
	case 2:
		return 0x1000 + host_below(rng, 8);
	case 3 ... 4:
		return 0x2000 + 0x80 * hart + (host_below(rng, 8) ? 0 : host_below(rng, 8));
	default:
		return 0x200000 + 0x1000 * hart + 4 * host_below(rng, 2) + (host_below(rng, 8) ? 0 : host_below(rng, 8));
	}
}

static void access_one(struct host_rng *rng)
{
	struct io_access io = { .space = IO_MEMORY, .size = 4, .write = host_below(rng, 2) };
	uint64_t offset = pick_offset(rng);
	uint32_t wanted = 0;

	if (!host_below(rng, 8))
		io.size = (uint8_t)(1 << host_below(rng, 4));
	io.addr = plic.device.base + offset;
	if (io.write)
		io.value = host_random(rng) >> (64 - 8 * io.size) >> (host_below(rng, 2) ? 0 : 8 * io.size - 5);
	if (offset + io.size > PLIC_SIZE)
		return;
	told = 0;
	if (io.size == 4 && offset % 4 == 0) {
		if (io.write)
			model_write(offset, (uint32_t)io.value);
		else
			wanted = model_read(offset);
	}
	device_access(&table, &io);
	if (!io.write)
		CHECK(io.value == wanted, "%#jx: %#jx, not %#x", (uintmax_t)offset, (uintmax_t)io.value, wanted);
}

static void move_line(struct host_rng *rng)
{
	unsigned line = (unsigned)host_below(rng, PLIC_SOURCES + 1);
	bool level = host_below(rng, 2);

	told = 0;
	if (line > 0 && line < PLIC_SOURCES)
		model.line[line] = level;
	model_gateways();
	plic_set_line(&plic, line, level);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct host_rng rng = host_rng_of_bytes(data, size);

	memset(&model, 0, sizeof(model));
	plic_init(&plic, 0xc000000, HARTS, changed);
	table = (struct device_table){ .lock = SPINLOCK(LOCK_DEVICES) };
	device_add(&table, &plic.device);
	while (!host_rng_spent(&rng)) {
		unsigned before = plic.asserted;

		if (host_below(&rng, 3))
			access_one(&rng);
		else
			move_line(&rng);
		check_harts(before);
	}
	return 0;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return 0;
}

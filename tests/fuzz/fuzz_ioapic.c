/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The I/O APIC: accesses of all sizes, levels, ends of interrupts. What it sends is of an input that is not masked and that asks
 * for it, and has what the entry says; a level that was taken is not sent again before its end. Input: bytes, from which these are
 * drawn.
 */
#include "vmm/devices/ioapic.h"

#include "tests/fuzz/fuzz.h"

#define MASKED BIT(16)
#define REMOTE BIT(14)
#define LEVEL  BIT(15)

static struct ioapic ioapic;
static bool taken;
static uint32_t before; /* what was asserted before this step */
static unsigned sent;

static bool is_sender(unsigned input, const struct ioapic_message *message)
{
	uint64_t entry = ioapic.entry[input];
	bool level = entry & LEVEL && (entry >> 8 & 7) <= DELIVER_LOWEST;

	if (entry & MASKED || !(ioapic.asserted >> input & 1) || (uint8_t)entry != message->vector || level != message->level)
		return false;
	if (level ? entry & REMOTE : before >> input & 1)
		return false;
	return entry >> 56 == message->destination && (entry >> 11 & 1) == message->logical && (entry >> 8 & 7) == message->mode;
}

static bool deliver(struct ioapic *from, const struct ioapic_message *message)
{
	bool found = false;

	CHECK(from == &ioapic, "another one");
	for (unsigned i = 0; i < IOAPIC_INPUTS && !found; i++)
		found = is_sender(i, message);
	CHECK(found, "vector %u of nobody", message->vector);
	sent++;
	return taken;
}

static void check(void)
{
	for (unsigned i = 0; i < IOAPIC_INPUTS; i++) {
		uint64_t entry = ioapic.entry[i];

		CHECK(!(entry & (BIT(12) | BITS(55, 17))), "entry %u is %#jx", i, (uintmax_t)entry);
		CHECK(!(entry & REMOTE) || (entry & LEVEL && (entry >> 8 & 7) <= DELIVER_LOWEST), "entry %u is %#jx", i,
		      (uintmax_t)entry);
	}
	CHECK(ioapic.asserted >> IOAPIC_INPUTS == 0, "%#x", ioapic.asserted);
	CHECK(sent <= IOAPIC_INPUTS, "%u messages", sent);
}

static void step(struct host_rng *rng)
{
	static const uint8_t offsets[] = { 0, 0, 0x10, 0x10, 0x10, 0x40 };
	struct io_access io = { .space = IO_MEMORY, .size = (uint8_t)(1 << host_below(rng, 4)), .write = host_below(rng, 4) };
	uint64_t offset = host_below(rng, 8) ? offsets[host_below(rng, 6)] : host_below(rng, IOAPIC_SIZE);

	taken = host_below(rng, 4);
	before = ioapic.asserted;
	sent = 0;
	switch (host_below(rng, 4)) {
	case 0:
		ioapic_set_line(&ioapic, (unsigned)host_below(rng, IOAPIC_INPUTS + 1), host_below(rng, 2));
		break;
	case 1:
		ioapic_end(&ioapic, (uint8_t)ioapic.entry[host_below(rng, IOAPIC_INPUTS)]);
		break;
	default:
		if (host_below(rng, 2))
			io.size = 4;
		io.value = host_random(rng) & (~UINT64_C(0) >> (64 - 8 * io.size));
		if (offset == 0 && host_below(rng, 4))
			io.value = 0x10 + host_below(rng, 2 * IOAPIC_INPUTS);
		ioapic.device.access(&ioapic.device, offset, &io);
		CHECK(io.value <= ~UINT64_C(0) >> (64 - 8 * io.size), "value %#jx", (uintmax_t)io.value);
	}
	check();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct host_rng rng = host_rng_of_bytes(data, size);

	ioapic_init(&ioapic, 0xfec00000, deliver);
	while (!host_rng_spent(&rng))
		step(&rng);
	return 0;
}

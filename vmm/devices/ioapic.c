/* SPDX-License-Identifier: BSD-2-Clause */
/* An emulated I/O APIC. */
#include "vmm/devices/ioapic.h"

#include "include/types.h"

/* Where registers lie in memory. */
enum { IOREGSEL = 0x00, IOWIN = 0x10, IOEOI = 0x40 };

/* What the index selects. */
enum { REG_ID = 0x00, REG_VERSION = 0x01, REG_ARBITRATION = 0x02, REG_ENTRIES = 0x10 };

#define VERSION_WITH_EOI 0x20
#define ID_SHIFT         24
#define ID_BITS          0xf

/* A redirection entry */
#define ENTRY_VECTOR(e)   ((uint8_t)(e))
#define ENTRY_MODE(e)     ((enum delivery_mode)((e) >> 8 & 7))
#define ENTRY_LOGICAL     BIT(11)
#define ENTRY_REMOTE_IRR  BIT(14) /* a local APIC has taken the level's interrupt, and not ended it */
#define ENTRY_LEVEL       BIT(15)
#define ENTRY_MASKED      BIT(16)
#define ENTRY_DESTINATION 56
#define ENTRY_WRITABLE    (BITS(63, ENTRY_DESTINATION) | BITS(16, 15) | BIT(13) | BITS(11, 0))

/* "Remote IRR" is of levels that are delivered as fixed or lowest priority; other modes are edges, whatever the entry says. */
static bool is_level(uint64_t entry)
{
	return entry & ENTRY_LEVEL && ENTRY_MODE(entry) <= DELIVER_LOWEST;
}

static void send(struct ioapic *ioapic, uint64_t *entry)
{
	const struct ioapic_message message = {
		.destination = (uint8_t)(*entry >> ENTRY_DESTINATION),
		.vector = ENTRY_VECTOR(*entry),
		.logical = *entry & ENTRY_LOGICAL,
		.level = is_level(*entry),
		.mode = ENTRY_MODE(*entry),
	};

	if (ioapic->deliver(ioapic, &message) && message.level)
		*entry |= ENTRY_REMOTE_IRR;
}

/* A level that is there, and that nobody has been told of. */
static void send_level(struct ioapic *ioapic, unsigned input)
{
	uint64_t *entry = &ioapic->entry[input];

	if (ioapic->asserted & BIT(input) && is_level(*entry) && !(*entry & (ENTRY_MASKED | ENTRY_REMOTE_IRR)))
		send(ioapic, entry);
}

/* "Interrupt Mask": an edge that comes while its input is masked is lost. */
void ioapic_set_line(struct ioapic *ioapic, unsigned input, bool level)
{
	bool was;

	if (input >= IOAPIC_INPUTS)
		return;
	was = ioapic->asserted & BIT(input);
	ioapic->asserted = (uint32_t)((ioapic->asserted & ~BIT(input)) | (level ? BIT(input) : 0));
	if (is_level(ioapic->entry[input]))
		send_level(ioapic, input);
	else if (level && !was && !(ioapic->entry[input] & ENTRY_MASKED))
		send(ioapic, &ioapic->entry[input]);
}

void ioapic_end(struct ioapic *ioapic, uint8_t vector)
{
	for (unsigned i = 0; i < IOAPIC_INPUTS; i++) {
		uint64_t *entry = &ioapic->entry[i];

		if (!(*entry & ENTRY_REMOTE_IRR) || ENTRY_VECTOR(*entry) != vector)
			continue;
		*entry &= ~ENTRY_REMOTE_IRR;
		send_level(ioapic, i);
	}
}

/* An input that is made one for edges forgets what it waited for. */
static void write_entry(struct ioapic *ioapic, unsigned half, uint32_t value)
{
	uint64_t *entry = &ioapic->entry[half / 2], written = half % 2 ? (uint64_t)value << 32 : value;
	uint64_t writable = ENTRY_WRITABLE & (half % 2 ? BITS(63, 32) : BITS(31, 0));

	*entry = (*entry & ~writable) | (written & writable);
	if (!is_level(*entry))
		*entry &= ~ENTRY_REMOTE_IRR;
	send_level(ioapic, half / 2);
}

static void write_window(struct ioapic *ioapic, uint32_t value)
{
	if (ioapic->index == REG_ID)
		ioapic->id = (uint8_t)(value >> ID_SHIFT & ID_BITS);
	else if (ioapic->index >= REG_ENTRIES && ioapic->index < REG_ENTRIES + 2 * IOAPIC_INPUTS)
		write_entry(ioapic, ioapic->index - REG_ENTRIES, value);
}

static uint32_t read_window(const struct ioapic *ioapic)
{
	unsigned half = ioapic->index - REG_ENTRIES;

	switch (ioapic->index) {
	case REG_ID:
	case REG_ARBITRATION:
		return (uint32_t)ioapic->id << ID_SHIFT;
	case REG_VERSION:
		return (IOAPIC_INPUTS - 1) << 16 | VERSION_WITH_EOI;
	case REG_ENTRIES ... REG_ENTRIES + 2 * IOAPIC_INPUTS - 1:
		return (uint32_t)(ioapic->entry[half / 2] >> (half % 2 ? 32 : 0));
	default:
		return 0;
	}
}

/* Registers are 32 bits wide, and the index one of 8: what is accessed otherwise reads as ones, and ignores what is written. */
static void access(struct io_device *device, uint64_t offset, struct io_access *io)
{
	struct ioapic *ioapic = CONTAINER_OF(device, struct ioapic, device);

	if (offset == IOREGSEL && io->write)
		ioapic->index = (uint8_t)io->value;
	else if (io->write && io->size == 4 && offset == IOWIN)
		write_window(ioapic, (uint32_t)io->value);
	else if (io->write && io->size == 4 && offset == IOEOI)
		ioapic_end(ioapic, (uint8_t)io->value);
	if (io->write)
		return;
	if (offset == IOREGSEL)
		io->value = ioapic->index;
	else if (io->size == 4 && offset == IOWIN)
		io->value = read_window(ioapic);
	else
		io->value = ~UINT64_C(0) >> (64 - 8 * io->size);
}

void ioapic_init(struct ioapic *ioapic, uint64_t base, bool (*deliver)(struct ioapic *, const struct ioapic_message *))
{
	*ioapic = (struct ioapic){
		.device = { .space = IO_MEMORY, .base = base, .size = IOAPIC_SIZE, .access = access },
		.deliver = deliver,
	};
	for (unsigned i = 0; i < IOAPIC_INPUTS; i++)
		ioapic->entry[i] = ENTRY_MASKED;
}

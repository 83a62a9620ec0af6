/* SPDX-License-Identifier: BSD-2-Clause */
/* The registers of the control page. */
#include "vmm/devices/control_page.h"

#define REGISTER 8 /* bytes */

static uint64_t *argument_at(struct control_page *page, uint64_t offset)
{
	uint64_t index = (offset - CONTROL_ARGS) / REGISTER;

	return index < CONTROL_ARG_COUNT ? &page->arg[index] : NULL;
}

static uint64_t figure_at(struct control_page *page, unsigned vcpu, uint64_t offset)
{
	bool kib = offset >= CONTROL_FIGURES_KIB;
	uint64_t number = (offset - (kib ? CONTROL_FIGURES_KIB : CONTROL_FIGURES)) / REGISTER;
	uint64_t figure = page->figure(page, vcpu, (unsigned)number);

	return kib ? figure / KIB(1) : figure;
}

/* Of the register at `offset`; where there is none, 0. */
static uint64_t read_register(struct control_page *page, unsigned vcpu, uint64_t offset)
{
	const uint64_t *argument = argument_at(page, offset);

	if (argument)
		return *argument;
	switch (offset) {
	case CONTROL_ID:
		return CONTROL_MAGIC | (uint64_t)CONTROL_VERSION << 32;
	case CONTROL_CALL:
		return page->call;
	case CONTROL_RESULT:
		return page->result;
	}
	return offset >= CONTROL_FIGURES ? figure_at(page, vcpu, offset) : 0;
}

/* The bits of `mask` change. */
static void write_register(struct control_page *page, unsigned vcpu, uint64_t offset, uint64_t value, uint64_t mask)
{
	uint64_t *argument = argument_at(page, offset);

	if (argument) {
		*argument = (*argument & ~mask) | (value & mask);
	} else if (offset == CONTROL_CALL && mask & 1) {
		page->call = value & mask;
		page->make_call(page, vcpu, page->call);
	}
}

/* An access of another size, or across registers, reads 0 and writes nothing. */
static void access(struct io_device *device, uint64_t offset, struct io_access *io)
{
	struct control_page *page = CONTAINER_OF(device, struct control_page, device);
	unsigned shift = 8 * (unsigned)(offset % REGISTER);
	uint64_t at = align_down(offset, REGISTER), mask = io->size == 8 ? UINT64_MAX : UINT32_MAX;
	bool fits = (io->size == 4 || io->size == 8) && is_aligned(offset, io->size);

	if (io->write && fits)
		write_register(page, io->vcpu, at, io->value << shift, mask << shift);
	else if (!io->write)
		io->value = fits ? read_register(page, io->vcpu, at) >> shift & mask : 0;
}

void control_page_init(struct control_page *page, uint64_t base)
{
	*page = (struct control_page){
		.device = { .space = IO_MEMORY, .base = base, .size = CONTROL_SIZE, .access = access, .slow = true },
	};
}

void control_page_set_result(struct control_page *page, uint64_t result)
{
	struct device_table *table = page->device.table;

	spin_lock(&table->lock);
	page->result = result;
	spin_unlock(&table->lock);
}

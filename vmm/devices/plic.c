/* SPDX-License-Identifier: BSD-2-Clause */
/* An emulated PLIC: gateways of level-triggered lines, priorities, and the interrupts that harts claim and complete. */
#include "vmm/devices/plic.h"

#include "include/types.h"

/* "Memory Map": a word for each source or 32 of them, and blocks of registers for each context. */
enum {
	PLIC_PRIORITY = 0x0,
	PLIC_PENDING = 0x1000,
	PLIC_ENABLE = 0x2000,
	PLIC_ENABLE_STEP = 0x80,
	PLIC_CONTEXT = 0x200000,
	PLIC_CONTEXT_STEP = 0x1000,
	PLIC_THRESHOLD = 0, /* in a context's block */
	PLIC_CLAIM = 4,
};
_Static_assert(PLIC_CONTEXT + PLIC_CONTEXTS * PLIC_CONTEXT_STEP <= PLIC_SIZE, "all contexts");
_Static_assert(PLIC_SOURCES == 32, "one word has a bit for each source");

static uint32_t bit(unsigned number)
{
	return UINT32_C(1) << number;
}

/* The source of highest priority, of these the lowest number, that is pending, enabled, and above `threshold`; 0: none. */
static unsigned best_source(const struct plic *plic, const struct plic_context *context, unsigned threshold)
{
	unsigned best = 0;

	for (uint32_t left = plic->pending & context->enabled; left; left &= left - 1) {
		unsigned source = (unsigned)__builtin_ctz(left);

		if (plic->priority[source] > threshold) {
			threshold = plic->priority[source];
			best = source;
		}
	}
	return best;
}

/* See what harts are to be interrupted, after any change. */
static void update(struct plic *plic)
{
	uint32_t asserted = 0, changed;

	for (unsigned i = 0; i < plic->contexts; i++)
		if (best_source(plic, &plic->context[i], plic->context[i].threshold))
			asserted |= bit(i);
	changed = asserted ^ plic->asserted;
	__atomic_store_n(&plic->asserted, asserted, __ATOMIC_RELEASE);
	for (; changed; changed &= changed - 1)
		plic->changed(plic, (unsigned)__builtin_ctz(changed));
}

/* "Interrupt Gateways": of a level one request at a time; one that was made stays, also if the line goes down. */
static void pass_gateways(struct plic *plic)
{
	plic->pending |= plic->level & ~plic->claimed;
}

void plic_set_line(struct plic *plic, unsigned line, bool level)
{
	if (line == 0 || line >= PLIC_SOURCES)
		return;
	plic->level = level ? plic->level | bit(line) : plic->level & ~bit(line);
	pass_gateways(plic);
	update(plic);
}

/* "Interrupt Claim Process": the threshold does not matter here. */
static uint32_t claim(struct plic *plic, const struct plic_context *context)
{
	unsigned source = best_source(plic, context, 0);

	if (source) {
		plic->pending &= ~bit(source);
		plic->claimed |= bit(source);
		update(plic);
	}
	return source;
}

/* "Interrupt Completion": who has claimed it is not looked at; of a source that the context has not enabled it is ignored. */
static void complete(struct plic *plic, const struct plic_context *context, uint32_t source)
{
	if (source >= PLIC_SOURCES || !(context->enabled & plic->claimed & bit(source)))
		return;
	plic->claimed &= ~bit(source);
	pass_gateways(plic);
	update(plic);
}

/* --- Registers ------------------------------------------------------------------------------------------------------- */

/* The context whose block of `step` bytes has the register, and where it is in there. NULL: there is no such context. */
static struct plic_context *context_at(struct plic *plic, uint64_t *offset, uint64_t start, uint64_t step)
{
	uint64_t number = (*offset - start) / step;

	*offset = (*offset - start) % step;
	return number < plic->contexts ? &plic->context[number] : NULL;
}

static uint32_t read_context(struct plic *plic, const struct plic_context *context, uint64_t offset)
{
	switch (offset) {
	case PLIC_THRESHOLD:
		return context->threshold;
	case PLIC_CLAIM:
		return claim(plic, context);
	default:
		return 0;
	}
}

static uint32_t read_register(struct plic *plic, uint64_t offset)
{
	const struct plic_context *context;

	if (offset >= PLIC_CONTEXT) {
		context = context_at(plic, &offset, PLIC_CONTEXT, PLIC_CONTEXT_STEP);
		return context ? read_context(plic, context, offset) : 0;
	}
	if (offset >= PLIC_ENABLE) {
		context = context_at(plic, &offset, PLIC_ENABLE, PLIC_ENABLE_STEP);
		return context && offset == 0 ? context->enabled : 0;
	}
	if (offset >= PLIC_PENDING)
		return offset == PLIC_PENDING ? plic->pending : 0;
	return offset / 4 < PLIC_SOURCES ? plic->priority[offset / 4] : 0;
}

static void write_context(struct plic *plic, struct plic_context *context, uint64_t offset, uint32_t value)
{
	if (offset == PLIC_CLAIM) {
		complete(plic, context, value);
	} else if (offset == PLIC_THRESHOLD) {
		context->threshold = value % PLIC_LEVELS;
		update(plic);
	}
}

/* Pending bits are read only, and there is no source 0. */
static void write_register(struct plic *plic, uint64_t offset, uint32_t value)
{
	struct plic_context *context;

	if (offset >= PLIC_CONTEXT) {
		context = context_at(plic, &offset, PLIC_CONTEXT, PLIC_CONTEXT_STEP);
		if (context)
			write_context(plic, context, offset, value);
		return;
	}
	if (offset >= PLIC_ENABLE) {
		context = context_at(plic, &offset, PLIC_ENABLE, PLIC_ENABLE_STEP);
		if (context && offset == 0)
			context->enabled = value & ~bit(0);
	} else if (offset / 4 > 0 && offset / 4 < PLIC_SOURCES) {
		plic->priority[offset / 4] = value % PLIC_LEVELS;
	}
	update(plic);
}

/* "Memory Map": only whole words are accessed; anything else has no effect here and reads as 0. */
static void plic_access(struct io_device *device, uint64_t offset, struct io_access *io)
{
	struct plic *plic = CONTAINER_OF(device, struct plic, device);
	bool word = io->size == 4 && is_aligned(offset, 4);

	if (!io->write)
		io->value = word ? read_register(plic, offset) : 0;
	else if (word)
		write_register(plic, offset, (uint32_t)io->value);
}

void plic_init(struct plic *plic, uint64_t base, unsigned contexts, void (*changed)(struct plic *plic, unsigned context))
{
	*plic = (struct plic){
		.device = { .space = IO_MEMORY, .base = base, .size = PLIC_SIZE, .access = plic_access },
		.contexts = contexts,
		.changed = changed,
	};
}

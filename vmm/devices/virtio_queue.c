/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Split virtqueues (2.7), in the guest's memory: chains of descriptors are taken from the available ring, read, and given back by
 * the used ring. Of each notification as many chains are taken as there were then: what is added meanwhile is notified again.
 */
#include "vmm/devices/virtio_queue.h"

#include "drivers/console.h"
#include "include/log.h"
#include "mm/addr_space.h"

/* 2.7.5 "The Virtqueue Descriptor Table" */
struct descriptor {
	uint64_t address;
	uint32_t length;
	uint16_t flags, next;
};
enum { DESCRIPTOR_NEXT = 1, DESCRIPTOR_WRITE = 2, DESCRIPTOR_INDIRECT = 4 };

/* 2.7.6 "The Virtqueue Available Ring": flags, idx, and the ring; 2.7.8 "The Virtqueue Used Ring": the same. */
enum { RING_FLAGS = 0, RING_IDX = 2, RING_ENTRIES = 4, AVAILABLE_NO_INTERRUPT = 1 };

struct used_entry {
	uint32_t id, length;
};

/* Only so many complaints are logged, so that a guest cannot flood the console. */
#define COMPLAINTS_LOGGED 4

void virtio_update_line(struct virtio *virtio)
{
	device_set_line(&virtio->device, virtio->interrupt != 0);
}

static void interrupt(struct virtio *virtio, enum virtio_interrupt why)
{
	virtio->interrupt |= why;
	virtio_update_line(virtio);
}

void virtio_stop(struct virtio *virtio, const char *why)
{
	if (virtio->status & STATUS_NEEDS_RESET)
		return;
	virtio->status |= STATUS_NEEDS_RESET;
	virtio_update_listens(virtio);
	virtio->chain.taken = false;
	if (virtio->status & STATUS_DRIVER_OK)
		interrupt(virtio, INTERRUPT_CONFIG);
	if (virtio->complaints++ < COMPLAINTS_LOGGED)
		log_vm_at(LOG_WARN, virtio->device.table->console->name,
			  "virtio %s: %s: it stands still until its driver resets it%s", virtio->kind->name, why,
			  virtio->complaints == COMPLAINTS_LOGGED ? "; further ones are not logged" : "");
}

static struct addr_space *memory(const struct virtio *virtio)
{
	return virtio->device.table->memory;
}

/* Of what lies at an address near the end of all. */
static gpa_t at(uint64_t base, uint64_t offset)
{
	return GPA(base + offset);
}

#define NOT_MEMORY "a queue or a table of descriptors is not in memory"

/* Is it done? Else the device has stopped. */
static bool done(struct virtio *virtio, enum err err)
{
	if (err != ERR_OK)
		virtio_stop(virtio, NOT_MEMORY);
	return err == ERR_OK;
}

/* --- Chains ---------------------------------------------------------------------------------------------------------- */

/* 2.7.5.3.1: a table instead of a chain; it holds none of its own kind, and descriptors only. */
static void enter_table(struct virtio *virtio, const struct descriptor *from)
{
	struct virtio_chain *chain = &virtio->chain;
	bool ok = virtio_has(virtio, VIRTIO_F_INDIRECT) && !chain->indirect && !(from->flags & DESCRIPTOR_NEXT) &&
		  from->length > 0 && from->length % sizeof(*from) == 0;

	if (!ok) {
		virtio_stop(virtio, "a table of descriptors is where none may be, or is none");
		return;
	}
	chain->indirect = true;
	chain->table = from->address;
	chain->size = from->length / (uint32_t)sizeof(*from);
	chain->next = 0;
}

/* 2.7.5.3.1: a chain is no longer than its queue, and so one that bites its tail ends, too: by that the device stops. */
static void go_on(struct virtio *virtio, const struct descriptor *from)
{
	struct virtio_chain *chain = &virtio->chain;

	chain->over = !(from->flags & DESCRIPTOR_NEXT);
	chain->next = from->next;
	if (!chain->over && (chain->next >= chain->size || chain->count >= virtio->queue[virtio->current].size))
		virtio_stop(virtio, "a chain of descriptors is endless, or leads out of its table");
}

/*
 * Take the buffers of `count` descriptors that lie side by side from chain.next on, as long as each leads to the one behind it.
 * That many are in the table, and fit into the chain. Returns the last one taken; NULL: the first one leads to a table.
 */
static const struct descriptor *take_side_by_side(struct virtio_chain *chain, const struct descriptor *first, unsigned count)
{
	const struct descriptor *from = first, *end = first + count;
	struct virtio_buffer *to = &chain->buffer[chain->end];
	unsigned next = chain->next, flags; /* wider than an index: the last one leads to nobody */

	while (from < end && !((flags = from->flags) & DESCRIPTOR_INDIRECT)) {
		*to++ = (struct virtio_buffer){ GPA(from->address), from->length, flags & DESCRIPTOR_WRITE };
		if (from++->next != ++next || !(flags & DESCRIPTOR_NEXT))
			break;
	}
	chain->count += (uint16_t)(from - first);
	chain->end += (unsigned)(from - first);
	return from > first ? from - 1 : NULL;
}

/* The same, as far as a chain may go. The device may have stopped. */
static void take_buffers(struct virtio *virtio, const struct descriptor *table, unsigned count)
{
	struct virtio_chain *chain = &virtio->chain;
	unsigned room = virtio->queue[virtio->current].size - chain->count;
	const struct descriptor *last = take_side_by_side(chain, table, (unsigned)min_u64(count, room));

	if (last)
		go_on(virtio, last);
	else
		enter_table(virtio, table);
}

/* Drivers fill them in side by side, mostly: so many are read at once. The first one is mostly alone, if it may lead to a table. */
static unsigned read_ahead(const struct virtio *virtio)
{
	const struct virtio_chain *chain = &virtio->chain;
	unsigned left = (unsigned)min_u64(VIRTIO_BUFFERS - chain->end, chain->size - chain->next);

	return chain->count == 0 && !chain->indirect && virtio_has(virtio, VIRTIO_F_INDIRECT) ? 1 : left;
}

static void read_more(struct virtio *virtio)
{
	struct virtio_chain *chain = &virtio->chain;
	struct descriptor table[VIRTIO_BUFFERS];
	unsigned count;

	chain->first = chain->end = 0;
	while (chain->taken && !chain->over && chain->end < VIRTIO_BUFFERS) {
		count = read_ahead(virtio);
		if (done(virtio, addr_space_read(memory(virtio), at(chain->table, chain->next * sizeof(table[0])), table,
						 count * sizeof(table[0]))))
			take_buffers(virtio, table, count);
	}
}

struct virtio_buffer *virtio_more_buffers(struct virtio *virtio, unsigned *count)
{
	struct virtio_chain *chain = &virtio->chain;

	if (chain->first == chain->end)
		read_more(virtio);
	*count = chain->taken ? chain->end - chain->first : 0;
	return &chain->buffer[chain->first];
}

/* --- Queues ---------------------------------------------------------------------------------------------------------- */

/* See how far the available ring is filled. */
static bool look(struct virtio *virtio, struct virtio_queue *queue)
{
	queue->notified = false;
	if (!done(virtio, addr_space_load16(memory(virtio), at(queue->driver, RING_IDX), &queue->end)))
		return false;
	if ((uint16_t)(queue->end - queue->next) <= queue->size)
		return true;
	virtio_stop(virtio, "more is available in a queue than it has room for");
	return false;
}

/* `buffer` stays as it is: nothing of it is in use. */
static void begin_chain(struct virtio_chain *chain, const struct virtio_queue *queue, uint16_t head)
{
	chain->taken = true;
	chain->indirect = chain->over = false;
	chain->head = chain->next = head;
	chain->count = 0;
	chain->size = queue->size;
	chain->table = queue->descriptors;
	chain->first = chain->end = 0;
}

/* Take the next chain. */
static bool take(struct virtio *virtio, unsigned number)
{
	struct virtio_queue *queue = &virtio->queue[number];
	uint64_t entry = RING_ENTRIES + queue->next % queue->size * sizeof(uint16_t);
	uint16_t head;

	if (!done(virtio, addr_space_load16(memory(virtio), at(queue->driver, entry), &head)))
		return false;
	if (head >= queue->size) {
		virtio_stop(virtio, "what is available begins with a descriptor that is not there");
		return false;
	}
	queue->next++;
	virtio->current = number;
	begin_chain(&virtio->chain, queue, head);
	return true;
}

/* 2.7.8.2: the entry is there before idx says so. */
static void put_used(struct virtio *virtio, struct virtio_queue *queue, uint16_t head, uint32_t written)
{
	const struct used_entry used = { head, written };
	uint64_t entry = RING_ENTRIES + queue->given % queue->size * sizeof(used);

	if (!done(virtio, addr_space_write(memory(virtio), at(queue->device, entry), &used, sizeof(used))) ||
	    !done(virtio, addr_space_store16(memory(virtio), at(queue->device, RING_IDX), (uint16_t)(queue->given + 1))))
		return;
	queue->given++;
	queue->used = true;
}

/* 2.7.7.2: whether the driver wants to know is looked at after it could see what is used. */
static void tell(struct virtio *virtio, struct virtio_queue *queue)
{
	uint16_t flags;

	if (!queue->used)
		return;
	queue->used = false;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (done(virtio, addr_space_load16(memory(virtio), at(queue->driver, RING_FLAGS), &flags)) &&
	    !(flags & AVAILABLE_NO_INTERRUPT))
		interrupt(virtio, INTERRUPT_USED);
}

void virtio_give(struct virtio *virtio, unsigned number, uint16_t head, uint32_t written)
{
	struct virtio_queue *queue = &virtio->queue[number];

	if (!virtio_runs(virtio) || !queue->ready)
		return;
	put_used(virtio, queue, head, written);
	tell(virtio, queue);
}

/* Serve the chain in hand. False: not to its end. */
static bool serve(struct virtio *virtio)
{
	struct virtio_chain *chain = &virtio->chain;
	uint32_t written = 0;
	bool whole = virtio->kind->serve(virtio, virtio->current, &written);

	if (whole && chain->taken)
		put_used(virtio, &virtio->queue[virtio->current], chain->head, written);
	if (whole)
		chain->taken = false;
	return whole;
}

/* A queue that has something to do; NULL: none has. */
static struct virtio_queue *find_busy(struct virtio *virtio)
{
	for (unsigned i = 0; i < virtio->kind->queues; i++) {
		struct virtio_queue *queue = &virtio->queue[i];

		if (queue->ready && (queue->notified || queue->next != queue->end) &&
		    (!virtio->kind->has_use || virtio->kind->has_use(virtio, i)))
			return queue;
	}
	return NULL;
}

/* So many chains are served in one piece, if each takes little. */
#define CHAINS_AT_ONCE 32

bool virtio_work(struct virtio *virtio)
{
	struct virtio_queue *queue = NULL, *busy;
	unsigned left = CHAINS_AT_ONCE;
	bool more = true;

	while (virtio_runs(virtio) && left > 0) {
		if (virtio->chain.taken) {
			queue = &virtio->queue[virtio->current];
			left = serve(virtio) ? left - 1 : 0;
			continue;
		}
		busy = find_busy(virtio);
		if (queue && (queue != busy || queue->next == queue->end))
			tell(virtio, queue);
		queue = busy;
		more = busy;
		if (!queue)
			break;
		if (queue->next == queue->end && !look(virtio, queue))
			break;
		if (queue->next != queue->end)
			(void)take(virtio, (unsigned)(queue - virtio->queue));
	}
	if (queue && virtio_runs(virtio))
		tell(virtio, queue);
	return more && virtio_runs(virtio);
}

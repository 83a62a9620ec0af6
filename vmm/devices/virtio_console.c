/* SPDX-License-Identifier: BSD-2-Clause */
/* A virtio console: it takes what the guest sends, and fills the guest's buffers with what is typed. */
#include "vmm/devices/virtio_console.h"

#include "drivers/console.h"
#include "mm/addr_space.h"
#include "vmm/devices/virtio_queue.h"

#define DEVICE_ID 3

/* 5.3.2 "Virtqueues" */
enum { RECEIVE, TRANSMIT, QUEUES };

/* So many bytes are printed in a piece of work: a serial line may take 87 us for each. */
#define PIECE 64

/* The console makes its own '\r'. Returns how many are left. */
static size_t drop_returns(char *bytes, size_t size)
{
	size_t left = 0;

	for (size_t i = 0; i < size; i++)
		if (bytes[i] != '\r')
			bytes[left++] = bytes[i];
	return left;
}

/* Print the beginning of the buffer. Returns how much of it was taken; 0: nothing of it can be. */
static uint32_t print(struct virtio *virtio, const struct virtio_buffer *buffer)
{
	uint32_t size = (uint32_t)min_u64(buffer->size, PIECE);
	char bytes[PIECE];

	if (buffer->writable)
		return 0;
	if (addr_space_read(virtio->device.table->memory, buffer->gpa, bytes, size) != ERR_OK) {
		virtio_stop(virtio, "a buffer of its driver's is not in memory");
		return 0;
	}
	console_stream_write(virtio->device.table->console, bytes, drop_returns(bytes, size));
	return size;
}

static bool transmit(struct virtio *virtio)
{
	unsigned left;
	struct virtio_buffer *buffer = virtio_buffers(virtio, &left);
	uint32_t size;

	CONTAINER_OF(virtio, struct virtio_console, virtio)->has_sent = true;
	if (left == 0)
		return true;
	size = print(virtio, buffer);
	buffer->gpa.raw += size;
	buffer->size -= size;
	if (size == 0 || buffer->size == 0)
		virtio_used(virtio, 1);
	return virtio_is_over(virtio);
}

/* As many as lie side by side in the ring. Returns how many the buffer has got. */
static uint32_t fill(struct virtio_console *console, const struct virtio_buffer *buffer)
{
	uint64_t together = min_u64(console->count, (unsigned)VIRTIO_CONSOLE_ROOM - console->first);
	uint8_t size = (uint8_t)min_u64(buffer->size, together);
	struct virtio *virtio = &console->virtio;

	if (!buffer->writable || size == 0)
		return 0;
	if (addr_space_write(virtio->device.table->memory, buffer->gpa, console->typed + console->first, size) != ERR_OK) {
		virtio_stop(virtio, "a buffer of its driver's is not in memory");
		return 0;
	}
	console->first = (uint8_t)((console->first + size) % VIRTIO_CONSOLE_ROOM);
	console->count -= size;
	return size;
}

/* A chain gets what there is, however little: its first buffer that has room does. */
static bool receive(struct virtio_console *console, uint32_t *written)
{
	unsigned left;
	struct virtio_buffer *buffer = virtio_buffers(&console->virtio, &left);

	if (left == 0)
		return true;
	*written = fill(console, buffer);
	virtio_used(&console->virtio, 1);
	return *written > 0 || virtio_is_over(&console->virtio);
}

static bool serve(struct virtio *virtio, unsigned queue, uint32_t *written)
{
	return queue == TRANSMIT ? transmit(virtio) : receive(CONTAINER_OF(virtio, struct virtio_console, virtio), written);
}

/* What the driver offers to receive into is left alone until something has been typed. */
static bool has_use(const struct virtio *virtio, unsigned queue)
{
	const struct virtio_console *console = CONTAINER_OF(virtio, const struct virtio_console, virtio);

	return queue == TRANSMIT || (console->count > 0 && console->has_sent);
}

static void reset(struct virtio *virtio)
{
	CONTAINER_OF(virtio, struct virtio_console, virtio)->has_sent = false;
}

static bool take_typed(struct io_device *device, uint8_t byte)
{
	struct virtio_console *console = CONTAINER_OF(device, struct virtio_console, virtio.device);

	if (!device->listens || console->count == VIRTIO_CONSOLE_ROOM)
		return false;
	console->typed[(console->first + console->count++) % VIRTIO_CONSOLE_ROOM] = byte;
	/* Nobody makes an access now, so nobody else would look. More than a piece there is only of other things, or of odd chains.
	 */
	if (virtio_work(&console->virtio))
		device_want(device);
	return true;
}

void virtio_console_init(struct virtio_console *console, uint64_t base, unsigned line)
{
	static const struct virtio_kind kind = {
		.name = "console",
		.id = DEVICE_ID,
		.queues = QUEUES,
		.serve = serve,
		.has_use = has_use,
		.reset = reset,
	};

	*console = (struct virtio_console){ 0 };
	virtio_init(&console->virtio, &kind, base, line);
	console->virtio.device.receive = take_typed;
}

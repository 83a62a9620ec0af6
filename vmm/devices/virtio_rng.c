/* SPDX-License-Identifier: BSD-2-Clause */
/* A virtio entropy device: it fills the buffers that it is given. */
#include "vmm/devices/virtio_rng.h"

#include <string.h>

#include "drivers/console.h"
#include "drivers/random.h"
#include "include/log.h"
#include "mm/addr_space.h"

#define DEVICE_ID 4

/*
 * A piece of work makes so many bytes at most. Drivers ask for a cache line mostly (Linux, drivers/char/hw_random/virtio-rng.c),
 * and of such chains one piece serves many (vmm/devices/virtio_queue.c).
 */
enum { PIECE = 1024, LITTLE = 64 };

/* Whoever makes keys should know. */
static void tell_of_source(struct virtio_rng *rng)
{
	if (!rng->told && !random_has_source())
		log_vm_at(LOG_WARN, rng->virtio.device.table->console->name,
			  "virtio rng: neither CPU nor firmware has random numbers here: they come of differences of time alone");
	rng->told = true;
}

/* Fill the beginning of the buffer. Returns how much of it; 0: it is none of the device's to write, or not in memory. */
static uint32_t fill(struct virtio_rng *rng, const struct virtio_buffer *buffer)
{
	uint32_t size = (uint32_t)min_u64(min_u64(buffer->size, PIECE), VIRTIO_RNG_MOST - rng->given);
	struct virtio *virtio = &rng->virtio;
	uint8_t bytes[PIECE];
	enum err err;

	if (!buffer->writable)
		return 0;
	random_bytes(bytes, size);
	err = addr_space_write(virtio->device.table->memory, buffer->gpa, bytes, size);
	explicit_bzero(bytes, sizeof(bytes));
	if (err == ERR_OK)
		return size;
	virtio_stop(virtio, "a buffer of its driver's is not in memory");
	return 0;
}

static bool serve(struct virtio *virtio, unsigned queue, uint32_t *written)
{
	struct virtio_rng *rng = CONTAINER_OF(virtio, struct virtio_rng, virtio);
	struct virtio_buffer *buffer;
	unsigned left;
	uint32_t size;

	(void)queue;
	if (virtio->chain.count == 0) /* it has just been taken */
		rng->given = 0;
	buffer = virtio_buffers(virtio, &left);
	*written = rng->given;
	if (left == 0 || rng->given == VIRTIO_RNG_MOST)
		return true;
	size = fill(rng, buffer);
	tell_of_source(rng);
	buffer->gpa.raw += size;
	buffer->size -= size;
	if (size == 0 || buffer->size == 0)
		virtio_used(virtio, 1);
	*written = rng->given += size;
	return size <= LITTLE && virtio_is_over(virtio);
}

void virtio_rng_init(struct virtio_rng *rng, uint64_t base, unsigned line)
{
	static const struct virtio_kind kind = {
		.name = "rng",
		.id = DEVICE_ID,
		.queues = 1,
		.serve = serve,
	};

	*rng = (struct virtio_rng){ 0 };
	virtio_init(&rng->virtio, &kind, base, line);
}

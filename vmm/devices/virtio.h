/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The transport of virtio devices: registers in memory, features, and queues in the guest's memory ("split virtqueues").
 * Source: Virtual I/O Device (VIRTIO) Version 1.2, OASIS; the sections that comments name are its. The registers are those of 4.2
 * "Virtio Over MMIO" of a modern device: the legacy interface is not there.
 *
 * All that lies in the guest's memory is the guest's to change at any time. It is copied before it is looked at, and what does not
 * make sense stops the device until its driver resets it (2.1.2 DEVICE_NEEDS_RESET).
 *
 * A device's state is plain data without a pointer to anything of its VM's, but for io_device.table, which device_add sets: a
 * fork's is made by assignment and device_add.
 */
#ifndef NESTLING_VMM_DEVICES_VIRTIO_H
#define NESTLING_VMM_DEVICES_VIRTIO_H

#include "include/types.h"
#include "vmm/devices/device.h"

#define VIRTIO_REGISTERS   0x200 /* bytes */
#define VIRTIO_CONFIG      0x100 /* where the device's own registers begin, */
#define VIRTIO_CONFIG_MAX  64    /* and how many bytes they have at most */
#define VIRTIO_QUEUES      4
#define VIRTIO_QUEUE_MAX   128 /* the longest queue, and so the longest chain */
#define VIRTIO_F_INDIRECT  BIT(28)
#define VIRTIO_F_VERSION_1 BIT(32)

struct virtio;

/* So many are read at once: all of a report (drivers/virtio/virtio_balloon.c in Linux). */
#define VIRTIO_BUFFERS 32

/* A buffer that the driver offers: some of the guest's memory. */
struct virtio_buffer {
	gpa_t gpa;
	uint32_t size;
	bool writable; /* by the device; else it reads it */
};

/* What a kind of device is besides the transport. */
struct virtio_kind {
	const char *name;
	uint32_t id; /* 5 "Device Types" */
	unsigned queues;
	uint64_t features; /* that it offers besides the transport's */
	unsigned config_size;
	unsigned writable, writable_size; /* what of it the driver may write */
	/*
	 * Do a piece of what the chain in hand of queue `queue` asks for (virtio_buffers), some 100,000 instructions at most. True:
	 * the chain is done, and `*written` bytes of its writable buffers are. With the lock of the device's table.
	 */
	bool (*serve)(struct virtio *virtio, unsigned queue, uint32_t *written);
	/* Has what is offered in this queue any use now? Else it is left there. NULL: always. */
	bool (*has_use)(const struct virtio *virtio, unsigned queue);
	/* The driver has reset the device. NULL: nothing is left to be done then. */
	void (*reset)(struct virtio *virtio);
};

struct virtio_queue {
	uint64_t descriptors, driver, device; /* guest-physical: descriptor table, available ring, used ring */
	uint16_t size;
	bool ready;
	bool notified;  /* the driver has said that there is something new */
	bool used;      /* it is to be told that there is */
	uint16_t next;  /* of the available ring's entries, counted as its idx is: the first that has not been taken, */
	uint16_t end;   /* and the first that was not there when the driver notified last */
	uint16_t given; /* the used ring's idx */
};

/* The chain in hand: how far it has been read, which is a place in a table of descriptors, and what was read and not used yet. */
struct virtio_chain {
	bool taken;
	bool indirect, over;
	uint16_t head;
	uint16_t next, count; /* the next descriptor; those that were read */
	uint32_t size;        /* of the table, in descriptors */
	uint64_t table;       /* guest-physical */
	unsigned first, end;  /* of `buffer` */
	struct virtio_buffer buffer[VIRTIO_BUFFERS];
};

struct virtio {
	struct io_device device;
	const struct virtio_kind *kind;
	uint64_t features; /* that the driver has accepted */
	uint32_t device_features_sel, driver_features_sel, queue_sel;
	uint32_t status, interrupt;
	unsigned complaints; /* about its driver; the first few are logged */
	unsigned current;    /* the queue that `chain` is of */
	struct virtio_chain chain;
	struct virtio_queue queue[VIRTIO_QUEUES];
	uint8_t config[VIRTIO_CONFIG_MAX];
};

/* Set up at guest-physical `base`, in its reset state, with a zeroed configuration; it drives `line`. */
void virtio_init(struct virtio *virtio, const struct virtio_kind *kind, uint64_t base, unsigned line);

static inline bool virtio_has(const struct virtio *virtio, uint64_t feature)
{
	return virtio->features & feature;
}

/*
 * The next buffers of the chain in hand, and their number, VIRTIO_BUFFERS at most. 0: it has no more; or it is not a chain, and the
 * device has stopped. They are the next ones again, and may be changed, until virtio_used says that some are done with.
 */
struct virtio_buffer *virtio_more_buffers(struct virtio *virtio, unsigned *count);
static inline struct virtio_buffer *virtio_buffers(struct virtio *virtio, unsigned *count)
{
	struct virtio_chain *chain = &virtio->chain;

	if (chain->first == chain->end || !chain->taken)
		return virtio_more_buffers(virtio, count);
	*count = chain->end - chain->first;
	return &chain->buffer[chain->first];
}
static inline void virtio_used(struct virtio *virtio, unsigned count)
{
	virtio->chain.first += count;
}
/* Are all buffers of the chain in hand done with? */
static inline bool virtio_is_over(const struct virtio *virtio)
{
	return virtio->chain.over && virtio->chain.first == virtio->chain.end;
}
/* Keep the chain in hand, to give it back later: virtio_give. `serve` returns true after this. Returns its head. */
static inline uint16_t virtio_keep(struct virtio *virtio)
{
	virtio->chain.taken = false;
	return virtio->chain.head;
}

/* The device cannot go on with what its driver has given it: it stops until it is reset. Says so, unless it has often enough. */
void virtio_stop(struct virtio *virtio, const char *why);

/* Give back a chain that was taken before, by its head, and tell the driver. With the table's lock. */
void virtio_give(struct virtio *virtio, unsigned queue, uint16_t head, uint32_t written);

#endif

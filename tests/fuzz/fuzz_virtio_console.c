/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A virtio console. Whatever the driver does and whenever something is typed, the device ends, keeps no more than it has room for,
 * and its line is what its interrupt status says. Input: bytes, from which all is drawn.
 */
#include "vmm/devices/virtio_console.h"

#include "tests/fuzz/virtio.h"

static struct virtio_console device;

static void check(void)
{
	CHECK(device.count <= VIRTIO_CONSOLE_ROOM && device.first < VIRTIO_CONSOLE_ROOM, "%u from %u", device.count, device.first);
}

static void type(struct host_rng *rng)
{
	for (uint64_t i = host_below(rng, 2 * VIRTIO_CONSOLE_ROOM); i > 0; i--)
		(void)device_type(device.virtio.device.table, (uint8_t)i);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct fuzz_virtio fuzz = {
		.virtio = &device.virtio,
		.queues = 2,
		.features = VIRTIO_F_INDIRECT,
		.work_max = 100000, /* chains of VIRTIO_QUEUE_MAX, each as long, of buffers that are all of memory, in pieces of 64
				       bytes */
		.check = check,
	};
	struct host_rng rng = host_rng_of_bytes(data, size);

	virtio_console_init(&device, FUZZ_BASE, FUZZ_LINE);
	fuzz_virtio_run(&fuzz, &rng, type);
	return 0;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A virtio entropy device. Whatever the driver does, the device ends, gives a chain no more than it may, and its line is what its
 * interrupt status says. Input: bytes, from which all is drawn; random numbers are none, so that a run is the same each time.
 */
#include "vmm/devices/virtio_rng.h"

#include <string.h>

#include "drivers/random.h"
#include "tests/fuzz/virtio.h"

static struct virtio_rng device;

void random_bytes(void *bytes, size_t size)
{
	memset(bytes, 0xa5, size);
}

bool random_has_source(void)
{
	return true;
}

static void check(void)
{
	CHECK(device.given <= VIRTIO_RNG_MOST, "%u bytes", device.given);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct fuzz_virtio fuzz = {
		.virtio = &device.virtio,
		.queues = 1,
		.features = VIRTIO_F_INDIRECT,
		.work_max = 40000, /* chains of VIRTIO_QUEUE_MAX, times what one gets, times empty buffers */
		.check = check,
	};
	struct host_rng rng = host_rng_of_bytes(data, size);

	virtio_rng_init(&device, FUZZ_BASE, FUZZ_LINE);
	fuzz_virtio_run(&fuzz, &rng, NULL);
	return 0;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A virtio balloon and its transport. Whatever the driver does, the device ends, writes nothing but used rings, gives back
 * nothing but RAM that it was told of, and its line is what its interrupt status says. Input: bytes, from which all is drawn.
 */
#include "vmm/devices/balloon.h"

#include "tests/fuzz/virtio.h"

static struct balloon balloon;

static void ask(struct host_rng *rng)
{
	(void)rng;
	balloon_ask(&balloon);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct fuzz_virtio fuzz = {
		.virtio = &balloon.virtio,
		.queues = 4,
		.features = BIT(1) | BIT(2) | BIT(5) | VIRTIO_F_INDIRECT,
		.work_max = 4000, /* chains of VIRTIO_QUEUE_MAX, times buffers of RAM's pages */
	};
	struct host_rng rng = host_rng_of_bytes(data, size);

	balloon_init(&balloon, FUZZ_BASE, FUZZ_LINE);
	fuzz_virtio_run(&fuzz, &rng, ask);
	return 0;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return 0;
}

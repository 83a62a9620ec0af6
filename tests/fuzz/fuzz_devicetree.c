/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The firmware's device tree, from where boot finds it to what is read in it. Input: a byte of how the tree lies in memory
 * and what else the firmware offers, and the tree, which ends where memory does.
 */
#include <libfdt.h>
#include <string.h>

#include "boot/memory.h"
#include "boot/reserved.h"
#include "boot/tables.h"
#include "drivers/devicetree.h"
#include "drivers/simple_framebuffer.h"
#include "tests/fuzz/fuzz.h"
#include "tests/host/efi.h"

/* What is read in it on Arm. */
#include "drivers/aarch64/controller.c"
#include "drivers/aarch64/cpu_tables.c"

#define PAGES 16

const struct controller_driver gicv2, gicv3, bcm2836;

static unsigned room;

enum err memory_exclude(hpa_t start, uint64_t size)
{
	(void)start;
	(void)size;
	return room-- > 0 ? ERR_OK : ERR_RANGE;
}

bool psci_takes_smc(void)
{
	return true;
}

/* Whatever a tree says, the CPU could map and address what is taken from it. */
static void read_for_arm(const void *fdt)
{
	const struct platform platform = { .fdt = fdt };
	static struct controller controller;
	struct cpu_place places[4];
	unsigned count = cpu_tables_read(&platform, places, ARRAY_LEN(places));

	for (unsigned i = 0; i < count && i < ARRAY_LEN(places); i++) {
		CHECK((places[i].affinity & ~MPIDR_AFFINITY) == 0, "CPU %#jx", (uintmax_t)places[i].affinity);
		CHECK(places[i].start != CPU_START_SPIN || places[i].release % 8 == 0, "%#jx", (uintmax_t)places[i].release);
	}
	if (!controller_find(&platform, &controller))
		return;
	CHECK(controller.driver && controller.regions > 0 && controller.regions <= CONTROLLER_REGIONS, "%u", controller.regions);
	for (unsigned i = 0; i < controller.regions; i++) {
		const struct controller_region *region = &controller.region[i];

		CHECK(region->start % PAGE_SIZE == 0 && region->size % PAGE_SIZE == 0, "region %u", i);
		CHECK(region->start > 0 && region->size > 0 && region->size <= GIB(1), "region %u", i);
		CHECK(region->start < BIT(48) && region->start + region->size <= BIT(48), "region %u", i);
	}
	CHECK(controller.timer >= 16 && controller.timer < 32, "timer %u", controller.timer);
	CHECK(controller.offset < PAGE_SIZE && controller.stride % KIB(64) == 0, "%#jx", (uintmax_t)controller.stride);
}

static void read_all(const void *fdt)
{
	struct serial_port port;
	struct framebuffer screen;
	uint64_t address, size;

	for (int node = fdt_next_node(fdt, -1, NULL); node >= 0; node = fdt_next_node(fdt, node, NULL))
		for (unsigned n = 0; devicetree_reg(fdt, node, n, &address, &size) == ERR_OK; n++)
			;
	if (devicetree_find_serial(fdt, NULL, &port) == ERR_OK)
		fuzz_check_port(&port);
	if (devicetree_guess_serial(fdt, NULL, &port) == ERR_OK)
		fuzz_check_port(&port);
	if (simple_framebuffer_find(fdt, &screen) == ERR_OK)
		CHECK_ERR(framebuffer_check(&screen), ERR_OK);
	read_for_arm(fdt);
	room = 8;
	reserved_exclude(fdt);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const EFI_GUID dtb = EFI_DTB_TABLE_GUID;
	static uint8_t *memory;
	struct firmware_map map;
	struct platform platform;
	uint8_t *at;

	if (size < 1 || size > (PAGES - 1) * PAGE_SIZE)
		return 0;
	if (!memory)
		memory = fuzz_memory(0, PAGES);
	at = memory + PAGES * PAGE_SIZE - (size - 1) - (data[0] & 7);
	memset(memory, 0xa5, PAGES * PAGE_SIZE);
	memcpy(at, data + 1, size - 1);
	efi_reset();
	efi_describe(EfiBootServicesData, memory, PAGES);
	efi_add_table(dtb, at);
	if (data[0] & 8)
		efi_set_hart(data[0] & 16 ? EFI_SUCCESS : EFI_DEVICE_ERROR, 5);
	CHECK_ERR(firmware_get_map(&map), ERR_OK);
	tables_find(&platform, &map);
	if (platform.fdt)
		read_all(platform.fdt);
	return 0;
}

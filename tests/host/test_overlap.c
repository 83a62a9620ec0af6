/* SPDX-License-Identifier: BSD-2-Clause */
/* Places that the firmware's tables tell of, and what is there already. */
#include "boot/overlap.h"

#include <string.h>

#include "boot/memory.h"
#include "drivers/uart.h"
#include "include/arch/io.h"
#include "include/arch/machine.h"
#include "mm/frame.h"
#include "tests/host/efi.h"

#define FREE    UINT64_C(0x40000000)
#define RUNTIME UINT64_C(0x50000000)
#define TABLES  UINT64_C(0x60000000)
#define DEVICE  UINT64_C(0x09000000)
#define KEPT    UINT64_C(0x70000000)
#define SCREEN  UINT64_C(0x80000000)
#define PAGES   1024u

static struct firmware_map map;
static void *ours;
static struct ram_range excluded[4];
static size_t excluded_count;

/* The CPU's tables are in boot services' memory. */
void arch_in_use(arch_region_visitor visit, void *context)
{
	visit(HPA(TABLES), PAGE_SIZE, context);
}

/* No port of this program is ever used. */
bool arch_serial_default(struct serial_port *port)
{
	(void)port;
	return false;
}

uint8_t arch_port_read(uint16_t port)
{
	(void)port;
	return 0xff;
}

void arch_port_write(uint16_t port, uint8_t value)
{
	(void)port;
	(void)value;
}

bool memory_get_excluded(size_t n, struct ram_range *range)
{
	return n < excluded_count && (*range = excluded[n], true);
}

static int setup(void **state)
{
	(void)state;
	efi_reset();
	efi_describe(EfiConventionalMemory, (const void *)FREE, PAGES);
	efi_describe(EfiRuntimeServicesData, (const void *)RUNTIME, PAGES);
	efi_describe(EfiBootServicesData, (const void *)TABLES, PAGES);
	efi_describe(EfiMemoryMappedIO, (const void *)DEVICE, 1);
	efi_describe(EfiReservedMemoryType, (const void *)KEPT, PAGES);
	ours = firmware_alloc_pages(1);
	CHECK_ERR(firmware_get_map(&map), ERR_OK);
	overlap_set_map(&map);
	host_log_clear();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	efi_reset();
	return 0;
}

static void check_serial(uint64_t base, bool fits)
{
	const struct serial_port port = { .driver = &uart_pl011, .base = base, .size = PAGE_SIZE, .width = 4 };

	host_log_clear();
	CHECK_EQ(overlap_serial_fits(&port), fits);
	CHECK(host_log_lines() == (fits ? 0 : 1), "%#lx: %u lines", base, host_log_lines());
}

static void a_port_is_in_no_memory(void **state)
{
	const struct serial_port by_port = { .driver = &uart_16550, .by_io_port = true, .base = 0x3f8, .size = 8 };
	const struct serial_port by_sink = { .driver = NULL };

	(void)state;
	check_serial(DEVICE, true);
	check_serial(0x10000000, true); /* nobody says what is there */
	check_serial(KEPT, true);
	check_serial(FREE, false);
	check_serial(FREE - 1, false);
	check_serial(FREE + PAGES * PAGE_SIZE - 1, false);
	check_serial(FREE + PAGES * PAGE_SIZE, true);
	check_serial(RUNTIME, false);
	check_serial(TABLES, false);
	check_serial((uintptr_t)ours, false);
	check_serial(UINT64_MAX - 100, false);
	host_log_clear();
	CHECK_EQ(overlap_serial_fits(&by_port), true);
	CHECK_EQ(overlap_serial_fits(&by_sink), true);
	overlap_set_map(NULL);
	check_serial(FREE, true);
}

static bool fits(uint64_t base)
{
	const struct framebuffer framebuffer = { HPA(base), MIB(1), 400, 300, 400, false };

	host_log_clear();
	return overlap_screen_fits(&framebuffer);
}

/* A screen may be in memory, but not in that which somebody uses. */
static void a_screen_is_in_no_memory_in_use(void **state)
{
	(void)state;
	CHECK_EQ(fits(SCREEN), true);
	CHECK_EQ(fits(FREE), true);
	CHECK_EQ(fits(KEPT), true);
	CHECK_EQ(fits(TABLES + MIB(2)), true);
	CHECK_EQ(host_log_lines(), 0);
	CHECK_EQ(fits(TABLES), false);
	CHECK_EQ(host_log_lines(), 1);
	CHECK_EQ(fits(RUNTIME), false);
	CHECK_EQ(fits(RUNTIME - 4096), false);
	CHECK_EQ(fits(align_down((uintptr_t)ours, PAGE_SIZE)), false);
}

static void a_screen_is_kept(void **state)
{
	const struct framebuffer framebuffer = { HPA(FREE), MIB(1), 400, 300, 400, false };

	(void)state;
	overlap_keep_screen(&framebuffer);
	CHECK_EQ(efi_taken_count(), 118); /* 480,000 bytes */
	CHECK_EQ(efi_taken(FREE + 117 * PAGE_SIZE), EfiReservedMemoryType);
}

static void what_is_reserved_is_kept(void **state)
{
	(void)state;
	excluded[0] = (struct ram_range){ HPA(FREE - PAGE_SIZE), 2 * PAGE_SIZE };
	excluded[1] = (struct ram_range){ HPA(TABLES), PAGE_SIZE };
	excluded[2] = (struct ram_range){ HPA(FREE + 7 * PAGE_SIZE), 2 * PAGE_SIZE };
	excluded_count = 3;
	overlap_keep_excluded();
	CHECK_EQ(efi_taken_count(), 3);
	CHECK_EQ(efi_taken(FREE), EfiReservedMemoryType);
	CHECK_EQ(efi_taken(FREE + 8 * PAGE_SIZE), EfiReservedMemoryType);
	overlap_set_map(NULL);
	overlap_keep_excluded();
	CHECK_EQ(efi_taken_count(), 3);
}

static void what_is_reserved_is_not_ours(void **state)
{
	(void)state;
	excluded[0] = (struct ram_range){ HPA(FREE), PAGE_SIZE };
	excluded[1] = (struct ram_range){ HPA((uintptr_t)ours + PAGE_SIZE), PAGE_SIZE };
	excluded_count = 2;
	CHECK_ERR(overlap_check_excluded(), ERR_OK);
	CHECK_EQ(host_log_lines(), 0);
	excluded[1].start.raw--;
	CHECK_ERR(overlap_check_excluded(), ERR_EXISTS);
	CHECK_EQ(host_log_lines(), 1);
	CHECK(strstr(host_log_line(0), "reserved"), "%s", host_log_line(0));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_port_is_in_no_memory),   TEST(a_screen_is_in_no_memory_in_use), TEST(a_screen_is_kept),
		TEST(what_is_reserved_is_kept), TEST(what_is_reserved_is_not_ours),
	};

	return cmocka_run_group_tests_name("overlap", tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ACPI's tables. Input: a byte of flags, where the root pointer is said to be (two bytes), and memory with the tables. Their
 * checksums are put right, so that a fuzzer gets behind them, unless a flag says not to.
 */
#include "drivers/acpi.h"

#include <stdlib.h>
#include <string.h>

#include "boot/tables.h"
#include "drivers/acpi_fadt.h"
#include "drivers/acpi_madt.h"
#include "drivers/acpi_serial.h"
#include "tests/fuzz/fuzz.h"
#include "tests/host/efi.h"

/* Below 4 GiB, since the older root table has 32-bit addresses; the seeds (tests/fuzz/seeds) know it. */
#define MEMORY_LOW 0x10000000
#define PAGES      2
#define SIZE       (PAGES * PAGE_SIZE)

enum { FLAG_KEEP_CHECKSUMS = 1, FLAG_OLD_GUID = 2 };

static uint8_t *memory;
static acpi_reader firmware_reader;

/* What was read, as copies of exactly that size, so that the sanitizer sees what is read beyond. */
static void *copies[4096];
static size_t copy_count;

static const void *reader(uint64_t address, uint64_t size)
{
	const void *bytes = firmware_reader(address, size);

	if (!bytes)
		return NULL;
	assert_true(copy_count < ARRAY_LEN(copies));
	return copies[copy_count++] = fuzz_copy(bytes, size);
}

static void forget_copies(void)
{
	while (copy_count > 0)
		free(copies[--copy_count]);
}

/* Make `size` bytes add up to 0 by the one at `checksum`. */
static void fix(size_t at, size_t size, size_t checksum)
{
	uint8_t sum = 0;

	if (size > SIZE - at || checksum >= size)
		return;
	memory[at + checksum] = 0;
	for (size_t i = 0; i < size; i++)
		sum = (uint8_t)(sum + memory[at + i]);
	memory[at + checksum] = (uint8_t)-sum;
}

static uint32_t word_at(size_t at)
{
	uint32_t word;

	memcpy(&word, memory + at, sizeof(word));
	return word;
}

static void fix_tables(size_t used)
{
	static const char signatures[][4] = { "RSDT", "XSDT", "SPCR", "FACP", "APIC" };
	uint32_t known[ARRAY_LEN(signatures)];

	memcpy(known, signatures, sizeof(known));
	for (size_t at = 0; at + 36 <= used; at++)
		for (size_t i = 0; i < ARRAY_LEN(known); i++)
			if (word_at(at) == known[i])
				fix(at, word_at(at + 4), 9);
	for (size_t at = 0; at + 20 <= used; at++) {
		if (memory[at] != 'R' || memcmp(memory + at, "RSD PTR ", 8) != 0)
			continue;
		fix(at, 20, 8);
		fix(at, 36, 32);
	}
}

static void find_cpus(const void *rsdp)
{
	uint64_t ids[4];
	struct cpu_ids list = { ids, ARRAY_LEN(ids), 0 };
	enum err err = madt_find_local_apics(rsdp, reader, &list);

	CHECK(err == ERR_OK || err == ERR_CORRUPT || list.count == 0, "%u CPUs of no table", list.count);
	for (unsigned i = 1; i < list.count && i < list.room; i++)
		for (unsigned j = 0; j < i; j++)
			CHECK(ids[i] != ids[j], "CPU %u is CPU %u", i, j);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const EFI_GUID acpi_2 = ACPI_20_TABLE_GUID, acpi_1 = ACPI_TABLE_GUID;
	struct firmware_map map;
	struct platform platform;
	struct serial_port port;
	const void *table;
	size_t bytes, used;
	uint16_t timer;

	if (size < 3)
		return 0;
	if (!memory)
		memory = fuzz_memory(MEMORY_LOW, PAGES);
	memset(memory, 0, SIZE);
	used = min_u64(size - 3, SIZE);
	memcpy(memory, data + 3, used);
	if (!(data[0] & FLAG_KEEP_CHECKSUMS))
		fix_tables(used);
	efi_reset();
	efi_describe(EfiACPIReclaimMemory, memory, PAGES);
	efi_add_table(data[0] & FLAG_OLD_GUID ? acpi_1 : acpi_2, memory + (data[1] | data[2] << 8));
	CHECK_ERR(firmware_get_map(&map), ERR_OK);
	tables_find(&platform, &map);
	firmware_reader = platform.acpi_reader;
	if (acpi_find_debug_port(platform.acpi_rsdp, reader, &port) == ERR_OK)
		fuzz_check_port(&port);
	if (acpi_find_serial(platform.acpi_rsdp, reader, &port) == ERR_OK)
		fuzz_check_port(&port);
	if (acpi_find_table(platform.acpi_rsdp, reader, "FACP", &table, &bytes) == ERR_OK)
		CHECK(bytes >= 36 && memcmp(table, "FACP", 4) == 0, "%zu bytes", bytes);
	if (fadt_find_pm_timer(platform.acpi_rsdp, reader, &timer) == ERR_OK)
		CHECK(timer != 0 && timer <= UINT16_MAX - 3, "port %#x", timer);
	find_cpus(platform.acpi_rsdp);
	forget_copies();
	return 0;
}

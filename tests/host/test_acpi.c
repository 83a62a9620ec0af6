/* SPDX-License-Identifier: BSD-2-Clause */
/* ACPI's tables: found through both roots, and however malformed they are, nothing outside them is read. */
#include "drivers/acpi.h"

#include <stdlib.h>
#include <string.h>

#include "drivers/acpi_fadt.h"
#include "drivers/acpi_madt.h"
#include "drivers/acpi_serial.h"
#include "drivers/uart.h"
#include "tests/host/host.h"

#define MEMORY_START 0x7f000000
#define MEMORY_SIZE  KIB(4)

/* Where the tables are, as offsets. They are as little aligned as the specification allows. */
enum { RSDP = 0x10, RSDT = 0x101, XSDT = 0x203, FACP = 0x305, SPCR = 0x407, MADT = 0x509 };

enum { HEADER_BYTES = 36, RSDT_BYTES = HEADER_BYTES + 2 * 4, XSDT_BYTES = HEADER_BYTES + 2 * 8, SPCR_BYTES = 80 };

static uint8_t memory[MEMORY_SIZE];

/* What was read, as copies of exactly that size, so that the sanitizer sees what is read beyond. */
static void *copies[256];
static size_t copy_count;

static const void *reader(uint64_t address, uint64_t size)
{
	void *copy;

	if (address < MEMORY_START || size > MEMORY_SIZE || address - MEMORY_START > MEMORY_SIZE - size)
		return NULL;
	assert_true(copy_count < ARRAY_LEN(copies));
	copy = malloc(size ? size : 1);
	assert_non_null(copy);
	memcpy(copy, memory + (address - MEMORY_START), size);
	return copies[copy_count++] = copy;
}

static void forget_copies(void)
{
	while (copy_count > 0)
		free(copies[--copy_count]);
}

static void put(unsigned at, uint64_t value, size_t bytes)
{
	memcpy(memory + at, &value, bytes);
}

/* Make `size` bytes at `at` add up to 0 by the one at `checksum`. */
static void fix(unsigned at, size_t size, unsigned checksum)
{
	uint8_t sum = 0;

	memory[at + checksum] = 0;
	for (size_t i = 0; i < size; i++)
		sum = (uint8_t)(sum + memory[at + i]);
	memory[at + checksum] = (uint8_t)-sum;
}

static void fix_table(unsigned at)
{
	uint32_t length;

	memcpy(&length, memory + at + 4, sizeof(length));
	fix(at, length, 9);
}

static void put_table(unsigned at, const char *signature, uint32_t length)
{
	memset(memory + at, 0, length);
	memcpy(memory + at, signature, 4);
	put(at + 4, length, 4);
	fix_table(at);
}

static void put_rsdp(uint8_t revision)
{
	memset(memory + RSDP, 0, 36);
	memcpy(memory + RSDP, "RSD PTR ", 8);
	memory[RSDP + 15] = revision;
	put(RSDP + 16, MEMORY_START + RSDT, 4);
	fix(RSDP, 20, 8);
	if (revision >= 2) {
		put(RSDP + 20, 36, 4);
		put(RSDP + 24, MEMORY_START + XSDT, 8);
		fix(RSDP, 36, 32);
	}
}

static void put_spcr(uint8_t interface, uint8_t space, uint8_t width, uint8_t access, uint64_t address)
{
	put_table(SPCR, "SPCR", SPCR_BYTES);
	memory[SPCR + 36] = interface;
	memory[SPCR + 40] = space;
	memory[SPCR + 41] = width;
	memory[SPCR + 43] = access;
	put(SPCR + 44, address, 8);
	fix_table(SPCR);
}

static int setup(void **state)
{
	(void)state;
	memset(memory, 0xa5, sizeof(memory));
	put_rsdp(2);
	put_table(FACP, "FACP", 100);
	put_spcr(3, 0, 32, 3, 0x09000000);
	put_table(RSDT, "RSDT", RSDT_BYTES);
	put(RSDT + HEADER_BYTES, MEMORY_START + FACP, 4);
	put(RSDT + HEADER_BYTES + 4, MEMORY_START + SPCR, 4);
	fix_table(RSDT);
	put_table(XSDT, "XSDT", XSDT_BYTES);
	put(XSDT + HEADER_BYTES, MEMORY_START + FACP, 8);
	put(XSDT + HEADER_BYTES + 8, MEMORY_START + SPCR, 8);
	fix_table(XSDT);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	forget_copies();
	return 0;
}

static const void *root_pointer(void)
{
	return (const void *)(uintptr_t)(MEMORY_START + RSDP);
}

static enum err find(struct serial_port *port)
{
	enum err err = acpi_find_serial(root_pointer(), reader, port);

	forget_copies();
	return err;
}

static void a_table_is_found_through_either_root(void **state)
{
	(void)state;
	for (uint8_t revision = 0; revision <= 2; revision += 2) {
		const void *table;
		size_t size;

		put_rsdp(revision);
		CHECK_ERR(acpi_find_table(root_pointer(), reader, "SPCR", &table, &size), ERR_OK);
		CHECK_EQ(size, SPCR_BYTES);
		assert_memory_equal(table, memory + SPCR, SPCR_BYTES);
		CHECK_ERR(acpi_find_table(root_pointer(), reader, "MCFG", &table, &size), ERR_NOT_FOUND);
	}
}

static void each_checksum_counts(void **state)
{
	static const struct {
		unsigned at, size;
	} tables[] = { { RSDP, 36 }, { XSDT, XSDT_BYTES }, { SPCR, SPCR_BYTES } };
	struct serial_port port;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
		for (unsigned byte = 0; byte < tables[i].size; byte++) {
			memory[tables[i].at + byte] ^= 0x40;
			CHECK(find(&port) != ERR_OK, "byte %u of table %zu", byte, i);
			memory[tables[i].at + byte] ^= 0x40;
		}
	}
	CHECK_ERR(find(&port), ERR_OK);
}

static void pointers_lead_to_memory_or_nowhere(void **state)
{
	struct serial_port port;

	(void)state;
	put(XSDT + HEADER_BYTES, 0xfffffffffffffff0, 8); /* another table is nobody's business */
	fix_table(XSDT);
	CHECK_ERR(find(&port), ERR_OK);
	put(XSDT + HEADER_BYTES + 8, MEMORY_START + MEMORY_SIZE - 8, 8);
	fix_table(XSDT);
	CHECK_ERR(find(&port), ERR_NOT_FOUND);
	put(RSDP + 24, 0x10, 8);
	fix(RSDP, 36, 32);
	CHECK_ERR(find(&port), ERR_CORRUPT);
	CHECK_ERR(acpi_find_serial((const void *)0x10, reader, &port), ERR_CORRUPT);
}

static void lengths_are_believed_within_bounds(void **state)
{
	static const uint32_t lengths[] = { 0, 4, 35, MEMORY_SIZE, 0x7fffffff, 0xffffffff };
	struct serial_port port;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		put(SPCR + 4, lengths[i], 4);
		CHECK_ERR(find(&port), ERR_CORRUPT);
		put_spcr(3, 0, 32, 3, 0x09000000);
		put(XSDT + 4, lengths[i], 4);
		CHECK_ERR(find(&port), ERR_CORRUPT);
		put(XSDT + 4, XSDT_BYTES, 4);
	}
	put_table(SPCR, "SPCR", 51); /* one byte short of the address */
	CHECK_ERR(find(&port), ERR_CORRUPT);
}

static void ports_are_what_spcr_says(void **state)
{
	static const struct {
		uint8_t interface, space, width, access;
		uint64_t address;
		enum err err;
		struct serial_port port;
	} cases[] = {
		{ 3,
		  0,
		  32,
		  3,
		  0x09000000,
		  ERR_OK,
		  { .driver = &uart_pl011, .base = 0x09000000, .size = KIB(4), .width = 4, .shift = 2 } },
		{ 0x0e,
		  0,
		  32,
		  3,
		  0x60000000,
		  ERR_OK,
		  { .driver = &uart_pl011, .base = 0x60000000, .size = KIB(4), .width = 4, .shift = 2 } },
		{ 0, 1, 8, 1, 0x3f8, ERR_OK, { .driver = &uart_16550, .by_io_port = true, .base = 0x3f8, .size = 8, .width = 1 } },
		{ 1,
		  1,
		  8,
		  0,
		  0x2f8,
		  ERR_OK, /* an old table, without an access size */
		  { .driver = &uart_16550, .by_io_port = true, .base = 0x2f8, .size = 8, .width = 1 } },
		{ 0, 0, 8, 1, 0x10000000, ERR_OK, { .driver = &uart_16550, .base = 0x10000000, .size = 8, .width = 1 } },
		{ 0,
		  0,
		  32,
		  3,
		  0x10000000,
		  ERR_OK,
		  { .driver = &uart_16550, .base = 0x10000000, .size = 32, .width = 4, .shift = 2 } },
		/* What QEMU's RISC-V machine says, whose registers are a byte apart. */
		{ 0x12, 0, 32, 1, 0x10000000, ERR_OK, { .driver = &uart_16550, .base = 0x10000000, .size = 8, .width = 1 } },
		{ 0x12,
		  0,
		  32,
		  3,
		  0x10000000,
		  ERR_OK,
		  { .driver = &uart_16550, .base = 0x10000000, .size = 32, .width = 4, .shift = 2 } },
		{ 0x12,
		  0,
		  8,
		  2,
		  0x10000000,
		  ERR_OK,
		  { .driver = &uart_16550, .base = 0x10000000, .size = 16, .width = 2, .shift = 1 } },
		{ 0x10,
		  0,
		  32,
		  3,
		  0x3f215000,
		  ERR_OK,
		  { .driver = &uart_16550, .base = 0x3f215040, .size = 32, .width = 4, .shift = 2 } },
		{ 0x02, 0, 32, 3, 0x1000, ERR_UNSUPPORTED, { 0 } }, /* by SPI */
		{ 0x15, 0, 32, 3, 0x1000, ERR_UNSUPPORTED, { 0 } }, /* the SBI's console */
		{ 0x03, 1, 32, 3, 0x1000, ERR_UNSUPPORTED, { 0 } }, /* a PL011 at a port */
		{ 0x00, 2, 8, 1, 0x1000, ERR_UNSUPPORTED, { 0 } },  /* in PCI configuration space */
		{ 0x00, 0, 8, 1, 0, ERR_UNSUPPORTED, { 0 } },       /* redirection is off */
		{ 0x00, 1, 8, 1, 0xfff9, ERR_UNSUPPORTED, { 0 } },  /* beyond the last port */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct serial_port port;
		enum err err;

		put_spcr(cases[i].interface, cases[i].space, cases[i].width, cases[i].access, cases[i].address);
		err = find(&port);
		CHECK(err == cases[i].err, "case %zu: %s", i, host_err(err));
		if (err != ERR_OK)
			continue;
		CHECK(port.driver == cases[i].port.driver && port.by_io_port == cases[i].port.by_io_port &&
			      port.base == cases[i].port.base && port.size == cases[i].port.size &&
			      port.width == cases[i].port.width && port.shift == cases[i].port.shift,
		      "case %zu", i);
	}
}

/* --- The power-management timer --- */

enum { FADT = MADT };

/* The FADT takes the place of the short FACP. */
static enum err find_pm_timer(uint32_t size, uint32_t narrow, uint8_t length, uint8_t space, uint64_t wide, uint16_t *port)
{
	enum err err;

	memset(memory + FADT, 0, 300);
	put(FADT + 76, narrow, 4);
	memory[FADT + 91] = length;
	memory[FADT + 208] = space;
	put(FADT + 212, wide, 8);
	memcpy(memory + FADT, "FACP", 4);
	put(FADT + 4, size, 4);
	fix_table(FADT);
	put(XSDT + HEADER_BYTES, MEMORY_START + FADT, 8);
	fix_table(XSDT);
	err = fadt_find_pm_timer(root_pointer(), reader, port);
	forget_copies();
	return err;
}

static void the_timer_is_where_the_fadt_says(void **state)
{
	static const struct {
		uint32_t size, narrow;
		uint8_t length, space;
		uint64_t wide;
		enum err err;
		uint16_t port;
	} cases[] = {
		{ 244, 0x608, 4, 1, 0x608, ERR_OK, 0x608 },
		{ 244, 0x608, 4, 1, 0x708, ERR_OK, 0x708 },      /* the later field counts */
		{ 244, 0x608, 4, 0, 0xfed00000, ERR_OK, 0x608 }, /* not at a port */
		{ 244, 0x608, 4, 1, 0, ERR_OK, 0x608 },
		{ 244, 0x608, 4, 1, 0xfffd, ERR_UNSUPPORTED, 0 }, /* its last byte would be beyond the last port */
		{ 244, 0, 4, 1, 0xfffc, ERR_OK, 0xfffc },
		{ 219, 0x608, 4, 1, 0x708, ERR_OK, 0x608 }, /* one byte short of the later field */
		{ 116, 0x608, 4, 0, 0, ERR_OK, 0x608 },
		{ 92, 0x608, 4, 0, 0, ERR_OK, 0x608 },
		{ 91, 0x608, 4, 0, 0, ERR_CORRUPT, 0 },
		{ 244, 0x608, 0, 0, 0, ERR_UNSUPPORTED, 0 }, /* none */
		{ 244, 0, 4, 0, 0, ERR_UNSUPPORTED, 0 },
		{ 244, 0x10608, 4, 0, 0, ERR_UNSUPPORTED, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint16_t port = 0;
		enum err err = find_pm_timer(cases[i].size, cases[i].narrow, cases[i].length, cases[i].space, cases[i].wide, &port);

		CHECK(err == cases[i].err && port == cases[i].port, "case %zu: %s, port %#x", i, host_err(err), port);
	}
}

/* Of hardware-reduced ACPI the fields may hold anything. */
static void reduced_hardware_has_no_timer(void **state)
{
	uint16_t port;

	(void)state;
	CHECK_ERR(find_pm_timer(244, 0x608, 4, 1, 0x608, &port), ERR_OK);
	put(FADT + 112, 1u << 20, 4);
	fix_table(FADT);
	CHECK_ERR(fadt_find_pm_timer(root_pointer(), reader, &port), ERR_UNSUPPORTED);
	forget_copies();
	put(FADT + 112, ~(1u << 20), 4);
	fix_table(FADT);
	CHECK_ERR(fadt_find_pm_timer(root_pointer(), reader, &port), ERR_OK);
	forget_copies();
	/* A table of before there was that flag ends there. */
	put(FADT + 112, 1u << 20, 4);
	put(FADT + 4, 115, 4);
	fix_table(FADT);
	CHECK_ERR(fadt_find_pm_timer(root_pointer(), reader, &port), ERR_OK);
	forget_copies();
}

/* Without an XSDT the older root counts, whatever the revision. */
static void the_xsdt_may_be_missing(void **state)
{
	struct serial_port port;

	(void)state;
	put(RSDP + 24, 0, 8);
	fix(RSDP, 20, 8);
	fix(RSDP, 36, 32);
	CHECK_ERR(find(&port), ERR_OK);
	CHECK_EQ(port.base, 0x09000000);
	memory[RSDT + 9] ^= 1;
	CHECK_ERR(find(&port), ERR_CORRUPT);
}

/* --- CPUs --- */

enum { MADT_HEADER_BYTES = 44, ROOM = 64 };

/* What CPUs are found beside the one that asks, whose id is 0. */
static uint64_t found[ROOM];
static struct cpu_ids list;

static const uint8_t none[1];

/* The MADT takes the place of the FACP. */
static void put_madt(const uint8_t *entries, uint32_t size)
{
	put_table(MADT, "APIC", MADT_HEADER_BYTES + size);
	memcpy(memory + MADT + MADT_HEADER_BYTES, entries, size);
	fix_table(MADT);
	put(XSDT + HEADER_BYTES, MEMORY_START + MADT, 8);
	fix_table(XSDT);
}

static enum err find_apics(void)
{
	enum err err;

	list = (struct cpu_ids){ found, ROOM, 0 };
	cpu_ids_add(&list, 0);
	err = madt_find_local_apics(root_pointer(), reader, &list);
	forget_copies();
	return err;
}

static void check_found(const uint64_t *ids, unsigned count)
{
	CHECK_EQ(list.count, count);
	for (unsigned i = 0; i < count; i++)
		CHECK(found[i] == ids[i], "CPU %u: %#jx", i, (uintmax_t)found[i]);
}

#define APIC(id, flags)   0, 8, 0, (id), (flags), 0, 0, 0
#define X2APIC(id, flags) 9, 16, 0, 0, (id)&0xff, (id) >> 8 & 0xff, (id) >> 16 & 0xff, (id) >> 24, (flags), 0, 0, 0, 0, 0, 0, 0

static void cpus_are_those_that_are_enabled(void **state)
{
	static const uint8_t entries[] = {
		APIC(4, 1),
		1,
		12,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,          /* an I/O APIC */
		APIC(0, 1), /* ourselves */
		APIC(6, 0), /* disabled */
		APIC(7, 2), /* it may be plugged in later */
		X2APIC(0x12345, 1u),
		APIC(255, 1), /* all CPUs: no id */
		X2APIC(0xffffffff, 1u),
		X2APIC(6, 0u),
		X2APIC(4, 1u), /* once more, in the other form */
		APIC(4, 1),    /* and again */
		APIC(254, 3),
		0x80,
		2,               /* of a kind that nobody knows */
		X2APIC(255, 1u), /* which is an id here */
	};

	(void)state;
	put_madt(entries, sizeof(entries));
	CHECK_ERR(find_apics(), ERR_OK);
	check_found((const uint64_t[]){ 0, 4, 0x12345, 254, 255 }, 5);
}

static void without_a_madt_there_is_one_cpu(void **state)
{
	(void)state;
	CHECK_ERR(find_apics(), ERR_NOT_FOUND);
	check_found((const uint64_t[]){ 0 }, 1);
	put_madt(none, 0);
	CHECK_ERR(find_apics(), ERR_OK);
	check_found((const uint64_t[]){ 0 }, 1);
}

/* What comes before the damage counts; nothing that leads on is believed. */
static void a_broken_madt_ends_where_it_breaks(void **state)
{
	static const struct {
		uint8_t bytes[10], size;
		enum err err;
		unsigned count;
	} cases[] = {
		{ { 0, 0, 0, 9, 1, 0, 0, 0 }, 8, ERR_CORRUPT, 2 }, /* of no length: the next one would be itself */
		{ { 0, 1, 0, 9, 1, 0, 0, 0 }, 8, ERR_CORRUPT, 2 },
		{ { 0, 8, 0, 9, 1, 0, 0 }, 7, ERR_CORRUPT, 2 }, /* beyond the end */
		{ { 0, 255, 0, 9, 1, 0, 0, 0 }, 8, ERR_CORRUPT, 2 },
		{ { 0 }, 1, ERR_CORRUPT, 2 },
		{ { 0, 7, 0, 9, 1, 0, 0, 0x80, 2 }, 9, ERR_OK, 2 }, /* short for its kind: passed over */
		{ { 9, 8, 0, 0, 9, 0, 0, 0 }, 8, ERR_OK, 2 },
		{ { 0, 9, 0, 9, 1, 0, 0, 0, 0 }, 9, ERR_OK, 3 }, /* longer: a later specification's */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint8_t entries[8 + sizeof(cases[i].bytes)] = { APIC(4, 1) };
		enum err err;

		memcpy(entries + 8, cases[i].bytes, cases[i].size);
		put_madt(entries, 8u + cases[i].size);
		err = find_apics();
		CHECK(err == cases[i].err && list.count == cases[i].count && found[1] == 4, "case %zu: %s, %u CPUs", i,
		      host_err(err), list.count);
	}
	put_madt(none, 0);
	put(MADT + 4, MADT_HEADER_BYTES - 1, 4);
	fix_table(MADT);
	CHECK_ERR(find_apics(), ERR_CORRUPT);
	check_found((const uint64_t[]){ 0 }, 1);
}

static void more_cpus_than_there_is_room_for_are_counted(void **state)
{
	uint8_t entries[80 * 8];

	(void)state;
	for (uint8_t i = 0; i < 80; i++)
		memcpy(entries + i * 8, (const uint8_t[]){ APIC(i, 1) }, 8);
	put_madt(entries, sizeof(entries));
	CHECK_ERR(find_apics(), ERR_OK);
	CHECK_EQ(list.count, 80);
	for (unsigned i = 0; i < ROOM; i++)
		CHECK_EQ(found[i], i);
}

/* Bytes turned to others, with checksums that fit: found or refused, never read beyond. */
static void random_damage_does_no_harm(void **state)
{
	struct host_rng rng = host_rng("acpi", 5);
	unsigned steps = host_steps(20000), good = 0;

	for (unsigned i = 0; i < steps; i++) {
		struct serial_port port;
		uint32_t length;

		setup(state);
		for (unsigned n = 1 + (unsigned)host_below(&rng, 3); n > 0; n--)
			memory[RSDP + host_below(&rng, SPCR + SPCR_BYTES - RSDP)] = (uint8_t)host_random(&rng);
		fix(RSDP, 20, 8);
		fix(RSDP, 36, 32);
		for (unsigned at = RSDT; at <= SPCR; at += 0x102) {
			memcpy(&length, memory + at + 4, sizeof(length));
			if (length >= HEADER_BYTES && length <= MEMORY_SIZE - at)
				fix_table(at);
		}
		good += find(&port) == ERR_OK;
	}
	CHECK(steps < 20000 || (good > 0 && good < steps), "%u of %u were good", good, steps);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_table_is_found_through_either_root),
		TEST(each_checksum_counts),
		TEST(pointers_lead_to_memory_or_nowhere),
		TEST(lengths_are_believed_within_bounds),
		TEST(ports_are_what_spcr_says),
		TEST(the_timer_is_where_the_fadt_says),
		TEST(reduced_hardware_has_no_timer),
		TEST(the_xsdt_may_be_missing),
		TEST(cpus_are_those_that_are_enabled),
		TEST(without_a_madt_there_is_one_cpu),
		TEST(a_broken_madt_ends_where_it_breaks),
		TEST(more_cpus_than_there_is_room_for_are_counted),
		TEST(random_damage_does_no_harm),
	};

	return cmocka_run_group_tests_name("acpi", tests, NULL, NULL);
}

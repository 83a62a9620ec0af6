/* SPDX-License-Identifier: BSD-2-Clause */
/* Serial ports by ACPI: the kinds that SPCR may name, tables of all its revisions, and DBG2. */
#include "drivers/acpi_serial.c"

#include <stdlib.h>

#include "tests/host/host.h"

static struct {
	uint8_t *bytes; /* of just the table's size: what reads beyond is caught */
	size_t size;
} spcr, dbg2;

enum err acpi_find_table(const void *rsdp, acpi_reader reader, const char signature[4], const void **table, size_t *size)
{
	bool is_spcr = memcmp(signature, "SPCR", 4) == 0;

	(void)rsdp;
	(void)reader;
	*table = is_spcr ? spcr.bytes : dbg2.bytes;
	*size = is_spcr ? spcr.size : dbg2.size;
	return *size > 0 ? ERR_OK : ERR_NOT_FOUND;
}

static int teardown(void **state)
{
	(void)state;
	free(spcr.bytes);
	free(dbg2.bytes);
	memset(&spcr, 0, sizeof(spcr));
	memset(&dbg2, 0, sizeof(dbg2));
	return 0;
}

static void put_gas(uint8_t *at, uint8_t space, uint8_t width, uint8_t access, uint64_t address)
{
	at[0] = space;
	at[1] = width;
	at[2] = 0;
	at[3] = access;
	memcpy(at + 4, &address, sizeof(address));
}

static void put_spcr(size_t size, uint8_t revision, uint8_t interface, uint64_t address)
{
	free(spcr.bytes);
	spcr.size = size;
	spcr.bytes = calloc(1, size);
	spcr.bytes[8] = revision;
	spcr.bytes[36] = interface;
	put_gas(spcr.bytes + 40, 0, 32, 3, address);
}

/* Bytes are at fixed offsets, whatever came behind them in later revisions: 80 bytes in 1 to 3; in 4 a clock and a name. */
static void every_revision_is_read(void **state)
{
	static const struct {
		uint8_t revision, interface;
		size_t size;
		const struct uart_driver *driver;
	} cases[] = {
		{ 1, 0, 80, &uart_16550 },    { 1, 1, 80, &uart_16550 },    { 2, 3, 80, &uart_pl011 },
		{ 2, 0x0e, 80, &uart_pl011 }, { 3, 0x12, 80, &uart_16550 }, { 4, 0x12, 88 + 14, &uart_16550 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct serial_port port;

		put_spcr(cases[i].size, cases[i].revision, cases[i].interface, 0x9000000);
		CHECK_ERR(acpi_find_serial(NULL, NULL, &port), ERR_OK);
		CHECK(port.driver == cases[i].driver && port.base == 0x9000000, "case %zu", i);
	}
}

/* "Debug Port Table 2", table 3, as of April 2023. */
static void every_kind_has_its_driver(void **state)
{
	static const struct {
		uint8_t kind;
		const struct uart_driver *driver; /* NULL: there is none */
		uint64_t offset;
		uint8_t shift, width; /* as the address says by its access size: 2, 4 */
	} cases[] = {
		{ 0x00, &uart_16550, 0, 2, 4 }, { 0x01, &uart_16550, 0, 2, 4 },    { 0x02, NULL, 0, 0, 0 },
		{ 0x03, &uart_pl011, 0, 2, 4 }, { 0x04, &uart_msm, 0, 2, 4 },      { 0x05, &uart_16550, 0, 2, 4 },
		{ 0x06, &uart_16550, 0, 2, 1 }, { 0x07, NULL, 0, 0, 0 },           { 0x08, &uart_16550, 0, 2, 4 },
		{ 0x09, &uart_msm, 0, 2, 4 },   { 0x0a, &uart_samsung, 0, 2, 4 },  { 0x0b, NULL, 0, 0, 0 },
		{ 0x0c, &uart_imx, 0, 2, 4 },   { 0x0d, &uart_pl011, 0, 2, 4 },    { 0x0e, &uart_pl011, 0, 2, 4 },
		{ 0x0f, NULL, 0, 0, 0 },        { 0x10, &uart_16550, 0x40, 2, 4 }, { 0x11, &uart_geni, 0, 2, 4 },
		{ 0x12, &uart_16550, 0, 2, 4 }, { 0x13, &uart_geni, 0, 2, 4 },     { 0x14, &uart_16550, 0, 2, 4 },
		{ 0x15, NULL, 0, 0, 0 },        { 0x16, NULL, 0, 0, 0 },           { 0xff, NULL, 0, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct serial_port port;
		enum err err;

		put_spcr(80, 2, cases[i].kind, 0x9000000);
		err = acpi_find_serial(NULL, NULL, &port);
		CHECK(err == (cases[i].driver ? ERR_OK : ERR_UNSUPPORTED), "kind %#x: %s", cases[i].kind, host_err(err));
		if (err != ERR_OK)
			continue;
		CHECK(port.driver == cases[i].driver && port.base == 0x9000000 + cases[i].offset, "kind %#x", cases[i].kind);
		CHECK(port.shift == cases[i].shift && port.width == cases[i].width, "kind %#x: %u, %u", cases[i].kind, port.shift,
		      port.width);
	}
}

/* The two of Qualcomm's older UART have their FIFOs in different places. */
static void kinds_have_variants(void **state)
{
	struct serial_port older, newer;

	(void)state;
	put_spcr(80, 2, 0x04, 0x9000000);
	CHECK_ERR(acpi_find_serial(NULL, NULL, &older), ERR_OK);
	put_spcr(80, 2, 0x09, 0x9000000);
	CHECK_ERR(acpi_find_serial(NULL, NULL, &newer), ERR_OK);
	assert_int_not_equal(older.variant, newer.variant);
}

/* --- DBG2 --- */

enum { DEVICE_BYTES = 22 + 12 + 4 + 2 }; /* with an address, its size, and a name */

static void put_device(uint8_t *at, uint16_t type, uint16_t subtype, uint64_t address)
{
	const uint16_t words[] = { DEVICE_BYTES, 0, 2, 38, 0, 0, type, subtype, 0, 22, 34 };

	memset(at, 0, DEVICE_BYTES);
	memcpy(at + 1, &words[0], 2);
	at[3] = 1;
	memcpy(at + 4, &words[2], sizeof(words) - 4);
	put_gas(at + 22, 0, 32, 3, address);
}

static void put_dbg2(uint32_t devices)
{
	const uint32_t first = 44;

	free(dbg2.bytes);
	dbg2.size = 44 + devices * DEVICE_BYTES;
	dbg2.bytes = calloc(1, dbg2.size);
	memcpy(dbg2.bytes + 36, &first, 4);
	memcpy(dbg2.bytes + 40, &devices, 4);
}

static uint8_t *device(unsigned n)
{
	return dbg2.bytes + 44 + n * DEVICE_BYTES;
}

static void check_debug_port(enum err wanted, uint64_t base)
{
	struct serial_port port;
	enum err err = acpi_find_debug_port(NULL, NULL, &port);

	CHECK(err == wanted && (err != ERR_OK || port.base == base), "%s", host_err(err));
}

/* The first that is a serial port with a driver. */
static void the_first_debug_port_that_fits_is_taken(void **state)
{
	(void)state;
	check_debug_port(ERR_NOT_FOUND, 0);
	put_dbg2(0);
	check_debug_port(ERR_UNSUPPORTED, 0);
	put_dbg2(3);
	put_device(device(0), 0x8003, 0, 0x1000); /* by network */
	put_device(device(1), 0x8000, 2, 0x2000); /* by SPI */
	put_device(device(2), 0x8000, 3, 0x3000);
	check_debug_port(ERR_OK, 0x3000);
	put_device(device(1), 0x8000, 0x0e, 0x2000);
	check_debug_port(ERR_OK, 0x2000);
	device(1)[3] = 0; /* no address */
	check_debug_port(ERR_OK, 0x3000);
	put_device(device(2), 0x8000, 0x103, 0x3000);
	check_debug_port(ERR_UNSUPPORTED, 0);
}

static void what_does_not_fit_into_dbg2_is_refused(void **state)
{
	static const struct {
		unsigned at;
		uint16_t value;
	} cases[] = { { 1, 21 }, { 1, 0 }, { 1, DEVICE_BYTES + 1 }, { 1, 0xffff }, { 18, DEVICE_BYTES - 11 }, { 18, 0xffff } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		put_dbg2(1);
		put_device(device(0), 0x8000, 3, 0x3000);
		check_debug_port(ERR_OK, 0x3000);
		memcpy(device(0) + cases[i].at, &cases[i].value, 2);
		check_debug_port(ERR_CORRUPT, 0);
	}
	/* More descriptions than there are, and none where they begin. */
	put_dbg2(1);
	put_device(device(0), 0x8003, 0, 0x3000);
	dbg2.bytes[40] = 0xff;
	check_debug_port(ERR_CORRUPT, 0);
	put_dbg2(1);
	memset(dbg2.bytes + 36, 0xff, 4);
	check_debug_port(ERR_CORRUPT, 0);
	dbg2.size = 43;
	check_debug_port(ERR_CORRUPT, 0);
}

#define TEST(name) cmocka_unit_test_teardown(name, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_revision_is_read),
		TEST(every_kind_has_its_driver),
		TEST(kinds_have_variants),
		TEST(the_first_debug_port_that_fits_is_taken),
		TEST(what_does_not_fit_into_dbg2_is_refused),
	};

	return cmocka_run_group_tests_name("acpi_serial", tests, NULL, NULL);
}

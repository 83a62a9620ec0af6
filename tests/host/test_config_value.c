/* SPDX-License-Identifier: BSD-2-Clause */
/* The numbers in nestling.cfg: sizes, times, CPUs. */
#include "boot/config_value.h"

#include "tests/host/host.h"

struct size_case {
	const char *text;
	enum err err;
	uint64_t bytes;
};

static const struct size_case sizes[] = {
	{ "0", ERR_OK, 0 },
	{ "1", ERR_OK, 1 },
	{ "4096", ERR_OK, 4096 },
	{ "0064", ERR_OK, 64 },
	{ "64K", ERR_OK, KIB(64) },
	{ "64k", ERR_OK, KIB(64) },
	{ "512M", ERR_OK, MIB(512) },
	{ "1G", ERR_OK, GIB(1) },
	{ "1g", ERR_OK, GIB(1) },
	{ "2T", ERR_OK, TIB(2) },
	{ "16777215T", ERR_OK, TIB(16777215) },
	{ "18446744073709551615", ERR_OK, UINT64_MAX },
	{ "18014398509481983K", ERR_OK, UINT64_MAX - 1023 },
	{ "18446744073709551616", ERR_RANGE, 0 },
	{ "18446744073709551620", ERR_RANGE, 0 },
	{ "99999999999999999999999999", ERR_RANGE, 0 },
	{ "18014398509481984K", ERR_RANGE, 0 },
	{ "16777216T", ERR_RANGE, 0 },
	{ "", ERR_INVALID, 0 },
	{ "K", ERR_INVALID, 0 },
	{ "-1", ERR_INVALID, 0 },
	{ "+1", ERR_INVALID, 0 },
	{ " 1", ERR_INVALID, 0 },
	{ "1 ", ERR_INVALID, 0 },
	{ "1 M", ERR_INVALID, 0 },
	{ "1KK", ERR_INVALID, 0 },
	{ "1KB", ERR_INVALID, 0 },
	{ "1P", ERR_INVALID, 0 },
	{ "1B", ERR_INVALID, 0 },
	{ "0x10", ERR_INVALID, 0 },
	{ "1.5G", ERR_INVALID, 0 },
	{ "1\x0b", ERR_INVALID, 0 },
	{ "1\xcb", ERR_INVALID, 0 },
	{ "1M\n", ERR_INVALID, 0 },
};

static void sizes_parse(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		uint64_t bytes = 0;
		enum err err = config_parse_size(sizes[i].text, &bytes);

		CHECK(err == sizes[i].err, "\"%s\": %s", sizes[i].text, host_err(err));
		CHECK(err != ERR_OK || bytes == sizes[i].bytes, "\"%s\": %#jx", sizes[i].text, (uintmax_t)bytes);
	}
}

static void numbers_parse(void **state)
{
	static const struct {
		const char *text;
		enum err err;
		uint64_t number;
	} numbers[] = {
		{ "2", ERR_OK, 2 },       { "16", ERR_OK, 16 },      { "008", ERR_OK, 8 },
		{ "1", ERR_RANGE, 0 },    { "17", ERR_RANGE, 0 },    { "0", ERR_RANGE, 0 },
		{ "-2", ERR_INVALID, 0 }, { "", ERR_INVALID, 0 },    { "2 ", ERR_INVALID, 0 },
		{ "2K", ERR_INVALID, 0 }, { "4.5", ERR_INVALID, 0 }, { "18446744073709551620", ERR_RANGE, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		uint64_t number = 77;
		enum err err = config_parse_number(numbers[i].text, 2, 16, &number);

		CHECK(err == numbers[i].err, "\"%s\": %s", numbers[i].text, host_err(err));
		CHECK_EQ(number, err == ERR_OK ? numbers[i].number : 77);
	}
}

static void seconds_parse(void **state)
{
	static const struct {
		const char *text;
		enum err err;
		uint64_t microseconds;
	} times[] = {
		{ "60", ERR_OK, 60000000 },
		{ "0.5", ERR_OK, 500000 },
		{ "0.000001", ERR_OK, 1 },
		{ "1.9999999999999999999999", ERR_OK, 1999999 },
		{ "3153600000", ERR_OK, 3153600000000000 },
		{ "3153600001", ERR_RANGE, 0 },
		{ "99999999999999999999999", ERR_RANGE, 0 },
		{ "0", ERR_RANGE, 0 },
		{ "0.0000009", ERR_RANGE, 0 },
		{ "", ERR_INVALID, 0 },
		{ ".5", ERR_INVALID, 0 },
		{ "5.", ERR_INVALID, 0 },
		{ "5s", ERR_INVALID, 0 },
		{ "1.5.2", ERR_INVALID, 0 },
		{ "-1", ERR_INVALID, 0 },
		{ "1,5", ERR_INVALID, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(times); i++) {
		uint64_t microseconds = 77;
		enum err err = config_parse_seconds(times[i].text, &microseconds);

		CHECK(err == times[i].err, "\"%s\": %s", times[i].text, host_err(err));
		CHECK_EQ(microseconds, err == ERR_OK ? times[i].microseconds : 77);
	}
}

static void cpus_parse(void **state)
{
	static const struct {
		const char *text;
		enum err err;
		uint64_t set;
	} lists[] = {
		{ "0", ERR_OK, 1 },
		{ "1", ERR_OK, 2 },
		{ "63", ERR_OK, BIT(63) },
		{ "0,2", ERR_OK, 5 },
		{ "0, 2", ERR_OK, 5 },
		{ "2,0,2", ERR_OK, 5 },
		{ "0-3", ERR_OK, 15 },
		{ "3-3", ERR_OK, 8 },
		{ "0-63", ERR_OK, UINT64_MAX },
		{ "1,4-5,0", ERR_OK, 0x33 },
		{ "64", ERR_RANGE, 0 },
		{ "0-64", ERR_RANGE, 0 },
		{ "0-18446744073709551615", ERR_RANGE, 0 },
		{ "18446744073709551616", ERR_RANGE, 0 },
		{ "", ERR_INVALID, 0 },
		{ ",", ERR_INVALID, 0 },
		{ "1,", ERR_INVALID, 0 },
		{ ",1", ERR_INVALID, 0 },
		{ "1-", ERR_INVALID, 0 },
		{ "-1", ERR_INVALID, 0 },
		{ "3-1", ERR_INVALID, 0 },
		{ "0-1-2", ERR_INVALID, 0 },
		{ "1 2", ERR_INVALID, 0 },
		{ "0x1", ERR_INVALID, 0 },
		{ "one", ERR_INVALID, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		uint64_t set = 77;
		enum err err = config_parse_cpus(lists[i].text, &set);

		CHECK(err == lists[i].err, "\"%s\": %s", lists[i].text, host_err(err));
		CHECK_EQ(set, err == ERR_OK ? lists[i].set : 77);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_parse),
		cmocka_unit_test(numbers_parse),
		cmocka_unit_test(seconds_parse),
		cmocka_unit_test(cpus_parse),
	};

	return cmocka_run_group_tests_name("config_value", tests, NULL, NULL);
}

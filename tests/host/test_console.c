/* SPDX-License-Identifier: BSD-2-Clause */
/* Records beside the console's text: where they stand, and that text cannot pass for one. */
#include <string.h>

#include "drivers/console.h"
#include "tests/host/host.h"

static char written[256];

static void keep(const char *bytes, size_t size)
{
	size_t used = strlen(written);

	assert_true(used + size < sizeof(written));
	memcpy(written + used, bytes, size);
	written[used + size] = '\0';
}

static void write_text(const char *text)
{
	console_write(text, strlen(text));
}

/* Before there is a record the byte is like any other: so this test comes first. */
static void text_is_as_it_is(void **state)
{
	(void)state;
	console_set_sink(keep);
	written[0] = '\0';
	write_text("a\x1e"
		   "b\n");
	assert_string_equal(written, "a\x1e"
				     "b\n");
	assert_true(console_at_line_start());
}

static void records_leave_the_line_alone(void **state)
{
	(void)state;
	written[0] = '\0';
	write_text("half");
	console_record("{}", 2);
	assert_false(console_at_line_start());
	write_text(" a line\n");
	console_record("{1}", 3);
	assert_true(console_at_line_start());
	assert_string_equal(written, "half\x1e{}\n a line\n\x1e{1}\n");
}

static void text_is_no_record(void **state)
{
	(void)state;
	written[0] = '\0';
	console_record("{}", 2);
	write_text("\x1e\x1e{\"seq\":1}\nx\x1e");
	assert_string_equal(written, "\x1e{}\n??{\"seq\":1}\nx?");
	assert_false(console_at_line_start());
	console_set_sink(NULL);
	console_record("{}", 2);
	write_text("nobody sees\x1e\n");
	assert_true(console_at_line_start());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_is_as_it_is),
		cmocka_unit_test(records_leave_the_line_alone),
		cmocka_unit_test(text_is_no_record),
	};

	return cmocka_run_group_tests_name("console", tests, NULL, NULL);
}

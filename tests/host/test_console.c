/* SPDX-License-Identifier: BSD-2-Clause */
/* The console: records stand beside its text, and the text of several writers does not mix. */
#include "drivers/console.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/host/host.h"

static char written[1024];
static struct console_stream plain;

static void keep(const char *bytes, size_t size)
{
	size_t used = strlen(written);

	assert_true(used + size < sizeof(written));
	memcpy(written + used, bytes, size);
	written[used + size] = '\0';
}

static void write_text(const char *text)
{
	console_stream_write(&plain, text, strlen(text));
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

static void say(struct console_stream *stream, const char *text)
{
	console_stream_write(stream, text, strlen(text));
}

static void log_text(const char *text)
{
	console_write_line(text, strlen(text));
}

static void start(void)
{
	console_set_sink(keep);
	if (!console_at_line_start())
		log_text("\n");
	written[0] = '\0';
}

static void one_by_itself_writes_at_once(void **state)
{
	(void)state;
	start();
	say(&plain, "a prompt");
	assert_string_equal(written, "a prompt");
	say(&plain, "> yes\nno");
	log_text("a log line\n");
	say(&plain, " end\n");
	assert_string_equal(written, "a prompt> yes\nno\na log line\n end\n");
}

static void lines_of_two_do_not_mix(void **state)
{
	struct console_stream web = { .name = "web", .by_line = true }, db = { .name = "db.3", .by_line = true };

	(void)state;
	start();
	say(&web, "GET ");
	say(&db, "SEL");
	assert_string_equal(written, "");
	say(&web, "/\n\nPOST /\nhal");
	say(&db, "ECT\n");
	assert_string_equal(written, "web: GET /\nweb: \nweb: POST /\ndb.3: SELECT\n");
	log_text("vm: in between\n");
	written[0] = '\0';
	say(&web, "f a line\n");
	assert_string_equal(written, "web: half a line\n");
}

/* What is not complete is written when nothing more comes, or not soon; it goes on where it stands, if nobody came between. */
static void unfinished_lines_are_flushed(void **state)
{
	struct console_stream web = { .name = "web", .by_line = true }, db = { .name = "db", .by_line = true };

	(void)state;
	start();
	say(&web, "login: ");
	console_stream_flush(&web);
	console_stream_flush(&db);
	assert_string_equal(written, "web: login: ");
	say(&web, "root\n");
	assert_string_equal(written, "web: login: root\n");
	written[0] = '\0';
	say(&web, "password: ");
	console_stream_flush(&web);
	say(&db, "starts\n");
	/* What has been shown is not shown again by itself, but with the rest of its line. */
	console_stream_flush(&web);
	assert_string_equal(written, "web: password: \ndb: starts\n");
	say(&web, "sec");
	console_stream_flush(&web);
	say(&web, "ret\n");
	assert_string_equal(written, "web: password: \ndb: starts\nweb: password: secret\n");
	written[0] = '\0';
	say(&web, "> ");
	console_stream_flush(&web);
	say(&db, "goes on\n");
	console_stream_end(&web);
	assert_string_equal(written, "web: > \ndb: goes on\n");
	/* Another one may come to be at the same place in memory. */
	written[0] = '\0';
	say(&web, "bye");
	console_stream_end(&web);
	say(&web, "I am new\n");
	assert_string_equal(written, "web: bye\nweb: I am new\n");
}

static void long_lines_are_cut_only_if_somebody_comes_between(void **state)
{
	struct console_stream web = { .name = "web", .by_line = true };
	char text[CONSOLE_LINE_ROOM + 11], want[sizeof(written)];

	(void)state;
	start();
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	say(&web, text);
	say(&web, "\n");
	snprintf(want, sizeof(want), "web: %s\n", text);
	assert_string_equal(written, want);
	written[0] = '\0';
	say(&web, text);
	log_text("no\n");
	say(&web, "y\n");
	text[CONSOLE_LINE_ROOM] = '\0';
	snprintf(want, sizeof(want), "web: %s\nno\nweb: xxxxxxxxxxy\n", text);
	assert_string_equal(written, want);
}

/* It has printed at once; then it is no longer alone. */
static void company_comes(void **state)
{
	struct console_stream fork = { .name = "guest.1" }, guest = { .by_line = false };
	char last[CONSOLE_LAST_ROOM];

	(void)state;
	start();
	say(&guest, "I fo");
	console_stream_fork(&fork, &guest);
	say(&fork, "I am forked\n");
	say(&guest, "rk\nand ");
	say(&guest, "go on\n");
	assert_string_equal(written, "I fo\nguest.1: I am forked\nrk\nand go on\n");
	CHECK_EQ(console_stream_last(&fork, last), 16);
	assert_memory_equal(last, "I foI am forked\n", 16);
}

/* What is left of a line that ours has ended is no line of its own, for none of those that go on from there. */
static void forks_begin_with_no_empty_line(void **state)
{
	struct console_stream guest = { .by_line = false }, first = { .name = "guest.1" }, second = { .name = "guest.2" };

	(void)state;
	start();
	say(&guest, "here is a shell");
	console_stream_fork(&first, &guest);
	log_text("forked: guest.1\n");
	console_stream_fork(&second, &guest);
	say(&second, "\n");
	say(&first, "\none\n");
	say(&guest, "\n\nnone\n");
	say(&second, "two\n");
	assert_string_equal(written, "here is a shell\nforked: guest.1\nguest.1: one\n\nnone\nguest.2: two\n");
}

static void a_line_that_nobody_ended_has_its_end(void **state)
{
	struct console_stream guest = { .by_line = false }, fork = { .name = "guest.1" };

	(void)state;
	start();
	say(&guest, "a");
	console_stream_fork(&fork, &guest);
	say(&guest, "\n");
	say(&fork, "b\n\n");
	assert_string_equal(written, "a\nguest.1: b\nguest.1: \n");
}

/* A text of a VM can pass for a record no more than before: the mark is taken from lines that are kept, too. */
static void kept_text_is_no_record(void **state)
{
	struct console_stream web = { .name = "web", .by_line = true };

	(void)state;
	start();
	console_record("{}", 2);
	say(&web, "\x1e{\"seq\":1}\n");
	assert_string_equal(written, "\x1e{}\nweb: ?{\"seq\":1}\n");
}

enum { WRITERS = 4, LINES = 500 };

static char *all;
static size_t all_size;
static pthread_barrier_t together;

static void keep_all(const char *bytes, size_t size)
{
	memcpy(all + all_size, bytes, size);
	all_size += size;
	sched_yield(); /* as slow as a serial port: others want to write meanwhile */
}

/* Every line says how long it is; one of the writers is the log. */
static void *write_lines(void *which)
{
	const unsigned n = (unsigned)(uintptr_t)which;
	struct console_stream stream = { .by_line = true };
	char line[64];

	snprintf(stream.name, sizeof(stream.name), "w%u", n);
	pthread_barrier_wait(&together);
	for (unsigned i = 0; i < LINES; i++) {
		int size = snprintf(line, sizeof(line), "%s%u of the lines%.*s\n", n == 0 ? "w0: " : "", i, (int)(i % 32),
				    "................................");

		if (n == 0)
			console_write_line(line, (size_t)size);
		else
			for (int at = 0; at < size; at++)
				console_stream_write(&stream, line + at, 1);
	}
	return NULL;
}

static void lines_of_several_cpus_are_whole(void **state)
{
	pthread_t threads[WRITERS];
	unsigned seen[WRITERS] = { 0 };

	(void)state;
	start();
	all = malloc(WRITERS * LINES * 64);
	assert_non_null(all);
	console_set_sink(keep_all);
	assert_int_equal(pthread_barrier_init(&together, NULL, WRITERS), 0);
	for (uintptr_t i = 0; i < WRITERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, write_lines, (void *)i), 0);
	for (unsigned i = 0; i < WRITERS; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&together);
	console_set_sink(NULL);
	for (size_t at = 0; at < all_size;) {
		char *end = memchr(all + at, '\n', all_size - at);
		unsigned who, number;
		int length = 0;

		assert_non_null(end);
		*end = '\0';
		CHECK(sscanf(all + at, "w%u: %u of the lines%n", &who, &number, &length) == 2 && who < WRITERS, "%s", all + at);
		CHECK(number == seen[who] && strlen(all + at + length) == number % 32, "%s", all + at);
		seen[who]++;
		at = (size_t)(end - all) + 1;
	}
	for (unsigned i = 0; i < WRITERS; i++)
		CHECK_EQ(seen[i], LINES);
	free(all);
}

/* As much as there is room for, from the beginning of a line on. */
static void the_last_lines_are_remembered(void **state)
{
	static struct console_stream stream;
	char last[CONSOLE_LAST_ROOM], line[32];

	(void)state;
	console_set_sink(NULL);
	CHECK_EQ(console_stream_last(&stream, last), 0);
	console_stream_write(&stream, "one\nhalf", 8);
	CHECK_EQ(console_stream_last(&stream, last), 8);
	assert_memory_equal(last, "one\nhalf", 8);
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(line, sizeof(line), "%09u\n", i);
		console_stream_write(&stream, line, 10);
	}
	CHECK_EQ(console_stream_last(&stream, last), CONSOLE_LAST_ROOM / 10 * 10);
	assert_memory_equal(last, "000000898\n", 10);
	for (unsigned i = 0; i < CONSOLE_LAST_ROOM; i++)
		console_stream_write(&stream, "x", 1);
	CHECK_EQ(console_stream_last(&stream, last), CONSOLE_LAST_ROOM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_is_as_it_is),
		cmocka_unit_test(records_leave_the_line_alone),
		cmocka_unit_test(text_is_no_record),
		cmocka_unit_test(one_by_itself_writes_at_once),
		cmocka_unit_test(lines_of_two_do_not_mix),
		cmocka_unit_test(unfinished_lines_are_flushed),
		cmocka_unit_test(long_lines_are_cut_only_if_somebody_comes_between),
		cmocka_unit_test(company_comes),
		cmocka_unit_test(forks_begin_with_no_empty_line),
		cmocka_unit_test(a_line_that_nobody_ended_has_its_end),
		cmocka_unit_test(kept_text_is_no_record),
		cmocka_unit_test(lines_of_several_cpus_are_whole),
		cmocka_unit_test(the_last_lines_are_remembered),
	};

	return cmocka_run_group_tests_name("console", tests, NULL, NULL);
}

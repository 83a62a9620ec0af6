/* SPDX-License-Identifier: BSD-2-Clause */
/* The screen: which ones are taken, where pixels go, and text that can be read back from them. */
#include "drivers/framebuffer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/console.h"
#include "drivers/font.h"
#include "tests/host/host.h"

enum { WIDTH = 330, HEIGHT = 200, STRIDE = 340, UNTOUCHED = 0x5a5a5a5a };

static struct console_stream stream;
static uint32_t *pixels; /* a line more than the screen has */

static struct framebuffer mode(void)
{
	return (struct framebuffer){
		.base = HPA((uintptr_t)pixels),
		.size = STRIDE * HEIGHT * sizeof(*pixels),
		.width = WIDTH,
		.height = HEIGHT,
		.stride = STRIDE,
	};
}

static int setup(void **state)
{
	(void)state;
	pixels = aligned_alloc(PAGE_SIZE, align_up(STRIDE * (HEIGHT + 1) * sizeof(*pixels), PAGE_SIZE));
	for (unsigned i = 0; i < STRIDE * (HEIGHT + 1); i++)
		pixels[i] = UNTOUCHED;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	console_set_sink(NULL);
	/* Nothing is ever drawn beyond a line's end or the last line. */
	for (unsigned y = 0; y <= HEIGHT; y++)
		for (unsigned x = y < HEIGHT ? WIDTH : 0; x < STRIDE; x++)
			CHECK_EQ(pixels[y * STRIDE + x], UNTOUCHED);
	free(pixels);
	return 0;
}

static void only_screens_that_make_sense_are_taken(void **state)
{
	struct framebuffer good = mode(), bad;

	(void)state;
	CHECK_ERR(framebuffer_check(&good), ERR_OK);
	bad = good, bad.size--;
	CHECK_ERR(framebuffer_check(&bad), ERR_CORRUPT);
	bad = good, bad.stride = WIDTH - 1;
	CHECK_ERR(framebuffer_check(&bad), ERR_CORRUPT);
	bad = good, bad.base.raw = 0;
	CHECK_ERR(framebuffer_check(&bad), ERR_CORRUPT);
	bad = good, bad.base.raw += 2;
	CHECK_ERR(framebuffer_check(&bad), ERR_CORRUPT);
	bad = good, bad.base.raw = align_down(UINT64_MAX - good.size, PAGE_SIZE);
	CHECK_ERR(framebuffer_check(&bad), ERR_CORRUPT);
	bad = good, bad.width = 0;
	CHECK_ERR(framebuffer_check(&bad), ERR_RANGE);
	bad = good, bad.height = 1;
	CHECK_ERR(framebuffer_check(&bad), ERR_RANGE);
	bad = good, bad.stride = UINT32_MAX, bad.size = UINT64_MAX;
	CHECK_ERR(framebuffer_check(&bad), ERR_RANGE);
	bad = good, bad.height = UINT32_MAX, bad.size = UINT64_MAX;
	CHECK_ERR(framebuffer_check(&bad), ERR_RANGE);
	framebuffer_start(&good, false);
}

static void colours_have_the_firmwares_order(void **state)
{
	const struct framebuffer_part part = { 5, 7, 2, 3 };
	struct framebuffer screen = mode();

	(void)state;
	framebuffer_start(&screen, false);
	framebuffer_fill(part, 0x123456);
	for (unsigned y = 0; y < HEIGHT; y++)
		for (unsigned x = 0; x < WIDTH; x++)
			CHECK_EQ(pixels[y * STRIDE + x], x - 5 < 2 && y - 7 < 3 ? 0x123456 : 0);
	screen.red_first = true;
	framebuffer_start(&screen, false);
	framebuffer_fill(part, 0x123456);
	CHECK_EQ(pixels[7 * STRIDE + 5], 0x563412);
}

static void what_is_off_the_screen_is_left_out(void **state)
{
	const struct framebuffer screen = mode();
	const struct framebuffer_part parts[] = {
		{ WIDTH - 3, HEIGHT - 3, 10, 10 }, { 0, HEIGHT, 5, 5 }, { WIDTH, 0, 5, 5 }, { UINT32_MAX, UINT32_MAX, 9, 9 },
		{ 0, 0, UINT32_MAX, UINT32_MAX },
	};

	(void)state;
	framebuffer_start(&screen, false);
	for (unsigned i = 0; i < ARRAY_LEN(parts); i++)
		framebuffer_fill(parts[i], 0xffffff);
	framebuffer_put(WIDTH - 2, HEIGHT - 2, 3, 0xffffff, 'M');
	framebuffer_stop();
	memset(pixels, 0, sizeof(*pixels));
	framebuffer_fill(parts[4], 0x777777);
	CHECK_EQ(pixels[0], 0);
}

/* The character whose glyph is at this place; '\0': none. */
static char read_char(unsigned x, unsigned y)
{
	for (char c = ' '; c <= '~'; c++) {
		bool same = true;

		for (unsigned column = 0; column < FONT_ADVANCE; column++)
			for (unsigned row = 0; row < FONT_HEIGHT; row++) {
				bool set = column < FONT_WIDTH && font_glyph(c)[column] & 1u << row;

				same = same && (pixels[(y + row) * STRIDE + x + column] != 0) == set;
			}
		if (same)
			return c;
	}
	return '\0';
}

/* A line of the lower half, without the blanks at its end. */
static const char *read_line(unsigned line)
{
	static char text[WIDTH / FONT_ADVANCE + 1];
	size_t used = sizeof(text) - 1;

	for (unsigned i = 0; i < used; i++)
		text[i] = read_char(i * FONT_ADVANCE, HEIGHT / 2 + line * FONT_LINE);
	while (used > 0 && text[used - 1] == ' ')
		used--;
	text[used] = '\0';
	return text;
}

static void say(const char *text)
{
	console_stream_write(&stream, text, strlen(text));
}

static void every_glyph_can_be_told_from_the_others(void **state)
{
	const struct framebuffer screen = mode();

	(void)state;
	framebuffer_start(&screen, false);
	for (char c = ' '; c <= '~'; c++) {
		framebuffer_put(20, 20, 1, 0xffffff, c);
		CHECK_EQ(read_char(20, 20), c);
	}
	/* What has none. */
	framebuffer_put(20, 20, 1, 0xffffff, '\x07');
	CHECK_EQ(read_char(20, 20), '?');
	framebuffer_put(20, 20, 1, 0xffffff, (char)0xe4);
	CHECK_EQ(read_char(20, 20), '?');
}

static void the_console_is_on_the_lower_half(void **state)
{
	const struct framebuffer screen = mode();
	const unsigned columns = WIDTH / FONT_ADVANCE, lines = HEIGHT / 2 / FONT_LINE;
	struct framebuffer_part canvas;
	char full[WIDTH / FONT_ADVANCE + 1];

	(void)state;
	framebuffer_start(&screen, true);
	CHECK(framebuffer_canvas(&canvas), "no screen");
	CHECK_EQ(canvas.height, HEIGHT / 2);
	CHECK_EQ(canvas.width, WIDTH);
	say("nestling: {a \"log\" line}\r\nan unfinished one");
	assert_string_equal(read_line(0), "nestling: {a \"log\" line}");
	assert_string_equal(read_line(1), "an unfinished one");
	/* A full line ends once, not twice; a longer one goes on. */
	memset(full, 'x', columns);
	full[columns] = '\0';
	say("\n");
	say(full);
	say("\nnext\n");
	say(full);
	say("yz");
	assert_string_equal(read_line(2), full);
	assert_string_equal(read_line(3), "next");
	assert_string_equal(read_line(4), full);
	assert_string_equal(read_line(5), "yz");
	for (unsigned i = 0; i < HEIGHT / 2 * STRIDE; i++)
		CHECK(pixels[i] == 0 || i % STRIDE >= WIDTH, "pixel %u of the upper half", i);
	/* At the end of a long text its last lines are there, in order, the last one at the end. */
	for (unsigned i = 0; i < 1000; i++) {
		char text[16];

		snprintf(text, sizeof(text), "\nline %u", i);
		say(text);
		for (unsigned line = 0, number = 0; line < lines; line++) {
			if (sscanf(read_line(line), "line %u", &number) != 1)
				continue;
			if (line + 1 < lines && *read_line(line + 1))
				continue;
			CHECK_EQ(number, i);
			for (unsigned up = 1; up <= line && up <= number; up++) {
				snprintf(text, sizeof(text), "line %u", number - up);
				assert_string_equal(read_line(line - up), text);
			}
			break;
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(only_screens_that_make_sense_are_taken, setup, teardown),
		cmocka_unit_test_setup_teardown(colours_have_the_firmwares_order, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_off_the_screen_is_left_out, setup, teardown),
		cmocka_unit_test_setup_teardown(every_glyph_can_be_told_from_the_others, setup, teardown),
		cmocka_unit_test_setup_teardown(the_console_is_on_the_lower_half, setup, teardown),
	};

	return cmocka_run_group_tests_name("framebuffer", tests, NULL, NULL);
}

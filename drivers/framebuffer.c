/* SPDX-License-Identifier: BSD-2-Clause */
/* Pixels, glyphs, and the console on the lower half. */
#include "drivers/framebuffer.h"

#include <string.h>

#include "drivers/console.h"
#include "drivers/font.h"
#include "include/mmio.h"

enum {
	MIN_WIDTH = 320, /* the picture and the legend beside it */
	MIN_HEIGHT = 200,
	MAX_SIDE = 32768,
	WIDE = 1024,    /* from here on a pixel is small */
	MAX_LINES = 64, /* of the console */
	MAX_COLUMNS = WIDE / FONT_ADVANCE + 1,
};

static struct {
	struct framebuffer mode;
	bool there;
	uint32_t canvas_height;
} screen;

static struct {
	uint32_t lines, columns;           /* there is room for */
	uint32_t line, column;             /* where the next character goes; a column beyond the last: to the next line */
	char text[MAX_LINES][MAX_COLUMNS]; /* what is shown, for the screen is not read */
} console;

enum err framebuffer_check(const struct framebuffer *framebuffer)
{
	uint64_t bytes = (uint64_t)framebuffer->stride * framebuffer->height * sizeof(uint32_t);

	if (framebuffer->width < MIN_WIDTH || framebuffer->height < MIN_HEIGHT || framebuffer->height > MAX_SIDE ||
	    framebuffer->stride > MAX_SIDE)
		return ERR_RANGE;
	if (framebuffer->stride < framebuffer->width || bytes > framebuffer->size || framebuffer->base.raw == 0 ||
	    !is_aligned(framebuffer->base.raw, sizeof(uint32_t)) ||
	    framebuffer->base.raw > UINT64_MAX - PAGE_SIZE - framebuffer->size)
		return ERR_CORRUPT;
	return ERR_OK;
}

void framebuffer_region(const struct framebuffer *framebuffer, hpa_t *start, uint64_t *size)
{
	uint64_t used = (uint64_t)framebuffer->stride * framebuffer->height * sizeof(uint32_t);

	*start = HPA(align_down(framebuffer->base.raw, PAGE_SIZE));
	*size = align_up(framebuffer->base.raw + used, PAGE_SIZE) - start->raw;
}

static uint32_t pixel_of(uint32_t colour)
{
	return screen.mode.red_first ? (colour & 0xff) << 16 | (colour & 0xff00) | colour >> 16 : colour;
}

void framebuffer_fill(struct framebuffer_part part, uint32_t colour)
{
	const struct framebuffer *mode = &screen.mode;
	uint32_t pixel = pixel_of(colour);

	if (!screen.there)
		return;
	for (uint32_t y = part.y; y < mode->height && y - part.y < part.height; y++) {
		uint64_t line = mode->base.raw + (uint64_t)y * mode->stride * sizeof(pixel);

		for (uint32_t x = part.x; x < mode->width && x - part.x < part.width; x++)
			mmio_write32(line + x * sizeof(pixel), pixel);
	}
}

uint32_t framebuffer_text_scale(void)
{
	return screen.mode.width < WIDE ? 1 : screen.mode.width / (WIDE / 2);
}

void framebuffer_put(uint32_t x, uint32_t y, uint32_t scale, uint32_t colour, char c)
{
	const uint8_t *glyph = font_glyph(c);

	for (uint32_t column = 0; column < FONT_ADVANCE; column++)
		for (uint32_t row = 0; row < FONT_HEIGHT; row++) {
			bool set = column < FONT_WIDTH && glyph[column] & 1u << row;
			struct framebuffer_part dot = { x + column * scale, y + row * scale, scale, scale };

			framebuffer_fill(dot, set ? colour : FRAMEBUFFER_BLACK);
		}
}

bool framebuffer_canvas(struct framebuffer_part *part)
{
	*part = (struct framebuffer_part){ 0, 0, screen.mode.width, screen.canvas_height };
	return screen.there;
}

/* --- The console --- */

static uint32_t line_height(void)
{
	return FONT_LINE * framebuffer_text_scale();
}

static uint32_t char_width(void)
{
	return FONT_ADVANCE * framebuffer_text_scale();
}

static void set_char(uint32_t line, uint32_t column, char c)
{
	if (console.text[line][column] == c)
		return;
	console.text[line][column] = c;
	framebuffer_put(column * char_width(), screen.canvas_height + line * line_height(), framebuffer_text_scale(),
			FRAMEBUFFER_WHITE, c);
}

/* By a quarter of what there is room for: each time all of it is drawn anew, which takes its time. */
static void scroll(void)
{
	uint32_t by = (console.lines + 3) / 4;

	for (uint32_t line = 0; line < console.lines; line++)
		for (uint32_t column = 0; column < console.columns; column++)
			set_char(line, column, line + by < console.lines ? console.text[line + by][column] : ' ');
	console.line -= by;
}

static void next_line(void)
{
	console.column = 0;
	if (++console.line == console.lines)
		scroll();
}

/* A line that is full goes on in the next, once there is more of it. */
static void put_char(char c)
{
	if (c == '\r')
		return;
	if (c == '\n' || console.column == console.columns)
		next_line();
	if (c != '\n')
		set_char(console.line, console.column++, c);
}

static void sink(const char *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		put_char(bytes[i]);
}

static void console_start(void)
{
	console.lines = (uint32_t)min_u64((screen.mode.height - screen.canvas_height) / line_height(), MAX_LINES);
	console.columns = (uint32_t)min_u64(screen.mode.width / char_width(), MAX_COLUMNS);
	console.line = 0;
	console.column = 0;
	memset(console.text, ' ', sizeof(console.text));
	console_set_sink(sink);
}

bool framebuffer_is_console(void)
{
	return console.lines > 0;
}

void framebuffer_start(const struct framebuffer *framebuffer, bool text)
{
	const struct framebuffer_part all = { 0, 0, framebuffer->width, framebuffer->height };

	screen.mode = *framebuffer;
	screen.there = true;
	screen.canvas_height = text ? framebuffer->height / 2 : framebuffer->height;
	framebuffer_fill(all, FRAMEBUFFER_BLACK);
	if (text)
		console_start();
}

void framebuffer_stop(void)
{
	screen.there = false;
}

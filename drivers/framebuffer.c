/* SPDX-License-Identifier: BSD-2-Clause */
/* Pixels, glyphs, and the console on the lower half. */
#include "drivers/framebuffer.h"

#include "drivers/console.h"
#include "drivers/font.h"
#include "include/mmio.h"

enum {
	MIN_WIDTH = 320, /* the picture and the legend beside it */
	MIN_HEIGHT = 200,
	MAX_SIDE = 32768,
	WIDE = 1024,     /* from here on a pixel is small */
};

static struct {
	struct framebuffer mode;
	bool there;
	uint32_t canvas_height;
	uint32_t column, line; /* of the console: where the next character goes */
	bool wrap;             /* the line is full: the next character begins another */
} screen;

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

static void clear_line(uint32_t line)
{
	const struct framebuffer_part part = { 0, screen.canvas_height + line * line_height(), screen.mode.width,
					       line_height() };

	framebuffer_fill(part, FRAMEBUFFER_BLACK);
}

/* Past the last line the first one is next. The one after the new line is cleared too, so that one sees where the end is. */
static void next_line(void)
{
	uint32_t lines = (screen.mode.height - screen.canvas_height) / line_height();

	screen.column = 0;
	screen.wrap = false;
	screen.line = (screen.line + 1) % lines;
	clear_line(screen.line);
	clear_line((screen.line + 1) % lines);
}

static void put_char(char c)
{
	uint32_t advance = FONT_ADVANCE * framebuffer_text_scale();

	if (c == '\r')
		return;
	if (c == '\n' || screen.wrap)
		next_line();
	if (c == '\n')
		return;
	framebuffer_put(screen.column * advance, screen.canvas_height + screen.line * line_height(),
			framebuffer_text_scale(), FRAMEBUFFER_WHITE, c);
	screen.column++;
	screen.wrap = (screen.column + 1) * advance > screen.mode.width;
}

static void sink(const char *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		put_char(bytes[i]);
}

void framebuffer_start(const struct framebuffer *framebuffer, bool text)
{
	const struct framebuffer_part all = { 0, 0, framebuffer->width, framebuffer->height };

	screen.mode = *framebuffer;
	screen.there = true;
	screen.canvas_height = text ? framebuffer->height / 2 : framebuffer->height;
	screen.column = 0;
	screen.line = 0;
	screen.wrap = false;
	framebuffer_fill(all, FRAMEBUFFER_BLACK);
	if (text)
		console_set_sink(sink);
}

void framebuffer_stop(void)
{
	screen.there = false;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The screen that the firmware has set up: pixels in memory, to which colours and characters are written. One writer at a
 * time. It is never read: on real machines that is slow.
 */
#ifndef NESTLING_DRIVERS_FRAMEBUFFER_H
#define NESTLING_DRIVERS_FRAMEBUFFER_H

#include "include/err.h"
#include "include/types.h"

/* A mode with pixels of 32 bits. */
struct framebuffer {
	hpa_t base;
	uint64_t size;          /* bytes */
	uint32_t width, height; /* pixels */
	uint32_t stride;        /* pixels from the start of one line to that of the next */
	bool red_first;         /* the lowest byte of a pixel is its red, else its blue */
};

/* A part of the screen, in pixels. */
struct framebuffer_part {
	uint32_t x, y, width, height;
};

/* A colour is 0xRRGGBB. */
#define FRAMEBUFFER_BLACK 0x000000u
#define FRAMEBUFFER_WHITE 0xe0e0e0u

/* Check the firmware's description of its screen. Errors: ERR_CORRUPT (inconsistent), ERR_RANGE (too small or too large to be
 * used). */
MUST_CHECK enum err framebuffer_check(const struct framebuffer *framebuffer);

/*
 * Use this framebuffer, which framebuffer_check has accepted; its memory must be mapped one to one, now and after each switch of
 * maps. With `text` the lower half becomes the console. The screen is cleared.
 */
void framebuffer_start(const struct framebuffer *framebuffer, bool text);

/* Is it the console, which no program reads? */
bool framebuffer_is_console(void);

/* The framebuffer is not mapped any more: nothing is drawn from now on. */
void framebuffer_stop(void);

/* The pages of it to be mapped, 4 KiB aligned. */
void framebuffer_region(const struct framebuffer *framebuffer, hpa_t *start, uint64_t *size);

/* The part that is not the console's. False: there is no screen. */
bool framebuffer_canvas(struct framebuffer_part *part);

/* Fill a part with a colour; what is off the screen is left out. */
void framebuffer_fill(struct framebuffer_part part, uint32_t colour);

/* Draw a character, each pixel of its glyph `scale` wide and high, on black. */
void framebuffer_put(uint32_t x, uint32_t y, uint32_t scale, uint32_t colour, char c);

/* The factor by which text should be enlarged on this screen. */
uint32_t framebuffer_text_scale(void);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* A small font for framebuffers, drawn for this program: the printable characters of ASCII, 5 pixels wide and 8 high. */
#ifndef NESTLING_DRIVERS_FONT_H
#define NESTLING_DRIVERS_FONT_H

#include <stdint.h>

enum {
	FONT_WIDTH = 5,
	FONT_HEIGHT = 8,
	FONT_ADVANCE = FONT_WIDTH + 1, /* from one character to the next */
	FONT_LINE = FONT_HEIGHT + 2,   /* from one line to the next */
};

/* The FONT_WIDTH columns of a character's glyph from left to right; bit 0 is the top pixel. Other characters are shown as '?'. */
const uint8_t *font_glyph(char c);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* Its properties: `width` and `height` in pixels, `stride` in bytes, `format` from the highest bits of a pixel down to the lowest.
 */
#include "drivers/simple_framebuffer.h"

#include <libfdt.h>
#include <string.h>

#include "drivers/devicetree.h"

static uint32_t number(const void *fdt, int node, const char *name)
{
	int length;
	const fdt32_t *value = fdt_getprop(fdt, node, name, &length);

	return value && length == sizeof(*value) ? fdt32_ld(value) : 0;
}

static const struct {
	const char *name;
	bool red_first;
} formats[] = { { "a8r8g8b8", false }, { "x8r8g8b8", false }, { "a8b8g8r8", true }, { "x8b8g8r8", true } };

static bool read_format(const void *fdt, int node, bool *red_first)
{
	int length;
	const char *format = fdt_getprop(fdt, node, "format", &length);

	for (size_t i = 0; format && i < ARRAY_LEN(formats); i++) {
		if ((size_t)length != strlen(formats[i].name) + 1 || memcmp(format, formats[i].name, (size_t)length) != 0)
			continue;
		*red_first = formats[i].red_first;
		return true;
	}
	return false;
}

static enum err read_node(const void *fdt, int node, struct framebuffer *framebuffer)
{
	enum err err = devicetree_reg(fdt, node, 0, &framebuffer->base.raw, &framebuffer->size);

	framebuffer->width = number(fdt, node, "width");
	framebuffer->height = number(fdt, node, "height");
	framebuffer->stride = number(fdt, node, "stride");
	if (err != ERR_OK)
		return err;
	if (!read_format(fdt, node, &framebuffer->red_first) || framebuffer->stride % sizeof(uint32_t) != 0)
		return ERR_UNSUPPORTED;
	framebuffer->stride /= sizeof(uint32_t);
	return framebuffer_check(framebuffer);
}

enum err simple_framebuffer_find(const void *fdt, struct framebuffer *framebuffer)
{
	int node = fdt_node_offset_by_compatible(fdt, -1, "simple-framebuffer");
	enum err err = ERR_NOT_FOUND;

	for (; err != ERR_OK && node >= 0; node = fdt_node_offset_by_compatible(fdt, node, "simple-framebuffer"))
		if (devicetree_is_enabled(fdt, node))
			err = read_node(fdt, node, framebuffer);
	return err;
}

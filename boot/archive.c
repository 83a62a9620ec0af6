/* SPDX-License-Identifier: BSD-2-Clause */
#include "boot/archive.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* "PE Format": where what is, and how long. */
enum {
	PE_OFFSET_AT = 0x3c,
	SIGNATURE = 4,
	FILE_HEADER = 20,
	SECTIONS_AT = 2,  /* of the file header: the number of sections, */
	OPTIONAL_AT = 16, /* and the size of the optional header, behind which they are */
	SECTION_HEADER = 40,
	VIRTUAL_SIZE_AT = 8, /* of a section's header */
	ADDRESS_AT = 12,
};

/* cpio(5): a magic and 13 numbers of 8 digits. */
enum { MAGIC = 6, DIGITS = 8, FILE_SIZE = 6, NAME_SIZE = 11, NUMBERS = 13, HEADER = MAGIC + NUMBERS * DIGITS };

/* Little-endian, as all that boots us. False: it is outside the image. */
static bool get(const struct archive *image, size_t at, void *value, size_t size)
{
	if (at > image->size || size > image->size - at)
		return false;
	memcpy(value, image->bytes + at, size);
	return true;
}

struct archive archive_of_image(const void *bytes, size_t size)
{
	static const char name[8] = ".files";
	const struct archive image = { bytes, size }, none = { NULL, 0 };
	uint32_t pe, length, address;
	uint16_t sections, optional;
	char found[sizeof(name)];

	if (!get(&image, PE_OFFSET_AT, &pe, sizeof(pe)) ||
	    !get(&image, pe + SIGNATURE + SECTIONS_AT, &sections, sizeof(sections)) ||
	    !get(&image, pe + SIGNATURE + OPTIONAL_AT, &optional, sizeof(optional)))
		return none;
	for (size_t at = pe + SIGNATURE + FILE_HEADER + optional; sections > 0; sections--, at += SECTION_HEADER) {
		if (!get(&image, at, found, sizeof(found)) || !get(&image, at + VIRTUAL_SIZE_AT, &length, sizeof(length)) ||
		    !get(&image, at + ADDRESS_AT, &address, sizeof(address)))
			return none;
		if (memcmp(found, name, sizeof(name)) == 0)
			return address <= size && length <= size - address ? (struct archive){ image.bytes + address, length } :
									     none;
	}
	return none;
}

/* Number `n` of a header. False: it is none. */
static bool number(const char *header, unsigned n, size_t *value)
{
	char digits[DIGITS + 1] = "", *end;

	memcpy(digits, header + MAGIC + n * DIGITS, DIGITS);
	*value = strtoul(digits, &end, 16);
	return end == digits + DIGITS;
}

static char folded(char c)
{
	return c == '\\' ? '/' : (char)tolower((unsigned char)c);
}

static bool same_name(const char *a, const char *b)
{
	a += folded(*a) == '/';
	b += folded(*b) == '/';
	while (*a && folded(*a) == folded(*b)) {
		a++;
		b++;
	}
	return *a == *b;
}

const void *archive_find(const struct archive *archive, const char *path, size_t *size)
{
	for (size_t at = 0; at < archive->size && archive->size - at >= HEADER;) {
		const char *header = archive->bytes + at, *name = header + HEADER;
		size_t name_size, data;

		if (memcmp(header, "070701", MAGIC) != 0 || !number(header, FILE_SIZE, size) ||
		    !number(header, NAME_SIZE, &name_size))
			return NULL;
		data = align_up(at + HEADER + name_size, 4);
		if (name_size == 0 || data > archive->size || *size > archive->size - data || name[name_size - 1] != '\0')
			return NULL;
		if (same_name(name, path))
			return archive->bytes + data;
		at = align_up(data + *size, 4);
	}
	return NULL;
}

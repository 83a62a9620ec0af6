/* SPDX-License-Identifier: BSD-2-Clause */
/* Linux' raw kernel images: a header, the same on the ISAs that have one, and the kernel. */
#include "vmm/linux_image.h"

#include <stdio.h>
#include <string.h>

#include "include/arch/virt.h"
#include "vmm/guest_file.h"
#include "vmm/text.h"

/* An image lies `text_offset` above a multiple of this. */
#define BASE_ALIGN      MIB(2)
/* Where it lies if it does not say: kernels before 3.17. */
#define OLD_TEXT_OFFSET KIB(512)

struct linux_header {
	uint32_t code[2];
	uint64_t text_offset; /* from the base to the image */
	uint64_t image_size;  /* of the memory it takes, uninitialised data included; 0: not said, nor the offset */
	uint64_t flags;       /* bit 0: big-endian */
	uint64_t reserved[3];
	uint32_t magic;
	uint32_t reserved2;
};
_Static_assert(sizeof(struct linux_header) == 64 && offsetof(struct linux_header, magic) == 56, "the layout of the boot protocol");

#define FLAG_BIG_ENDIAN BIT(0)

bool linux_image_is(const void *file, size_t size)
{
	struct linux_header header;

	if (arch_linux_magic() == 0 || size < sizeof(header))
		return false;
	memcpy(&header, file, sizeof(header));
	return header.magic == arch_linux_magic();
}

static enum err fail(enum err err, const char *what, char *why, size_t why_size)
{
	snprintf(why, why_size, "%s", what);
	return err;
}

static enum err fail_place(const struct vm *vm, gpa_t entry, uint64_t room, char *why, size_t why_size)
{
	snprintf(why, why_size, "it does not fit guest RAM: it takes %#lx bytes from %#lx on, and ", room, entry.raw);
	text_add_ram(why, why_size, vm);
	return ERR_RANGE;
}

/* The lowest base from which the image does not lie on the boot data. */
static uint64_t find_base(const struct vm *vm, uint64_t text_offset)
{
	uint64_t base = align_up(vm->ram[0].start.raw, BASE_ALIGN), floor = arch_guest_load_floor(vm).raw;

	return base + text_offset >= floor ? base : align_up(floor - text_offset, BASE_ALIGN);
}

enum err linux_image_load(struct vm *vm, const struct guest_image *image, gpa_t *entry, char *why, size_t why_size)
{
	struct linux_header header;
	uint64_t room;
	enum err err;

	memcpy(&header, image->bytes, sizeof(header));
	if (header.flags & FLAG_BIG_ENDIAN)
		return fail(ERR_UNSUPPORTED, "it is a big-endian kernel", why, why_size);
	if (header.image_size == 0)
		header.text_offset = OLD_TEXT_OFFSET;
	if (header.text_offset > GIB(1))
		return fail(ERR_CORRUPT, "its header asks for a senseless place", why, why_size);
	room = max_u64(image->size, header.image_size);
	*entry = GPA(find_base(vm, header.text_offset) + header.text_offset);
	if (!vm_is_ram(vm, *entry, room))
		return fail_place(vm, *entry, room, why, why_size);
	vm->image = (struct ram_range_gpa){ *entry, room };
	err = guest_file_load(vm, image, 0, image->size, *entry);
	if (err != ERR_OK)
		snprintf(why, why_size, "loading it failed: %s", err_name(err));
	return err;
}

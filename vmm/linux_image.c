/* SPDX-License-Identifier: BSD-2-Clause */
/* Linux' raw kernel images: a header, the same on the ISAs that have one, and the kernel. */
#include "vmm/linux_image.h"

#include <stdio.h>
#include <string.h>

#include "include/arch/virt.h"
#include "vmm/guest_file.h"
#include "vmm/text.h"

/* An image lies `text_offset` above a multiple of this. */
#define BASE_ALIGN MIB(2)

struct linux_header {
	uint32_t code[2];
	uint64_t text_offset; /* from the base to the image */
	uint64_t image_size;  /* of the memory it takes, uninitialised data included; 0: not said, nor the offset */
	uint64_t flags;       /* bit 0: big-endian */
	uint64_t reserved[3];
	uint32_t magic;
	uint32_t pe_header; /* where one is in the file, if that begins with PE_MAGIC: it is an EFI program, too */
};
_Static_assert(sizeof(struct linux_header) == 64 && offsetof(struct linux_header, magic) == 56, "the layout of the boot protocol");

#define FLAG_BIG_ENDIAN BIT(0)

#define PE_MAGIC "MZ"

/* Microsoft, PE Format: "COFF File Header (Object and Image)", "Section Table (Section Headers)". */
struct pe_header {
	char signature[4];
	uint16_t machine, sections;
	uint32_t time, symbols, symbol_count;
	uint16_t optional_bytes, characteristics;
};
struct pe_section {
	char name[8];
	uint32_t memory_size, memory_at, file_size, file_at;
	uint32_t relocations, lines;
	uint16_t relocation_count, line_count;
	uint32_t characteristics;
};
_Static_assert(sizeof(struct pe_header) == 24 && sizeof(struct pe_section) == 40, "the layout of the format");

bool linux_image_is(const void *file, size_t size)
{
	uint32_t magic = arch_linux_rules()->magic;
	struct linux_header header;

	if (magic == 0 || size < sizeof(header))
		return false;
	memcpy(&header, file, sizeof(header));
	return header.magic == magic;
}

/*
 * How long the file must be at least. Its own header says only what the kernel takes in memory, which is more; but most kernels are
 * EFI programs, too, and have it in that program's list of sections.
 */
static uint64_t whole_size(const void *file, size_t size, const struct linux_header *header)
{
	uint64_t at = header->pe_header, end = at + sizeof(struct pe_header);
	struct pe_section section;
	struct pe_header pe;
	uint64_t whole;

	if (memcmp(file, PE_MAGIC, 2) != 0)
		return size;
	if (end > size)
		return end;
	memcpy(&pe, (const char *)file + at, sizeof(pe));
	at = end + pe.optional_bytes;
	end = at + pe.sections * sizeof(section);
	for (whole = max_u64(end, size); at < end && end <= size; at += sizeof(section)) {
		memcpy(&section, (const char *)file + at, sizeof(section));
		whole = max_u64(whole, (uint64_t)section.file_at + section.file_size);
	}
	return whole;
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

/* What the header says, in itself and to this ISA. */
static enum err check_header(struct linux_header *header, const struct linux_rules *rules, char *why, size_t why_size)
{
	const char *refused;

	if (header->flags & FLAG_BIG_ENDIAN)
		return fail(ERR_UNSUPPORTED, "it is a big-endian kernel", why, why_size);
	refused = arch_linux_refuses(header->flags);
	if (refused)
		return fail(ERR_UNSUPPORTED, refused, why, why_size);
	if (header->image_size == 0 && rules->old_text_offset == 0)
		return fail(ERR_CORRUPT, "its header does not say how much memory it takes (image_size is 0)", why, why_size);
	if (header->image_size == 0)
		header->text_offset = rules->old_text_offset;
	if (header->text_offset > GIB(1) || !is_aligned(header->text_offset, rules->align)) {
		snprintf(why, why_size, "its header asks for a senseless place (text_offset is %#lx)", header->text_offset);
		return ERR_CORRUPT;
	}
	return ERR_OK;
}

enum err linux_image_load(struct vm *vm, const struct guest_image *image, gpa_t *entry, char *why, size_t why_size)
{
	struct linux_header header;
	uint64_t room, whole;
	enum err err;

	memcpy(&header, image->bytes, sizeof(header));
	err = check_header(&header, arch_linux_rules(), why, why_size);
	if (err != ERR_OK)
		return err;
	whole = whole_size(image->bytes, image->size, &header);
	if (whole > image->size) {
		snprintf(why, why_size, "it is cut short: %lu of at least %lu bytes are there", image->size, whole);
		return ERR_CORRUPT;
	}
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

/* SPDX-License-Identifier: BSD-2-Clause */
/* The PVH boot protocol: finding a kernel's entry, and what it is told. */
#include "vmm/x86_64/pvh.h"

#include <stdio.h>
#include <string.h>

#include "vmm/elf_file.h"

#define PT_NOTE      4
#define NOTE_ALIGN   4 /* of names and descriptions; System V ABI, "Note Section" */
#define PHYS32_ENTRY 18
#define MAGIC        0x336ec578 /* "xEn3", the top bit of E set */
#define VERSION      1          /* the first one with a memory map */

static const char xen[4] = "Xen";

struct note {
	uint32_t name_size, size, type;
};

struct start_info {
	uint32_t magic, version, flags, modules;
	uint64_t modlist, cmdline, rsdp, memory;
	uint32_t memory_rows, reserved;
};

struct module {
	uint64_t addr, size, cmdline, reserved;
};
_Static_assert(sizeof(struct start_info) == 56 && sizeof(struct module) == 32 && sizeof(struct pvh_memory) == 24,
	       "the layout of the interface");

/* The entry in a note at `bytes`, which there are `size` of; `step`: to the next note, beyond the end if there is none. */
static bool read_note(const char *bytes, size_t size, uint64_t *step, uint64_t *entry)
{
	struct note note;
	uint64_t name_room;

	memcpy(&note, bytes, sizeof(note));
	name_room = align_up(note.name_size, NOTE_ALIGN);
	*step = sizeof(note) + name_room + align_up(note.size, NOTE_ALIGN);
	if (note.type != PHYS32_ENTRY || note.name_size != sizeof(xen) || sizeof(note) + name_room + note.size > size ||
	    memcmp(bytes + sizeof(note), xen, sizeof(xen)) != 0)
		return false;
	/* A number as wide as the kernel's own: it is an address below 4 GiB. */
	*entry = 0;
	memcpy(entry, bytes + sizeof(note) + name_room, min_u64(note.size, sizeof(*entry)));
	return note.size >= sizeof(uint32_t) && *entry <= UINT32_MAX;
}

static bool find_in_notes(const char *bytes, uint64_t size, uint64_t *entry)
{
	uint64_t step;

	for (uint64_t at = 0; at < size && size - at >= sizeof(struct note); at += step)
		if (read_note(bytes + at, size - at, &step, entry))
			return true;
	return false;
}

/* elf_load checks all else. Only of a program at fixed addresses: the note's would not move with another one. */
static bool is_elf(const struct elf_header *header, size_t size)
{
	static const uint8_t ident[] = { 0x7f, 'E', 'L', 'F', 2, 1 }; /* 64-bit, little-endian */

	return memcmp(header->ident, ident, sizeof(ident)) == 0 && header->type == ET_EXEC && header->phoff <= size &&
	       (size - header->phoff) / sizeof(struct elf_segment) >= header->phnum &&
	       header->phentsize == sizeof(struct elf_segment);
}

static bool find_entry(const char *file, size_t size, uint64_t *entry)
{
	struct elf_segment segment;
	struct elf_header header;

	if (size < sizeof(header))
		return false;
	memcpy(&header, file, sizeof(header));
	if (!is_elf(&header, size))
		return false;
	for (unsigned i = 0; i < header.phnum; i++) {
		memcpy(&segment, file + header.phoff + i * sizeof(segment), sizeof(segment));
		if (segment.type == PT_NOTE && segment.offset <= size && segment.filesz <= size - segment.offset &&
		    find_in_notes(file + segment.offset, segment.filesz, entry))
			return true;
	}
	return false;
}

bool pvh_is(const void *file, size_t size)
{
	uint64_t entry;

	return find_entry(file, size, &entry);
}

enum err pvh_load(struct vm *vm, const struct guest_image *image, gpa_t *entry, char *why, size_t why_size)
{
	enum err err = elf_load(vm, image->bytes, image->size, entry, why, why_size);

	if (err != ERR_OK)
		return err;
	if (!find_entry(image->bytes, image->size, &entry->raw) || entry->raw - vm->image.start.raw >= vm->image.size) {
		snprintf(why, why_size, "its PVH entry point %#lx is not in what it has loaded", entry->raw);
		return ERR_CORRUPT;
	}
	vm->arch.pvh = true;
	return ERR_OK;
}

enum err pvh_write_start_info(struct vm *vm, gpa_t at, const struct pvh_start *start)
{
	const struct module initrd = { .addr = vm->initrd.start.raw, .size = vm->initrd.size };
	const struct start_info info = {
		.magic = MAGIC,
		.version = VERSION,
		.modules = initrd.size != 0,
		.modlist = at.raw + sizeof(info),
		.cmdline = start->cmdline,
		.rsdp = start->rsdp,
		.memory = at.raw + sizeof(info) + sizeof(initrd),
		.memory_rows = start->memory_rows,
	};
	enum err err = addr_space_write(&vm->as, at, &info, sizeof(info));

	if (err == ERR_OK)
		err = addr_space_write(&vm->as, GPA(info.modlist), &initrd, sizeof(initrd));
	return err == ERR_OK ?
		       addr_space_write(&vm->as, GPA(info.memory), start->memory, start->memory_rows * sizeof(*start->memory)) :
		       err;
}

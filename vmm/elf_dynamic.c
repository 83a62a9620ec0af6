/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Position-independent executables: their relocations, as far as they need nothing else than the program. Source: System V ABI,
 * "Dynamic Linking", its section "Relative Relocation Table" for DT_RELR. Executables at fixed
 * addresses may have them, too: ld -pie with -Ttext-segment writes ET_EXEC, and leaves the places empty that they fill.
 */
#include "vmm/elf_file.h"

#include <string.h>

#include "include/arch/virt.h"

enum {
	DT_NULL = 0,
	DT_NEEDED = 1,
	DT_PLTRELSZ = 2,
	DT_SYMTAB = 6,
	DT_RELA = 7,
	DT_RELASZ = 8,
	DT_RELAENT = 9,
	DT_SYMENT = 11,
	DT_SONAME = 14,
	DT_RELSZ = 18,
	DT_JMPREL = 23,
	DT_RELRSZ = 35,
	DT_RELR = 36,
	DT_RELRENT = 37,
	DT_TAGS = 38,
	/* Android's packed forms of the same. */
	DT_ANDROID_FIRST = 0x6000000f,
	DT_ANDROID_LAST = 0x60000012,
	DT_ANDROID_RELR = 0x6fffe000,
};

struct elf_tag {
	uint64_t tag, value;
};

struct elf_rela {
	uint64_t offset, info, addend;
};

struct elf_symbol {
	uint32_t name;
	uint8_t info, other; /* info: its binding in the upper four bits */
	uint16_t section;
	uint64_t value, size;
};
_Static_assert(sizeof(struct elf_symbol) == 24, "the layout of the ABI");

enum { SHN_UNDEF = 0, SHN_ABS = 0xfff1, STB_WEAK = 2 };

/* The dynamic section, as far as it matters. */
struct elf_dynamic {
	uint64_t value[DT_TAGS];
	uint64_t has; /* a bit for each tag */
	bool android;
};

/* Does something with one place: the file's value there, and the value that it is to have. */
typedef enum err (*elf_place_fn)(struct elf_file *file, gpa_t place, uint64_t value);

/* The bytes at a virtual address that the file has, and where they are loaded; NULL: not all of them are in one segment. */
static const char *find_bytes(const struct elf_file *file, uint64_t vaddr, uint64_t size, gpa_t *place)
{
	for (unsigned i = 0; i < file->loads; i++) {
		const struct elf_segment *segment = &file->load[i];
		uint64_t at = vaddr - segment->vaddr;

		if (vaddr < segment->vaddr || at > segment->filesz || segment->filesz - at < size)
			continue;
		*place = GPA(segment->paddr + at);
		return file->bytes + segment->offset + at;
	}
	return NULL;
}

/* False: it is not all there. */
static bool read_dynamic(const struct elf_file *file, struct elf_dynamic *dynamic)
{
	const struct elf_segment *segment = &file->dynamic;

	*dynamic = (struct elf_dynamic){ 0 };
	if (segment->offset > file->size || file->size - segment->offset < segment->filesz)
		return false;
	for (uint64_t at = 0; segment->filesz - at >= sizeof(struct elf_tag); at += sizeof(struct elf_tag)) {
		struct elf_tag tag;

		memcpy(&tag, file->bytes + segment->offset + at, sizeof(tag));
		if (tag.tag == DT_NULL)
			break;
		dynamic->android |= (tag.tag >= DT_ANDROID_FIRST && tag.tag <= DT_ANDROID_LAST) || tag.tag == DT_ANDROID_RELR;
		if (tag.tag >= DT_TAGS)
			continue;
		dynamic->value[tag.tag] = tag.value;
		dynamic->has |= BIT(tag.tag);
	}
	return true;
}

/* There are no shared objects: a symbol is defined in the program, or it is an undefined weak symbol, which is 0. */
static enum err find_symbol(struct elf_file *file, const struct elf_dynamic *dynamic, uint64_t index, uint64_t *address)
{
	struct elf_symbol symbol;
	gpa_t place;
	const char *bytes = find_bytes(file, dynamic->value[DT_SYMTAB] + index * sizeof(symbol), sizeof(symbol), &place);

	*address = 0;
	if (index == 0)
		return ERR_OK;
	if (!bytes || !(dynamic->has & BIT(DT_SYMTAB)))
		return elf_fail(file, ERR_CORRUPT, "a relocation is for symbol %lu, which is not there", index);
	memcpy(&symbol, bytes, sizeof(symbol));
	if (symbol.section == SHN_UNDEF && symbol.info >> 4 != STB_WEAK)
		return elf_fail(file, ERR_UNSUPPORTED,
				"symbol %lu is to come from a shared library: link it with -static or -static-pie", index);
	if (symbol.section != SHN_UNDEF)
		*address = symbol.value + (symbol.section == SHN_ABS ? 0 : file->bias);
	return ERR_OK;
}

static enum err do_rela(struct elf_file *file, const struct elf_dynamic *dynamic, const struct elf_rela *rela, elf_place_fn fn)
{
	uint32_t type = (uint32_t)rela->info;
	uint64_t address = file->bias;
	gpa_t place;
	enum err err = ERR_OK;

	switch (arch_elf_relocation(type)) {
	case ELF_RELOCATION_NONE:
		return ERR_OK;
	case ELF_RELOCATION_RELATIVE:
		break;
	case ELF_RELOCATION_SYMBOL:
		err = find_symbol(file, dynamic, rela->info >> 32, &address);
		break;
	default:
		return elf_fail(file, ERR_UNSUPPORTED,
				"it has relocations of type %u, which take a dynamic linker: link it with "
				"-static-pie or -no-pie",
				type);
	}
	if (err != ERR_OK)
		return err;
	if (!find_bytes(file, rela->offset, sizeof(uint64_t), &place))
		return elf_fail(file, ERR_CORRUPT, "a relocation at %#lx is for no byte of the file", rela->offset);
	return fn(file, place, address + rela->addend);
}

static enum err each_rela(struct elf_file *file, const struct elf_dynamic *dynamic, uint64_t vaddr, uint64_t size, elf_place_fn fn)
{
	gpa_t place;
	const char *table = find_bytes(file, vaddr, size, &place);
	enum err err = ERR_OK;

	if (size == 0)
		return ERR_OK;
	if (!table)
		return elf_fail(file, ERR_CORRUPT, "its relocations are not all there");
	for (uint64_t at = 0; err == ERR_OK && size - at >= sizeof(struct elf_rela); at += sizeof(struct elf_rela)) {
		struct elf_rela rela;

		memcpy(&rela, table + at, sizeof(rela));
		err = do_rela(file, dynamic, &rela, fn);
	}
	return err;
}

static enum err each_relr_place(struct elf_file *file, uint64_t vaddr, elf_place_fn fn)
{
	gpa_t place;
	const char *bytes = find_bytes(file, vaddr, sizeof(uint64_t), &place);
	uint64_t value;

	if (!bytes)
		return elf_fail(file, ERR_CORRUPT, "a relocation at %#lx is for no byte of the file", vaddr);
	memcpy(&value, bytes, sizeof(value));
	return fn(file, place, file->bias + value);
}

/* An entry that is even is an address; an odd one has a bit for each of the 63 words that follow the last one. */
static enum err each_relr(struct elf_file *file, uint64_t vaddr, uint64_t size, elf_place_fn fn)
{
	const uint64_t step = 63 * sizeof(uint64_t);
	uint64_t next = 0, entry;
	gpa_t place;
	const char *table = find_bytes(file, vaddr, size, &place);
	enum err err = ERR_OK;

	if (size == 0)
		return ERR_OK;
	if (!table)
		return elf_fail(file, ERR_CORRUPT, "its relocations are not all there");
	for (uint64_t at = 0; err == ERR_OK && size - at >= sizeof(entry); at += sizeof(entry)) {
		memcpy(&entry, table + at, sizeof(entry));
		/* Upwards only, as linkers write them: so none is applied twice, and there is an end. */
		if ((entry & 1 ? next + step : entry) < next)
			return elf_fail(file, ERR_CORRUPT, "its relocations are not in order");
		if (!(entry & 1)) {
			err = each_relr_place(file, entry, fn);
			next = entry + sizeof(entry);
			continue;
		}
		for (unsigned i = 0; err == ERR_OK && i < 63; i++)
			if (entry >> (i + 1) & 1)
				err = each_relr_place(file, next + i * sizeof(entry), fn);
		next += step;
	}
	return err;
}

static enum err each_relocation(struct elf_file *file, const struct elf_dynamic *dynamic, elf_place_fn fn)
{
	const uint64_t *value = dynamic->value;
	enum err err = each_rela(file, dynamic, value[DT_RELA], value[DT_RELASZ], fn);

	if (err == ERR_OK)
		err = each_rela(file, dynamic, value[DT_JMPREL], value[DT_PLTRELSZ], fn);
	return err == ERR_OK ? each_relr(file, value[DT_RELR], value[DT_RELRSZ], fn) : err;
}

static enum err check_place(struct elf_file *file, gpa_t place, uint64_t value)
{
	(void)file;
	(void)place;
	(void)value;
	return ERR_OK;
}

static enum err write_place(struct elf_file *file, gpa_t place, uint64_t value)
{
	return addr_space_write(&file->vm->as, place, &value, sizeof(value));
}

/* Tables of another form than ours. */
static enum err check_tables(struct elf_file *file, const struct elf_dynamic *dynamic)
{
	const uint64_t *value = dynamic->value;

	if (dynamic->android)
		return elf_fail(file, ERR_UNSUPPORTED,
				"its relocations are packed as for Android: link it without "
				"--pack-dyn-relocs=android");
	if (value[DT_RELSZ])
		return elf_fail(file, ERR_UNSUPPORTED, "it has relocations without addends, which its ABI does not have");
	if ((value[DT_RELASZ] && value[DT_RELAENT] != sizeof(struct elf_rela)) ||
	    (value[DT_RELRSZ] && value[DT_RELRENT] != sizeof(uint64_t)) ||
	    ((dynamic->has & BIT(DT_SYMENT)) && value[DT_SYMENT] != sizeof(struct elf_symbol)))
		return elf_fail(file, ERR_CORRUPT, "its relocations have a size that there is not");
	return ERR_OK;
}

enum err elf_check_dynamic(struct elf_file *file)
{
	struct elf_dynamic dynamic;
	enum err err;

	if (file->dynamic.type == 0)
		return ERR_OK;
	if (!read_dynamic(file, &dynamic))
		return elf_fail(file, ERR_CORRUPT, "it is truncated: its dynamic section is not all there");
	if (dynamic.has & BIT(DT_SONAME))
		return elf_fail(file, ERR_UNSUPPORTED, "it is a shared library: give a static executable");
	if (dynamic.has & BIT(DT_NEEDED))
		return elf_fail(file, ERR_UNSUPPORTED,
				"it needs shared libraries, and here are none: link it with -static or "
				"-static-pie");
	err = check_tables(file, &dynamic);
	return err == ERR_OK ? each_relocation(file, &dynamic, check_place) : err;
}

enum err elf_relocate(struct elf_file *file)
{
	struct elf_dynamic dynamic;

	if (file->dynamic.type == 0 || !read_dynamic(file, &dynamic))
		return ERR_OK;
	return each_relocation(file, &dynamic, write_place);
}

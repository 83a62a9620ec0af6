/* SPDX-License-Identifier: BSD-2-Clause */
/* An ELF file's header and segments, read and checked. Source: System V ABI, "Object Files". */
#include "vmm/elf_file.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "include/arch/virt.h"
#include "vmm/file_kind.h"

enum err elf_fail(struct elf_file *file, enum err err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(file->why, file->why_size, fmt, ap);
	va_end(ap);
	return err;
}

static enum err check_header(struct elf_file *file)
{
	static const uint8_t magic[] = { 0x7f, 'E', 'L', 'F' };
	const struct elf_header *header = &file->header;
	const char *what;

	if (file->size < sizeof(magic) || memcmp(file->bytes, magic, sizeof(magic)) != 0)
		return elf_fail(file, ERR_CORRUPT, "%s", file_kind_describe(file->bytes, file->size));
	if (file->size < sizeof(*header))
		return elf_fail(file, ERR_CORRUPT, "it is truncated: it ends within its ELF header");
	memcpy(&file->header, file->bytes, sizeof(*header));
	what = file_kind_describe_elf(file->bytes, file->size);
	if (what)
		return elf_fail(file, ERR_UNSUPPORTED, "%s", what);
	if (header->machine != arch_elf_machine())
		return elf_fail(file, ERR_UNSUPPORTED, "it is for %s, and here is %s", file_kind_machine(header->machine),
				file_kind_machine(arch_elf_machine()));
	if (header->type != ET_EXEC && header->type != ET_DYN)
		return elf_fail(file, ERR_UNSUPPORTED, "it is no executable (e_type %u): give a static one", header->type);
	if (header->phentsize != sizeof(struct elf_segment) || header->phnum == 0)
		return elf_fail(file, ERR_CORRUPT, "it has no program headers");
	if (header->phoff > file->size || (file->size - header->phoff) / sizeof(struct elf_segment) < header->phnum)
		return elf_fail(file, ERR_CORRUPT, "it is truncated: the program headers are not all there");
	return ERR_OK;
}

/* Of a segment without bytes in the file, the offset says nothing: linkers write what comes next, there or not. */
static enum err check_bytes(struct elf_file *file, const struct elf_segment *segment)
{
	if (segment->filesz > segment->memsz)
		return elf_fail(file, ERR_CORRUPT, "segment %u has more bytes in the file than in memory", file->loads);
	if (segment->filesz && (segment->offset > file->size || file->size - segment->offset < segment->filesz))
		return elf_fail(file, ERR_CORRUPT, "segment %u is truncated: its bytes are not all there", file->loads);
	return ERR_OK;
}

static enum err read_segments(struct elf_file *file)
{
	for (unsigned i = 0; i < file->header.phnum; i++) {
		struct elf_segment segment;
		enum err err;

		memcpy(&segment, file->bytes + file->header.phoff + i * sizeof(segment), sizeof(segment));
		if (segment.type == PT_DYNAMIC)
			file->dynamic = segment;
		if (segment.type != PT_LOAD || (segment.memsz | segment.filesz) == 0)
			continue;
		if (file->loads == ELF_MAX_SEGMENTS)
			return elf_fail(file, ERR_UNSUPPORTED, "it has more than %u segments to load", ELF_MAX_SEGMENTS);
		err = check_bytes(file, &segment);
		if (err != ERR_OK)
			return err;
		file->load[file->loads++] = segment;
	}
	return file->loads > 0 ? ERR_OK : elf_fail(file, ERR_CORRUPT, "it has nothing to load");
}

enum err elf_read(struct elf_file *file)
{
	enum err err = check_header(file);

	return err == ERR_OK ? read_segments(file) : err;
}

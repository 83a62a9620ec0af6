/* SPDX-License-Identifier: BSD-2-Clause */
/* See vmm/x86_64/vmlinux.h. */
#include "vmm/x86_64/vmlinux.h"

#include "vmm/guest_file.h"

#define ALIGNMENT MIB(2) /* that startup_64 checks */

/* In the memory that is the kernel's, and in the file as it is there. */
static bool is_in_place(const struct elf_segment *segment, const struct setup_header *header)
{
	uint64_t at = segment->paddr - header->pref_address;

	return at <= header->init_size && segment->memsz <= header->init_size - at &&
	       is_aligned(segment->paddr - segment->offset, PAGE_SIZE);
}

static bool overlaps(const struct elf_segment *a, const struct elf_segment *b)
{
	return a->paddr < b->paddr + b->memsz && b->paddr < a->paddr + a->memsz;
}

static bool are_in_place(const struct elf_file *file, const struct setup_header *header)
{
	for (unsigned i = 0; i < file->loads; i++) {
		if (!is_in_place(&file->load[i], header))
			return false;
		for (unsigned j = 0; j < i; j++)
			if (overlaps(&file->load[i], &file->load[j]))
				return false;
	}
	return true;
}

/*
 * It is a physical address, in a segment of any flags: kernels from about 7 on, whose per-CPU data have no segment of their own,
 * have the code that they start with in one that is not marked as executable.
 */
static bool is_entry(const struct elf_file *file)
{
	for (unsigned i = 0; i < file->loads; i++) {
		const struct elf_segment *segment = &file->load[i];

		if (file->header.entry - segment->paddr < segment->filesz)
			return true;
	}
	return false;
}

enum err vmlinux_read(struct elf_file *file, const void *bytes, size_t size, const struct setup_header *header)
{
	*file = (struct elf_file){ .bytes = bytes, .size = size };
	if (!is_aligned(header->pref_address | header->kernel_alignment, ALIGNMENT) ||
	    header->pref_address > UINT64_MAX - header->init_size)
		return ERR_UNSUPPORTED;
	if (elf_read(file) != ERR_OK || file->header.type != ET_EXEC || !are_in_place(file, header) || !is_entry(file))
		return ERR_UNSUPPORTED;
	return ERR_OK;
}

size_t vmlinux_end(const struct elf_file *file)
{
	uint64_t end = 0;

	for (unsigned i = 0; i < file->loads; i++)
		if (file->load[i].filesz)
			end = max_u64(end, file->load[i].offset + file->load[i].filesz);
	return end;
}

enum err vmlinux_load(struct vm *vm, const struct guest_image *image, const struct setup_header *header, gpa_t at, gpa_t *entry)
{
	uint64_t moved = at.raw - header->pref_address;
	struct elf_file file;
	enum err err = vmlinux_read(&file, image->bytes, image->size, header);

	for (unsigned i = 0; i < file.loads && err == ERR_OK; i++) {
		const struct elf_segment *segment = &file.load[i];

		err = guest_file_load(vm, image, segment->offset, segment->filesz, GPA(segment->paddr + moved));
	}
	*entry = GPA(file.header.entry + moved);
	return err;
}

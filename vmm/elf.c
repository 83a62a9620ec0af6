/* SPDX-License-Identifier: BSD-2-Clause */
/* ELF64 loader. Source: System V ABI, "Object Files"; every field of the file is taken for hostile. */
#include "vmm/elf.h"

#include "include/arch/virt.h"
#include "vmm/elf_file.h"

/*
 * A position-independent program lies at a multiple of this, so that it may have large pages. Those at fixed addresses are
 * best linked at one, too: ld rounds what it is told down to its largest page.
 */
#define PROGRAM_ALIGN MIB(2)

/* How a program comes to lie there. */
#define HOW_TO_LINK "link it with -Ttext-segment=%#lx (ld) or --image-base=%#lx (ld.lld)"

/* A kernel's program headers that have no physical addresses. One that is moved would not find its own page tables. */
#define HIGH_ADDRESS "segment %u is for %#lx, a virtual address, and lies outside guest RAM: of a kernel, give the raw Image"

/* May it lie where it says? */
static bool is_place(const struct elf_file *file, const struct elf_segment *segment)
{
	return segment->paddr >= arch_guest_load_floor(file->vm).raw && vm_is_ram(file->vm, GPA(segment->paddr), segment->memsz);
}

/*
 * A position-independent program stays where it was linked if it may lie there. Else it is moved as a whole to the lowest
 * place above the boot data that it is aligned at.
 */
static enum err place_dyn(struct elf_file *file)
{
	uint64_t lowest = UINT64_MAX, align = PROGRAM_ALIGN, floor = arch_guest_load_floor(file->vm).raw;
	bool stays = true;

	for (unsigned i = 0; i < file->loads; i++) {
		struct elf_segment *segment = &file->load[i];

		if (segment->align & (segment->align - 1))
			return elf_fail(file, ERR_CORRUPT, "segment %u is aligned at %#lx, which is no power of two", i,
					segment->align);
		segment->paddr = segment->vaddr;
		stays = stays && is_place(file, segment);
		lowest = min_u64(lowest, segment->vaddr);
		align = max_u64(align, segment->align);
	}
	if (stays)
		return ERR_OK;
	if ((int64_t)lowest < 0)
		return elf_fail(file, ERR_RANGE, HIGH_ADDRESS, 0, lowest);
	file->bias = align_up(floor, align) - align_down(lowest, align);
	for (unsigned i = 0; i < file->loads; i++)
		file->load[i].paddr += file->bias;
	return ERR_OK;
}

static bool overlaps(const struct elf_segment *a, const struct elf_segment *b)
{
	return a->paddr < b->paddr + b->memsz && b->paddr < a->paddr + a->memsz;
}

/* Says what to link differently, which differs by what is in the way. */
static enum err fail_place(struct elf_file *file, unsigned i)
{
	const struct elf_segment *segment = &file->load[i];
	const struct ram_range_gpa *ram = &file->vm->ram[0];
	uint64_t floor = arch_guest_load_floor(file->vm).raw, start = segment->paddr;
	uint64_t best = align_up(floor, PROGRAM_ALIGN);
	const char *headers = segment->offset ? "" : ", with the file's headers";

	if (start >= ram->start.raw && start < floor)
		return elf_fail(file, ERR_RANGE,
				"segment %u begins at %#lx%s, where the boot data goes: " HOW_TO_LINK ", without -Ttext", i, start,
				headers, best, best);
	if ((int64_t)start < 0 && start == segment->vaddr)
		return elf_fail(file, ERR_RANGE, HIGH_ADDRESS, i, start);
	if (file->bias || start - ram->start.raw < ram->size)
		return elf_fail(file, ERR_RANGE,
				"segment %u, %#lx bytes at %#lx, lies outside guest RAM, which ends at %#lx: promise it more", i,
				segment->memsz, start, ram->start.raw + ram->size);
	return elf_fail(file, ERR_RANGE, "segment %u begins at %#lx%s and lies outside guest RAM, %#lx to %#lx: " HOW_TO_LINK, i,
			start, headers, ram->start.raw, ram->start.raw + ram->size - 1, best, best);
}

static enum err check_places(struct elf_file *file)
{
	for (unsigned i = 0; i < file->loads; i++) {
		if (!is_place(file, &file->load[i]))
			return fail_place(file, i);
		for (unsigned j = 0; j < i; j++)
			if (overlaps(&file->load[i], &file->load[j]))
				return elf_fail(file, ERR_CORRUPT, "segment %u overlaps segment %u", i, j);
	}
	return ERR_OK;
}

/* The segment that the entry lies in, by addresses of one kind, with these flags; how far into it goes to `at`. */
static const struct elf_segment *find_segment(const struct elf_file *file, bool physical, uint32_t flags, uint64_t *at)
{
	for (unsigned i = 0; i < file->loads; i++) {
		const struct elf_segment *segment = &file->load[i];
		uint64_t start = physical ? segment->paddr - file->bias : segment->vaddr;

		*at = file->header.entry - start;
		if ((segment->flags & flags) == flags && file->header.entry >= start && *at < segment->memsz)
			return segment;
	}
	return NULL;
}

/*
 * The entry is a virtual address, says the ABI; the guest starts with memory mapped one to one, so it is entered where that
 * address's segment is put. Kernels that are linked high and loaded low, Linux' vmlinux among them, have a physical one there.
 * What can be executed goes first: a segment of data may begin at virtual address 0 (Linux' per-CPU data once did).
 */
static enum err find_entry(struct elf_file *file, gpa_t *entry)
{
	const struct elf_segment *segment = NULL;
	uint64_t at = 0;

	for (unsigned i = 0; i < 4 && !segment; i++)
		segment = find_segment(file, i & 1, i < 2 ? PF_X : 0, &at);
	if (!segment)
		return elf_fail(file, ERR_CORRUPT, "its entry point %#lx lies in none of its segments", file->header.entry);
	if (at >= segment->filesz)
		return elf_fail(file, ERR_CORRUPT, "its entry point %#lx has no bytes in the file: was its code stripped?",
				file->header.entry);
	if (segment->offset + at == 0)
		return elf_fail(file, ERR_UNSUPPORTED,
				"its entry point is its own header: it is a shared library, or _start is missing");
	*entry = GPA(segment->paddr + at);
	return ERR_OK;
}

/* From the lowest segment to the end of the highest. */
static void note_place(const struct elf_file *file)
{
	struct ram_range_gpa *image = &file->vm->image;
	uint64_t start = UINT64_MAX, end = 0;

	for (unsigned i = 0; i < file->loads; i++) {
		start = min_u64(start, file->load[i].paddr);
		end = max_u64(end, file->load[i].paddr + file->load[i].memsz);
	}
	*image = (struct ram_range_gpa){ GPA(start), end - start };
}

static enum err copy_segments(struct elf_file *file)
{
	enum err err = ERR_OK;

	note_place(file);

	for (unsigned i = 0; i < file->loads && err == ERR_OK; i++) {
		const struct elf_segment *segment = &file->load[i];

		if (segment->filesz)
			err = addr_space_write(&file->vm->as, GPA(segment->paddr), file->bytes + segment->offset, segment->filesz);
	}
	if (err == ERR_OK)
		err = elf_relocate(file);
	return err == ERR_OK ? ERR_OK : elf_fail(file, err, "loading it failed: %s", err_name(err));
}

enum err elf_load(struct vm *vm, const void *bytes, size_t size, gpa_t *entry, char *why, size_t why_size)
{
	struct elf_file file = { .vm = vm, .bytes = bytes, .size = size, .why = why, .why_size = why_size };
	enum err err = elf_read(&file);

	if (err == ERR_OK && file.header.type == ET_DYN)
		err = place_dyn(&file);
	if (err == ERR_OK)
		err = check_places(&file);
	if (err == ERR_OK)
		err = elf_check_dynamic(&file);
	if (err == ERR_OK)
		err = find_entry(&file, entry);
	return err == ERR_OK ? copy_segments(&file) : err;
}

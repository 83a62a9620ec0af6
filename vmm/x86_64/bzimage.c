/* SPDX-License-Identifier: BSD-2-Clause */
/* Linux' bzImages: setup code for real mode, which is not used but for its header, and a kernel that unpacks itself. */
#include "vmm/x86_64/bzimage.h"

#include <stdio.h>
#include <string.h>

#include "include/arch/virt.h"
#include "vmm/guest_file.h"
#include "vmm/text.h"
#include "vmm/x86_64/unzstd.h"
#include "vmm/x86_64/vmlinux.h"

#define SECTOR             512
#define SETUP_SECTS_OLD    4 /* where it says 0 */
#define SYSSIZE_UNIT       16
#define VERSION_64BIT      0x020c          /* the first with xloadflags */
#define ENTRY_64           0x200           /* of the kernel, from where it is loaded */
#define HEADER_LENGTH_FROM UINT64_C(0x202) /* the jump over the header is from here */
#define CMDLINE_OLD        255
#define ALIGNMENT_MAX      GIB(1)
#define PAYLOAD_MAX        MIB(256) /* unpacked */
#define PAYLOAD_SIZE_BYTES sizeof(uint32_t)

static enum err fail(enum err err, const char *what, char *why, size_t why_size)
{
	snprintf(why, why_size, "%s", what);
	return err;
}

static void read_header(const void *file, size_t size, struct setup_header *header)
{
	size_t there = size > SETUP_HEADER_AT ? size - SETUP_HEADER_AT : 0;

	memset(header, 0, sizeof(*header));
	memcpy(header, (const char *)file + SETUP_HEADER_AT, min_u64(there, sizeof(*header)));
}

bool bzimage_is(const void *file, size_t size)
{
	struct setup_header header;

	if (size < SETUP_HEADER_AT + offsetof(struct setup_header, version))
		return false;
	read_header(file, size, &header);
	return header.header == SETUP_MAGIC && header.boot_flag == SETUP_BOOT_FLAG;
}

/* Is it a kernel that can be entered in 64-bit mode, with all fields that such a one has? */
static const char *bad_kind(const struct setup_header *header)
{
	if (header->version < VERSION_64BIT)
		return "it is a kernel older than 3.8, without the 64-bit entry of boot protocol 2.12";
	if (HEADER_LENGTH_FROM + header->length < SETUP_HEADER_AT + offsetof(struct setup_header, handover_offset))
		return "its setup header is too short for its version";
	if (!(header->xloadflags & XLF_KERNEL_64))
		return "it is a kernel for 32-bit x86: give one for amd64";
	if (!(header->loadflags & LOADED_HIGH))
		return "it is a zImage, which is loaded below 1 MiB: give a bzImage";
	if (header->kernel_alignment == 0 || header->kernel_alignment & (header->kernel_alignment - 1) ||
	    header->kernel_alignment > ALIGNMENT_MAX)
		return "its header asks for a senseless alignment";
	return NULL;
}

/* Where in the file the kernel begins, and how long it is. */
static bool find_kernel(const struct setup_header *header, size_t size, size_t *start, size_t *length)
{
	*start = ((header->setup_sects ? header->setup_sects : SETUP_SECTS_OLD) + (size_t)1) * SECTOR;
	*length = (size_t)header->syssize * SYSSIZE_UNIT;
	return *length > ENTRY_64 && *start <= size && *length <= size - *start;
}

/* The lowest place in one range of RAM. False: there is none. */
static bool place_in(const struct vm *vm, const struct ram_range_gpa *ram, const struct setup_header *header, uint64_t room,
		     gpa_t *at)
{
	uint64_t start = align_up(max_u64(ram->start.raw, arch_guest_load_floor(vm).raw), header->kernel_alignment);

	*at = GPA(start);
	return vm_is_ram(vm, *at, room) && (header->xloadflags & XLF_ABOVE_4G || start + room <= GIB(4));
}

static bool find_place(const struct vm *vm, const struct setup_header *header, uint64_t room, gpa_t *at)
{
	*at = GPA(header->pref_address);
	if (at->raw >= arch_guest_load_floor(vm).raw && vm_is_ram(vm, *at, room))
		return true;
	for (size_t i = 0; header->relocatable_kernel && i < vm->ram_ranges; i++)
		if (place_in(vm, &vm->ram[i], header, room, at))
			return true;
	*at = GPA(header->pref_address);
	return false;
}

static enum err fail_place(const struct vm *vm, gpa_t at, uint64_t room, char *why, size_t why_size)
{
	snprintf(why, why_size, "it does not fit guest RAM: it takes %#lx bytes from %#lx on, and ", room, at.raw);
	text_add_ram(why, why_size, vm);
	return ERR_RANGE;
}

static enum err check_cmdline(const struct vm *vm, const struct setup_header *header, char *why, size_t why_size)
{
	size_t length = strlen(vm->options.cmdline), most = header->cmdline_size ? header->cmdline_size : CMDLINE_OLD;

	if (length <= most)
		return ERR_OK;
	snprintf(why, why_size, "its command line may have %zu bytes, and the one given has %zu", most, length);
	return ERR_RANGE;
}

/* The header as the kernel is to find it: the file's, but for what lies behind it there. */
static void keep_header(struct vm *vm, const struct setup_header *header)
{
	uint64_t length = HEADER_LENGTH_FROM + header->length - SETUP_HEADER_AT;

	memset(&vm->arch.setup, 0, sizeof(vm->arch.setup));
	memcpy(&vm->arch.setup, header, min_u64(length, sizeof(*header)));
	vm->initrd_limit = header->xloadflags & XLF_ABOVE_4G ? 0 : (uint64_t)header->initrd_addr_max + 1;
}

/* Where the kernel is that unpacks itself. False: the file is truncated. */
static bool find_itself(const struct guest_image *image, const struct setup_header *header, size_t *start, size_t *length)
{
	*start = *length = 0;
	return image->unpacked || find_kernel(header, image->size, start, length);
}

static enum err put(struct vm *vm, const struct guest_image *image, size_t start, size_t length, gpa_t *entry)
{
	gpa_t at = vm->image.start;

	if (image->unpacked)
		return vmlinux_load(vm, image->unpacked, &vm->arch.setup, at, entry);
	*entry = GPA(at.raw + ENTRY_64);
	return guest_file_load(vm, image, start, length, at);
}

enum err bzimage_load(struct vm *vm, const struct guest_image *image, gpa_t *entry, char *why, size_t why_size)
{
	struct setup_header header;
	const char *bad;
	size_t start, length;
	uint64_t room;
	gpa_t at;
	enum err err;

	read_header(image->bytes, image->size, &header);
	bad = bad_kind(&header);
	if (bad)
		return fail(ERR_UNSUPPORTED, bad, why, why_size);
	if (!find_itself(image, &header, &start, &length))
		return fail(ERR_CORRUPT, "it is truncated: its kernel ends beyond the file", why, why_size);
	if (image->damaged)
		return fail(ERR_CORRUPT, "it is damaged: its kernel cannot be unpacked", why, why_size);
	err = check_cmdline(vm, &header, why, why_size);
	if (err != ERR_OK)
		return err;
	room = align_up(max_u64(length, header.init_size), PAGE_SIZE);
	if (!find_place(vm, &header, room, &at))
		return fail_place(vm, at, room, why, why_size);
	keep_header(vm, &header);
	vm->image = (struct ram_range_gpa){ at, room };
	err = put(vm, image, start, length, entry);
	if (err != ERR_OK)
		snprintf(why, why_size, "loading it failed: %s", err_name(err));
	return err;
}

/* The payload within the file; behind it there, in its last four bytes, is how large it is unpacked. */
static bool find_payload(const struct setup_header *header, size_t size, struct packed_kernel *packed)
{
	size_t start, length;

	if (!find_kernel(header, size, &start, &length) || header->payload_offset > length ||
	    header->payload_length > length - header->payload_offset || header->payload_length < PAYLOAD_SIZE_BYTES)
		return false;
	packed->at = start + header->payload_offset;
	packed->size = header->payload_length - PAYLOAD_SIZE_BYTES;
	return true;
}

bool bzimage_find_packed(const void *file, size_t size, struct packed_kernel *packed)
{
	const char *bytes = file;
	struct setup_header header;
	uint32_t unpacked;

	read_header(file, size, &header);
	if (bad_kind(&header) || !find_payload(&header, size, packed) || !unzstd_is(bytes + packed->at, packed->size))
		return false;
	memcpy(&unpacked, bytes + packed->at + packed->size, sizeof(unpacked));
	packed->unpacked = unpacked;
	packed->work = unzstd_work_size();
	packed->head = min_u64(size, SETUP_HEADER_AT + sizeof(header));
	return unpacked > 0 && unpacked <= min_u64(header.init_size, PAYLOAD_MAX);
}

enum err bzimage_unpack(const void *file, const struct packed_kernel *packed, void *to, void *work, size_t *used)
{
	struct setup_header header;
	struct elf_file kernel;
	size_t size;
	enum err err = unzstd((const char *)file + packed->at, packed->size, to, packed->unpacked, work, &size);

	if (err != ERR_OK)
		return err;
	read_header(file, packed->at, &header);
	err = vmlinux_read(&kernel, to, size, &header);
	*used = vmlinux_end(&kernel);
	return err;
}

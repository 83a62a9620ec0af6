/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls to UEFI, through GNU-EFI's types and library. */
#include "boot/firmware.h"

#include <efilib.h>
#include <string.h>

#include "boot/archive.h"
#include "drivers/console.h"
#include "include/log.h"

enum {
	PATH_MAX_CHARS = 256,
	EXIT_TRIES = 8,   /* a stale map key means that the map changed under us: take it again */
	MAP_SLACK = 64,   /* descriptors of room for what our own allocations add */
	OWN_BLOCKS = 254, /* their list fits in a page */
};

/* From boot/<isa>/image.lds. */
extern const char __image_start[], __image_end[];

static struct {
	EFI_HANDLE image;
	EFI_SYSTEM_TABLE *system;
	EFI_RUNTIME_SERVICES *runtime;
} firmware;

/* What firmware_alloc_pages has returned. */
struct own_blocks {
	struct own_blocks *others;
	size_t count;
	struct {
		uint64_t start, size;
	} block[OWN_BLOCKS];
};
static struct own_blocks first_blocks, *own_blocks = &first_blocks;

/* Boot services only know 16-bit characters, and want "\r\n". */
static void firmware_console(const char *bytes, size_t size)
{
	SIMPLE_TEXT_OUTPUT_INTERFACE *out = firmware.system->ConOut;
	CHAR16 text[64];
	size_t used = 0;

	for (size_t i = 0; out && i < size; i++) {
		if (bytes[i] == '\n')
			text[used++] = '\r';
		text[used++] = (CHAR16)(unsigned char)bytes[i];
		if (used + 3 > ARRAY_LEN(text) || i + 1 == size) {
			text[used] = 0;
			out->OutputString(out, text);
			used = 0;
		}
	}
}

void firmware_init(EFI_HANDLE image, EFI_SYSTEM_TABLE *system)
{
	InitializeLib(image, system);
	firmware.image = image;
	firmware.system = system;
	firmware.runtime = system->RuntimeServices;
	console_set_sink(firmware_console);
}

void firmware_no_watchdog(void)
{
	BS->SetWatchdogTimer(0, 0, 0, NULL);
}

bool firmware_random(void *bytes, size_t size)
{
	EFI_GUID guid = EFI_RNG_PROTOCOL_GUID;
	EFI_RNG_PROTOCOL *rng;

	return !EFI_ERROR(LibLocateProtocol(&guid, (void **)&rng)) && !EFI_ERROR(rng->GetRNG(rng, NULL, size, bytes));
}

static enum err error_of(EFI_STATUS status)
{
	switch (status) {
	case EFI_SUCCESS:
		return ERR_OK;
	case EFI_NOT_FOUND:
	case EFI_NO_MEDIA:
		return ERR_NOT_FOUND;
	case EFI_OUT_OF_RESOURCES:
		return ERR_NO_MEMORY;
	default:
		return ERR_IO;
	}
}

static enum err open_file(const EFI_LOADED_IMAGE *loaded, const char *path, EFI_FILE_HANDLE *file)
{
	EFI_FILE_HANDLE root;
	CHAR16 path16[PATH_MAX_CHARS];
	EFI_STATUS status;
	size_t length = strlen(path);

	if (length >= ARRAY_LEN(path16))
		return ERR_NOT_FOUND;
	for (size_t i = 0; i <= length; i++)
		path16[i] = path[i] == '/' ? '\\' : (CHAR16)(unsigned char)path[i];
	root = LibOpenRoot(loaded->DeviceHandle);
	if (!root) /* started from something that is not a volume of files */
		return ERR_NOT_FOUND;
	status = root->Open(root, file, path16, EFI_FILE_MODE_READ, 0);
	root->Close(root);
	return error_of(status);
}

static void *alloc_pages(size_t pages, EFI_ALLOCATE_TYPE type, EFI_PHYSICAL_ADDRESS highest)
{
	EFI_PHYSICAL_ADDRESS address = highest;

	if (EFI_ERROR(BS->AllocatePages(type, EfiLoaderData, pages, &address)))
		return NULL;
	return (void *)(uintptr_t)address;
}

/* Make room in the list for one more block. */
static bool make_room(void)
{
	struct own_blocks *more;

	if (own_blocks->count < OWN_BLOCKS)
		return true;
	more = alloc_pages(1, AllocateAnyPages, 0);
	if (!more)
		return false;
	*more = (struct own_blocks){ .others = own_blocks, .count = 1, .block[0] = { (uintptr_t)more, PAGE_SIZE } };
	own_blocks = more;
	return true;
}
_Static_assert(sizeof(struct own_blocks) <= 4096, "a page has room for it");

static void *alloc_own(size_t pages, EFI_ALLOCATE_TYPE type, EFI_PHYSICAL_ADDRESS highest)
{
	void *memory = make_room() ? alloc_pages(pages, type, highest) : NULL;

	if (memory) {
		own_blocks->block[own_blocks->count].start = (uintptr_t)memory;
		own_blocks->block[own_blocks->count++].size = pages * PAGE_SIZE;
	}
	return memory;
}

void *firmware_alloc_pages(size_t pages)
{
	return alloc_own(pages, AllocateAnyPages, 0);
}

/* So that large leaves can map it; what is too much is given back. */
static void *alloc_file(size_t pages)
{
	const size_t block = MIB(2) / PAGE_SIZE, more = pages >= block ? block - 1 : 0;
	char *memory = make_room() ? alloc_pages(pages + more, AllocateAnyPages, 0) : NULL;
	size_t before = memory && more ? (size_t)(-(uintptr_t)memory / PAGE_SIZE % block) : 0;
	struct own_blocks *blocks = own_blocks;

	if (!memory)
		return NULL;
	if (before > 0)
		BS->FreePages((uintptr_t)memory, before);
	memory += before * PAGE_SIZE;
	if (more > before)
		BS->FreePages((uintptr_t)memory + pages * PAGE_SIZE, more - before);
	blocks->block[blocks->count].start = (uintptr_t)memory;
	blocks->block[blocks->count++].size = pages * PAGE_SIZE;
	return memory;
}

void *firmware_alloc_below(size_t pages, uint64_t limit)
{
	return alloc_own(pages, AllocateMaxAddress, limit - 1);
}

bool firmware_take(hpa_t start, size_t pages, UINT32 type)
{
	EFI_PHYSICAL_ADDRESS address = start.raw;

	return !EFI_ERROR(BS->AllocatePages(AllocateAddress, type, pages, &address));
}

static bool overlap(hpa_t start, uint64_t size, uint64_t other, uint64_t other_size)
{
	return start.raw < other + other_size && other < start.raw + size;
}

bool firmware_is_ours(hpa_t start, uint64_t size)
{
	uint64_t image = (uintptr_t)__image_start;

	for (const struct own_blocks *blocks = own_blocks; blocks; blocks = blocks->others)
		for (size_t i = 0; i < blocks->count; i++)
			if (overlap(start, size, blocks->block[i].start, blocks->block[i].size))
				return true;
	return overlap(start, size, image, (uintptr_t)__image_end - image);
}

/* How many bytes there were. */
static uint64_t forget(const void *pages)
{
	uint64_t size = 0;

	for (struct own_blocks *blocks = own_blocks; blocks; blocks = blocks->others)
		for (size_t i = 0; i < blocks->count; i++)
			if (blocks->block[i].start == (uintptr_t)pages) {
				size += blocks->block[i].size;
				blocks->block[i].size = 0;
			}
	return size;
}

void firmware_leave_pages(const void *pages)
{
	(void)forget(pages);
}

void firmware_free_pages(const void *pages)
{
	uint64_t size = forget(pages);

	if (size > 0)
		BS->FreePages((uintptr_t)pages, size / PAGE_SIZE);
}

static enum err read_all(EFI_FILE_HANDLE file, char *to, size_t size)
{
	while (size > 0) {
		UINTN piece = size;
		EFI_STATUS status = file->Read(file, &piece, to);

		if (EFI_ERROR(status) || piece == 0)
			return ERR_IO;
		to += piece;
		size -= piece;
	}
	return ERR_OK;
}

void *firmware_alloc_file(size_t size)
{
	const size_t room = align_up(size + 1, PAGE_SIZE);
	char *memory = alloc_file(room / PAGE_SIZE);

	if (memory)
		memset(memory + size, 0, room - size);
	return memory;
}

static enum err read_volume(const EFI_LOADED_IMAGE *loaded, const char *path, uint64_t max, const void **bytes, size_t *size)
{
	EFI_FILE_HANDLE file;
	EFI_FILE_INFO *info;
	enum err err = open_file(loaded, path, &file);
	char *memory;

	if (err != ERR_OK)
		return err;
	info = LibFileInfo(file);
	if (!info) {
		err = ERR_IO;
	} else if (info->Attribute & EFI_FILE_DIRECTORY) {
		err = ERR_NOT_FOUND;
	} else if (info->FileSize > max) {
		err = ERR_RANGE;
	} else {
		*size = info->FileSize;
		memory = firmware_alloc_file(*size);
		err = memory ? read_all(file, memory, *size) : ERR_NO_MEMORY;
		*bytes = memory;
	}
	if (info)
		FreePool(info);
	file->Close(file);
	return err;
}

/* The image's own memory for it ends with the boot services. */
static enum err copy_carried(const void *carried, uint64_t max, const void **bytes, size_t size)
{
	char *memory = size <= max ? firmware_alloc_file(size) : NULL;

	if (!memory)
		return size > max ? ERR_RANGE : ERR_NO_MEMORY;
	memcpy(memory, carried, size);
	*bytes = memory;
	return ERR_OK;
}

enum err firmware_read_file(const char *path, uint64_t max, const void **bytes, size_t *size)
{
	EFI_LOADED_IMAGE *loaded;
	EFI_STATUS status = BS->HandleProtocol(firmware.image, &LoadedImageProtocol, (void **)&loaded);
	struct archive archive;
	const void *carried;

	if (EFI_ERROR(status))
		return error_of(status);
	archive = archive_of_image(loaded->ImageBase, loaded->ImageSize);
	carried = archive_find(&archive, path, size);
	return carried ? copy_carried(carried, max, bytes, *size) : read_volume(loaded, path, max, bytes, size);
}

/* Can this mode be drawn in? */
static bool is_drawable(const EFI_GRAPHICS_OUTPUT_PROTOCOL_MODE *mode, struct framebuffer *framebuffer)
{
	const EFI_GRAPHICS_OUTPUT_MODE_INFORMATION *info = mode->Info;

	*framebuffer = (struct framebuffer){
		.base = HPA(mode->FrameBufferBase),
		.size = mode->FrameBufferSize,
		.width = info->HorizontalResolution,
		.height = info->VerticalResolution,
		.stride = info->PixelsPerScanLine,
		.red_first = info->PixelFormat == PixelRedGreenBlueReserved8BitPerColor,
	};
	return (framebuffer->red_first || info->PixelFormat == PixelBlueGreenRedReserved8BitPerColor) &&
	       framebuffer_check(framebuffer) == ERR_OK;
}

bool firmware_find_framebuffer(struct framebuffer *framebuffer)
{
	EFI_GUID guid = EFI_GRAPHICS_OUTPUT_PROTOCOL_GUID;
	const EFI_GRAPHICS_OUTPUT_PROTOCOL_MODE *refused = NULL;
	EFI_HANDLE *handles;
	UINTN count;

	if (EFI_ERROR(LibLocateHandle(ByProtocol, &guid, NULL, &count, &handles)))
		return false;
	for (UINTN i = 0; i < count; i++) {
		EFI_GRAPHICS_OUTPUT_PROTOCOL *gop;

		if (EFI_ERROR(BS->HandleProtocol(handles[i], &guid, (void **)&gop)) || !gop->Mode || !gop->Mode->Info)
			continue;
		if (is_drawable(gop->Mode, framebuffer))
			return true;
		refused = gop->Mode;
	}
	if (refused)
		log_warn("boot: the firmware's screen is left alone: %ux%u pixels of format %u, %u a line, in %lu bytes at %#lx",
			 framebuffer->width, framebuffer->height, refused->Info->PixelFormat, framebuffer->stride,
			 framebuffer->size, framebuffer->base.raw);
	return false;
}

static EFI_STATUS take_map(struct firmware_map *map, UINTN room, UINTN *key)
{
	UINT32 version;

	map->size = room;
	return BS->GetMemoryMap(&map->size, (EFI_MEMORY_DESCRIPTOR *)(uintptr_t)map->descriptors, key, &map->stride, &version);
}

/* The size of the map, with room for descriptors that our allocation of it and the firmware itself may add. */
static enum err map_room(UINTN *room, UINTN *stride)
{
	UINTN size = 0, key;
	UINT32 version;

	if (BS->GetMemoryMap(&size, NULL, &key, stride, &version) != EFI_BUFFER_TOO_SMALL)
		return ERR_IO;
	*room = align_up(size + MAP_SLACK * *stride, PAGE_SIZE);
	return ERR_OK;
}

enum err firmware_get_map(struct firmware_map *map)
{
	static char buffer[KIB(32)] __attribute__((aligned(16)));
	UINTN room, key, stride;
	enum err err = map_room(&room, &stride);

	if (err != ERR_OK)
		return err;
	*map = (struct firmware_map){ .descriptors = room <= sizeof(buffer) ? buffer : firmware_alloc_pages(room / PAGE_SIZE) };
	if (!map->descriptors)
		return ERR_NO_MEMORY;
	return EFI_ERROR(take_map(map, room, &key)) ? ERR_IO : ERR_OK;
}

uint64_t firmware_free_memory(uint64_t *largest)
{
	const EFI_MEMORY_DESCRIPTOR *descriptor;
	struct firmware_map map;
	uint64_t free = 0;

	*largest = 0;
	if (firmware_get_map(&map) != ERR_OK)
		return 0;
	for (size_t n = 0; (descriptor = firmware_descriptor(&map, n)); n++)
		if (descriptor->Type == EfiConventionalMemory) {
			free += descriptor->NumberOfPages << PAGE_SHIFT;
			*largest = max_u64(*largest, descriptor->NumberOfPages << PAGE_SHIFT);
		}
	return free;
}

/*
 * ExitBootServices fails with a stale key when the map has changed since it was taken; after that nothing but
 * GetMemoryMap and ExitBootServices may be called, so all memory is got once, with room to spare.
 */
enum err firmware_exit(struct firmware_map *map)
{
	UINTN room, key, stride;
	enum err err = map_room(&room, &stride);

	if (err != ERR_OK)
		return err;
	*map = (struct firmware_map){
		.descriptors = firmware_alloc_pages(room / PAGE_SIZE),
		.work = firmware_alloc_pages(align_up(FIRMWARE_WORK(room / stride), PAGE_SIZE) / PAGE_SIZE),
	};
	if (!map->descriptors || !map->work)
		return ERR_NO_MEMORY;
	for (unsigned tries = 0; tries < EXIT_TRIES; tries++) {
		if (EFI_ERROR(take_map(map, room, &key)))
			return ERR_IO;
		if (!EFI_ERROR(BS->ExitBootServices(firmware.image, key))) {
			console_set_sink(NULL);
			return ERR_OK;
		}
	}
	return ERR_IO;
}

void firmware_power_off(void)
{
	firmware.runtime->ResetSystem(EfiResetShutdown, EFI_SUCCESS, 0, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* A virtio disk. Requests are read as a stream of bytes, in whatever buffers they come, and worked on in pieces. */
#include "vmm/devices/virtio_blk.h"

#include <string.h>

#define DEVICE_ID 2

/* 5.2.3 "Feature bits" */
#define F_SEG_MAX      BIT(2)
#define F_RO           BIT(5)
#define F_BLK_SIZE     BIT(6)
#define F_FLUSH        BIT(9)
#define F_TOPOLOGY     BIT(10)
#define F_DISCARD      BIT(13)
#define F_WRITE_ZEROES BIT(14)

/* 5.2.4 "Device configuration layout" */
enum {
	CONFIG_CAPACITY = 0,
	CONFIG_SEG_MAX = 12,
	CONFIG_BLK_SIZE = 20,
	CONFIG_PHYSICAL_BLOCK_EXP = 24,
	CONFIG_OPT_IO_SIZE = 28,
	CONFIG_MAX_DISCARD_SECTORS = 36,
	CONFIG_MAX_DISCARD_SEG = 40,
	CONFIG_DISCARD_SECTOR_ALIGNMENT = 44,
	CONFIG_MAX_WRITE_ZEROES_SECTORS = 48,
	CONFIG_MAX_WRITE_ZEROES_SEG = 52,
	CONFIG_WRITE_ZEROES_MAY_UNMAP = 56,
	CONFIG_SIZE = 60,
};

/* 5.2.6 "Device Operation": types of requests, flags of segments, and what comes of a request. */
enum { TYPE_IN = 0, TYPE_OUT = 1, TYPE_FLUSH = 4, TYPE_GET_ID = 8, TYPE_DISCARD = 11, TYPE_WRITE_ZEROES = 13 };
enum { FLAG_UNMAP = 1 };
enum { S_OK = 0, S_IOERR = 1, S_UNSUPP = 2 };

#define SECTORS_OF_A_PAGE (PAGE_SIZE / VIRTIO_BLK_SECTOR)
#define SEGMENTS          32
/* All but the header and the status. */
#define DATA_BUFFERS      (VIRTIO_QUEUE_MAX - 2)
/* After so much a piece ends: some 100,000 instructions if all of it, and the buffer that comes last, is mapped or copied. */
#define MOVED_AT_ONCE     KIB(128)

static struct virtio_blk *disk_of(struct virtio *virtio)
{
	return CONTAINER_OF(virtio, struct virtio_blk, virtio);
}

static struct addr_space *memory(const struct virtio_blk *disk)
{
	return disk->virtio.device.table->memory;
}

/* The first thing that goes wrong is what the driver is told. */
static void fail(struct virtio_blk *disk, uint8_t status)
{
	if (disk->status == S_OK)
		disk->status = status;
}

static gpa_t on_disk(const struct virtio_blk *disk, uint64_t offset)
{
	return GPA(disk->window.raw + offset);
}

static bool changes_disk(const struct virtio_blk *disk)
{
	return disk->header.type == TYPE_OUT || disk->header.type == TYPE_DISCARD || disk->header.type == TYPE_WRITE_ZEROES;
}

/* The header is there. */
static void begin(struct virtio_blk *disk)
{
	disk->at = 0;
	switch (disk->header.type) {
	case TYPE_IN:
	case TYPE_OUT:
		if (disk->header.sector > disk->size / VIRTIO_BLK_SECTOR)
			fail(disk, S_IOERR);
		else
			disk->at = disk->header.sector * VIRTIO_BLK_SECTOR;
		break;
	case TYPE_FLUSH: /* what is written is where it will stay */
	case TYPE_GET_ID:
	case TYPE_DISCARD:
	case TYPE_WRITE_ZEROES:
		break;
	default:
		fail(disk, S_UNSUPP);
	}
	if (disk->read_only && changes_disk(disk))
		fail(disk, S_IOERR);
}

/* Move `*size` bytes, or so many as may be at once, between the buffer and the disk. */
static enum err move(struct virtio_blk *disk, gpa_t gpa, uint32_t *size, bool to_guest)
{
	struct addr_space *as = memory(disk);
	gpa_t at = on_disk(disk, disk->at);

	*size = (uint32_t)min_u64(*size, MOVED_AT_ONCE);
	if (*size > disk->size - disk->at)
		return ERR_RANGE;
	disk->moved += *size;
	disk->at += *size;
	return to_guest ? addr_space_copy(as, gpa, at, *size) : addr_space_store(as, at, gpa, *size);
}

static void advance(struct virtio_buffer *buffer, uint32_t size)
{
	buffer->gpa.raw += size;
	buffer->size -= size;
}

/* --- Discard and write zeroes ----------------------------------------------------------------------------------------- */

/* What of the segment is not in whole pages is written; a discard leaves it as it is. */
static enum err clear_bytes(struct virtio_blk *disk, uint64_t start, uint64_t end)
{
	static const uint8_t zeros[VIRTIO_BLK_SECTOR];
	enum err err = ERR_OK;

	for (; err == ERR_OK && start < end && disk->header.type == TYPE_WRITE_ZEROES; start += sizeof(zeros))
		err = addr_space_write(memory(disk), on_disk(disk, start), zeros, sizeof(zeros));
	return err;
}

/* The segment is there: its whole pages are to be cleared. Behind the end of the disk there are none, so its last page is whole. */
static enum err begin_segment(struct virtio_blk *disk)
{
	const struct virtio_blk_segment *segment = &disk->segment;
	uint64_t sectors = disk->size / VIRTIO_BLK_SECTOR, start, end, first, last;
	enum err err;

	if (segment->flags & ~(uint32_t)FLAG_UNMAP || (segment->flags && disk->header.type == TYPE_DISCARD))
		return ERR_UNSUPPORTED;
	if (segment->sector > sectors || segment->sectors > sectors - segment->sector)
		return ERR_RANGE;
	start = segment->sector * VIRTIO_BLK_SECTOR;
	end = start + segment->sectors * (uint64_t)VIRTIO_BLK_SECTOR;
	first = align_up(start, PAGE_SIZE);
	last = end == disk->size ? align_up(end, PAGE_SIZE) : align_down(end, PAGE_SIZE);
	if (first >= last)
		return clear_bytes(disk, start, end);
	disk->to_clear = (struct addr_space_range){ on_disk(disk, first), last - first };
	err = clear_bytes(disk, start, first);
	return err == ERR_OK ? clear_bytes(disk, last, end) : err;
}

/* Clear a piece of what is left to clear. */
static void clear_piece(struct virtio_blk *disk)
{
	struct addr_space_range *range = &disk->to_clear;
	uint64_t piece = addr_space_piece(memory(disk), range->gpa, range->size);

	if (addr_space_discard(memory(disk), range->gpa, piece) != ERR_OK) {
		fail(disk, S_IOERR);
		piece = range->size;
	}
	range->gpa.raw += piece;
	range->size -= piece;
	disk->moved = MOVED_AT_ONCE;
}

/* --- Buffers ---------------------------------------------------------------------------------------------------------- */

/* Read into a structure of `size` bytes, of which `*have` are there. True: it is whole now. */
static bool gather(struct virtio_blk *disk, struct virtio_buffer *buffer, void *to, uint32_t size, uint8_t *have)
{
	uint32_t piece = (uint32_t)min_u64(size - *have, buffer->size);

	if (addr_space_read(memory(disk), buffer->gpa, (char *)to + *have, piece) != ERR_OK)
		virtio_stop(&disk->virtio, "a request is not in memory");
	advance(buffer, piece);
	*have = (uint8_t)(*have + piece);
	return *have == size;
}

static void fail_by(struct virtio_blk *disk, enum err err)
{
	if (err != ERR_OK)
		fail(disk, err == ERR_UNSUPPORTED ? S_UNSUPP : S_IOERR);
}

/* What the driver gives, after the header. */
static void take(struct virtio_blk *disk, struct virtio_buffer *buffer)
{
	uint32_t size = buffer->size;

	if (disk->header.type == TYPE_OUT) {
		fail_by(disk, move(disk, buffer->gpa, &size, false));
		advance(buffer, size);
	} else if (disk->header.type == TYPE_DISCARD || disk->header.type == TYPE_WRITE_ZEROES) {
		if (!gather(disk, buffer, &disk->segment, sizeof(disk->segment), &disk->segment_bytes))
			return;
		disk->segment_bytes = 0;
		fail_by(disk, begin_segment(disk));
		disk->moved += KIB(4); /* as if it were a page */
	} else {
		fail(disk, S_IOERR);
	}
}

/* What the driver wants, `size` bytes of it at most. */
static void give(struct virtio_blk *disk, struct virtio_buffer *buffer, uint32_t size)
{
	uint64_t at = disk->at;
	enum err err = ERR_INVALID;

	if (disk->header.type == TYPE_IN) {
		err = move(disk, buffer->gpa, &size, true);
	} else if (disk->header.type == TYPE_GET_ID) {
		disk->at = min_u64(at + size, sizeof(disk->id));
		err = addr_space_write(memory(disk), buffer->gpa, disk->id + at, disk->at - at);
	}
	fail_by(disk, err);
	disk->written += err == ERR_OK ? (uint32_t)(disk->at - at) : 0;
	advance(buffer, size);
}

/* The last byte that the driver offers. */
static void give_status(struct virtio_blk *disk, struct virtio_buffer *buffer)
{
	uint32_t type = disk->header.type;

	if (disk->header_bytes < sizeof(disk->header) || disk->segment_bytes > 0)
		fail(disk, S_IOERR);
	if ((type == TYPE_IN || type == TYPE_OUT) && disk->at % VIRTIO_BLK_SECTOR != 0)
		fail(disk, S_IOERR);
	if (addr_space_write(memory(disk), buffer->gpa, &disk->status, sizeof(disk->status)) != ERR_OK)
		virtio_stop(&disk->virtio, "the status of a request is not in memory");
	disk->written++;
	advance(buffer, sizeof(disk->status));
}

/* Deal with the buffer, or a part of it. `last`: its last byte is for the status. */
static void use(struct virtio_blk *disk, struct virtio_buffer *buffer, bool last)
{
	uint32_t size = buffer->size - (last ? 1 : 0);

	if (!buffer->writable && disk->header_bytes < sizeof(disk->header)) {
		if (gather(disk, buffer, &disk->header, sizeof(disk->header), &disk->header_bytes))
			begin(disk);
	} else if (last && size == 0) {
		give_status(disk, buffer);
	} else if (disk->status != S_OK || disk->header_bytes < sizeof(disk->header)) {
		fail(disk, S_IOERR);
		advance(buffer, size);
	} else if (buffer->writable) {
		give(disk, buffer, size);
	} else {
		take(disk, buffer);
	}
}

/* --- The device ------------------------------------------------------------------------------------------------------- */

static void begin_request(struct virtio_blk *disk)
{
	disk->header = (struct virtio_blk_header){ 0 };
	disk->header_bytes = disk->segment_bytes = 0;
	disk->status = S_OK;
	disk->at = disk->written = 0;
	disk->to_clear.size = 0;
}

/* Is `buffer` the chain's last one, and so has the status in its last byte? One that the driver does not offer has none. */
static bool has_status(struct virtio *virtio, const struct virtio_buffer *buffer, unsigned count)
{
	if (count > 1 || !virtio->chain.over)
		return false;
	if (!buffer->writable || buffer->size == 0)
		virtio_stop(virtio, "a request has no place for its status");
	return true;
}

/* A piece of the request. False: that was much already, and there may be more. */
static bool serve(struct virtio *virtio, unsigned queue, uint32_t *written)
{
	struct virtio_blk *disk = disk_of(virtio);
	struct virtio_buffer *buffer;
	unsigned count;
	bool last;

	(void)queue;
	if (virtio->chain.count == 0)
		begin_request(disk);
	for (;;) {
		if (disk->to_clear.size > 0)
			clear_piece(disk);
		if (disk->moved >= MOVED_AT_ONCE) {
			disk->moved = 0;
			return false;
		}
		if (disk->to_clear.size > 0)
			continue;
		buffer = virtio_buffers(virtio, &count);
		if (count == 0)
			break;
		last = has_status(virtio, buffer, count);
		if (virtio->chain.taken && buffer->size > 0)
			use(disk, buffer, last);
		if (buffer->size == 0)
			virtio_used(virtio, 1);
	}
	*written = disk->written;
	return true;
}

static void reset(struct virtio *virtio)
{
	disk_of(virtio)->moved = 0;
}

/* Little-endian, as all CPUs are that this runs on. */
static void configure(struct virtio_blk *disk, unsigned at, uint64_t value, size_t size)
{
	memcpy(disk->virtio.config + at, &value, size);
}

static const struct virtio_kind read_write = {
	.name = "blk",
	.id = DEVICE_ID,
	.queues = 1,
	.features = F_SEG_MAX | F_BLK_SIZE | F_FLUSH | F_TOPOLOGY | F_DISCARD | F_WRITE_ZEROES,
	.config_size = CONFIG_SIZE,
	.serve = serve,
	.reset = reset,
};

static const struct virtio_kind read_only_kind = {
	.name = "blk",
	.id = DEVICE_ID,
	.queues = 1,
	.features = F_SEG_MAX | F_RO | F_BLK_SIZE | F_FLUSH | F_TOPOLOGY,
	.config_size = CONFIG_SIZE,
	.serve = serve,
	.reset = reset,
};

void virtio_blk_init(struct virtio_blk *disk, gpa_t window, uint64_t size, bool read_only, const char *name, uint64_t base,
		     unsigned line)
{
	*disk = (struct virtio_blk){ .window = window, .size = size, .read_only = read_only };
	memcpy(disk->id, name, strnlen(name, sizeof(disk->id)));
	virtio_init(&disk->virtio, read_only ? &read_only_kind : &read_write, base, line);
	configure(disk, CONFIG_CAPACITY, size / VIRTIO_BLK_SECTOR, 8);
	configure(disk, CONFIG_SEG_MAX, DATA_BUFFERS, 4);
	configure(disk, CONFIG_BLK_SIZE, VIRTIO_BLK_SECTOR, 4);
	configure(disk, CONFIG_PHYSICAL_BLOCK_EXP, __builtin_ctz(SECTORS_OF_A_PAGE), 1);
	if (read_only)
		return;
	configure(disk, CONFIG_MAX_DISCARD_SECTORS, min_u64(size / VIRTIO_BLK_SECTOR, UINT32_MAX), 4);
	configure(disk, CONFIG_MAX_DISCARD_SEG, SEGMENTS, 4);
	configure(disk, CONFIG_DISCARD_SECTOR_ALIGNMENT, SECTORS_OF_A_PAGE, 4);
	configure(disk, CONFIG_MAX_WRITE_ZEROES_SECTORS, min_u64(size / VIRTIO_BLK_SECTOR, UINT32_MAX), 4);
	configure(disk, CONFIG_MAX_WRITE_ZEROES_SEG, SEGMENTS, 4);
	configure(disk, CONFIG_WRITE_ZEROES_MAY_UNMAP, 1, 1);
}

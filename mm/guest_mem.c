/* SPDX-License-Identifier: BSD-2-Clause */
/* The hypervisor's own accesses to guest memory. */
#include <string.h>

#include "mm/space.h"
#include "npt/batch.h"

static enum err outcome_error(enum fault_outcome outcome)
{
	static const enum err errors[] = {
		[FAULT_HANDLED] = ERR_OK,         [FAULT_SPURIOUS] = ERR_OK,         [FAULT_DENIED] = ERR_DENIED,
		[FAULT_UNMAPPED] = ERR_NOT_FOUND, [FAULT_NO_MEMORY] = ERR_NO_MEMORY,
	};

	return errors[outcome];
}

/*
 * Copies are made in pieces of at most this much, under the lock of the first view: then nobody can unmap the memory, or give it to
 * someone else, and faults of that view wait no longer than that.
 */
#define COPY_MAX KIB(16)

/* What is to be done to the piece of guest memory at `bytes`, with the view's lock. */
typedef void (*piece_fn)(void *bytes, uint64_t size, void *context);

/* The page around `gpa`, if the walk cache has its leaf, and that is like one that was found usable so before; NULL: look closely.
 */
static inline __attribute__((always_inline)) char *usable_page(struct addr_space *as, gpa_t gpa, bool wrote)
{
	struct npt_cached_leaf leaf;

	if (!npt_leaf_cached(&as->npt, &as->view.cache, gpa, &leaf) || leaf.bits != as->usable[leaf.large][wrote])
		return NULL;
	return frame_ptr(leaf.page);
}

/* Keep in mind how a leaf looks that permits an access and has the bits of it. */
static void note_usable(struct addr_space *as, const struct npt_cursor *cursor, gpa_t gpa, const struct npt_leaf *leaf, bool wrote)
{
	as->usable[leaf->level > 0][wrote] = cursor->pte & ~as->npt.page.address;
	if (leaf->level > 0)
		npt_walk_cache_insert_leaf(&as->view.cache, gpa.raw, cursor->slot, cursor->pte,
					   HPA(leaf->hpa.raw + (gpa.raw - leaf->gpa.raw)));
}

/*
 * Call `each` for the memory from `gpa` on, as far as one leaf maps it, if it is mapped with permission for `access`. If so, sets
 * the accessed and dirty bits as an access of the guest would. Returns the size of the piece; 0: it is not mapped so.
 */
static uint64_t use_piece(struct addr_space *as, gpa_t gpa, uint64_t size, unsigned access, piece_fn each, void *context)
{
	struct npt_cursor cursor;
	struct npt_leaf leaf;
	uint64_t offset, done = 0;
	bool wrote = access & NPT_W;
	char *bytes;

	spin_lock(&as->view.lock);
	bytes = usable_page(as, gpa, wrote);
	if (bytes) {
		offset = gpa.raw % PAGE_SIZE;
		done = min_u64(size, PAGE_SIZE - offset);
		goto use;
	}
	if (gpa.raw >= BIT(as->npt.config.gpa_bits) || npt_find(&as->npt, gpa, &cursor) != NPT_LEAF)
		goto out;
	npt_decode(&as->npt, &cursor, gpa, &leaf);
	if (leaf.access_tracked || (access & ~(unsigned)leaf.attr.prot) || leaf.attr.memtype != NPT_WB)
		goto out;
	if (!leaf.accessed || (wrote && !leaf.dirty))
		npt_touch(&as->npt, &cursor, 0, NPT_ACCESSED | (wrote ? NPT_DIRTY : 0));
	else
		note_usable(as, &cursor, gpa, &leaf, wrote);
	offset = gpa.raw - leaf.gpa.raw;
	done = min_u64(min_u64(size, COPY_MAX), npt_level_size(leaf.level) - offset);
	bytes = frame_ptr(leaf.hpa);
use:
	bytes += offset;
	if (as->sync)
		as->sync(bytes, done);
	each(bytes, done, context);
	if (as->publish && wrote)
		as->publish(bytes, done);
out:
	spin_unlock(&as->view.lock);
	return done;
}

/* Registers of a device are there for the guest only: the hypervisor's own map may not have them. */
static bool is_device(struct addr_space *as, gpa_t gpa)
{
	const struct area *area;
	bool is;

	spin_lock(&as->view.lock);
	area = area_find(&as->areas, gpa.raw);
	is = area && area->attr.memtype != NPT_WB;
	spin_unlock(&as->view.lock);
	return is;
}

/* The same with the guest's fault raised as long as nothing permits the access. */
static enum err reach_piece(struct addr_space *as, gpa_t gpa, uint64_t *size, unsigned access, piece_fn each, void *context)
{
	const struct npt_fault fault = { .gpa = gpa, .access = (uint8_t)access };
	uint64_t done;

	while ((done = use_piece(as, gpa, *size, access, each, context)) == 0) {
		enum fault_outcome outcome = addr_space_handle_fault(&as->view, &fault);
		enum err err = outcome == FAULT_SPURIOUS && is_device(as, gpa) ? ERR_DENIED : outcome_error(outcome);

		spin_lock(&as->view.lock);
		as->view.stats.faults_by_host++;
		spin_unlock(&as->view.lock);
		if (err != ERR_OK)
			return err;
	}
	*size = done;
	return ERR_OK;
}

static __attribute__((noinline)) enum err use_all(struct addr_space *as, gpa_t gpa, uint64_t size, unsigned access, piece_fn each,
						  void *context)
{
	enum err err = gpa.raw + size < gpa.raw ? ERR_NOT_FOUND : ERR_OK;
	uint64_t piece;

	for (; err == ERR_OK && size > 0; size -= piece, gpa.raw += piece) {
		piece = size;
		err = reach_piece(as, gpa, &piece, access, each, context);
	}
	return err;
}

static void copy_out(void *bytes, uint64_t size, void *context)
{
	char **to = context;

	memcpy(*to, bytes, size);
	*to += size;
}

static void copy_in(void *bytes, uint64_t size, void *context)
{
	const char **from = context;

	memcpy(bytes, *from, size);
	*from += size;
}

/* --- Within one page --- */

/*
 * Most accesses are to a few bytes of a page that was met before: where the queues of devices lie. Returns those bytes, with the
 * first view's lock, which end_access lets go of; NULL, without it: look closely.
 */
static inline __attribute__((always_inline)) char *begin_access(struct addr_space *as, gpa_t gpa, uint64_t size, bool writes)
{
	const uint64_t offset = gpa.raw % PAGE_SIZE;
	char *page;

	if (size > PAGE_SIZE - offset)
		return NULL;
	spin_lock(&as->view.lock);
	page = usable_page(as, gpa, writes);
	if (!page) {
		spin_unlock(&as->view.lock);
		return NULL;
	}
	if (as->sync)
		as->sync(page + offset, size);
	return page + offset;
}

static inline void end_access(struct addr_space *as, char *bytes, uint64_t size, bool wrote)
{
	if (wrote && as->publish)
		as->publish(bytes, size);
	spin_unlock(&as->view.lock);
}

static void leave_alone(void *bytes, uint64_t size, void *context)
{
	(void)bytes;
	(void)size;
	(void)context;
}

enum err addr_space_read(struct addr_space *as, gpa_t gpa, void *to, uint64_t size)
{
	char *bytes = begin_access(as, gpa, size, false);

	if (!bytes)
		return use_all(as, gpa, size, NPT_R, copy_out, &to);
	memcpy(to, bytes, size);
	end_access(as, bytes, size, false);
	return ERR_OK;
}

enum err addr_space_write(struct addr_space *as, gpa_t gpa, const void *from, uint64_t size)
{
	char *bytes = begin_access(as, gpa, size, true);

	if (!bytes)
		return use_all(as, gpa, size, NPT_RW, copy_in, &from);
	memcpy(bytes, from, size);
	end_access(as, bytes, size, true);
	return ERR_OK;
}

static void load16(void *bytes, uint64_t size, void *context)
{
	(void)size;
	*(uint16_t *)context = __atomic_load_n((const uint16_t *)bytes, __ATOMIC_ACQUIRE);
}

static void store16(void *bytes, uint64_t size, void *context)
{
	(void)size;
	__atomic_store_n((uint16_t *)bytes, *(const uint16_t *)context, __ATOMIC_RELEASE);
}

enum err addr_space_load16(struct addr_space *as, gpa_t gpa, uint16_t *value)
{
	char *bytes;

	if (!is_aligned(gpa.raw, sizeof(*value)))
		return ERR_INVALID;
	bytes = begin_access(as, gpa, sizeof(*value), false);
	if (!bytes)
		return use_all(as, gpa, sizeof(*value), NPT_R, load16, value);
	load16(bytes, sizeof(*value), value);
	end_access(as, bytes, sizeof(*value), false);
	return ERR_OK;
}

enum err addr_space_store16(struct addr_space *as, gpa_t gpa, uint16_t value)
{
	char *bytes;

	if (!is_aligned(gpa.raw, sizeof(value)))
		return ERR_INVALID;
	bytes = begin_access(as, gpa, sizeof(value), true);
	if (!bytes)
		return use_all(as, gpa, sizeof(value), NPT_RW, store16, &value);
	store16(bytes, sizeof(value), &value);
	end_access(as, bytes, sizeof(value), true);
	return ERR_OK;
}

enum err addr_space_fault_in(struct addr_space *as, gpa_t gpa, uint64_t size, unsigned access)
{
	return use_all(as, gpa, size, access, leave_alone, NULL);
}

/* --- Within guest memory --- */

struct copying {
	struct addr_space *as;
	gpa_t from;
	uint64_t done; /* bytes of this piece */
};

/* What can be read at `from` without a fault, `*size` bytes of it; NULL: nothing. */
static const void *readable(struct addr_space *as, gpa_t from, uint64_t *size)
{
	struct npt_cursor cursor;
	struct npt_leaf leaf;
	uint64_t offset = from.raw % PAGE_SIZE;
	const char *bytes = usable_page(as, from, false);

	if (bytes) {
		*size = min_u64(*size, PAGE_SIZE - offset);
		goto sync;
	}
	if (from.raw >= BIT(as->npt.config.gpa_bits) || npt_find(&as->npt, from, &cursor) != NPT_LEAF)
		return NULL;
	npt_decode(&as->npt, &cursor, from, &leaf);
	if (leaf.access_tracked || !(leaf.attr.prot & NPT_R) || leaf.attr.memtype != NPT_WB)
		return NULL;
	if (!leaf.accessed)
		npt_touch(&as->npt, &cursor, 0, NPT_ACCESSED);
	else
		note_usable(as, &cursor, from, &leaf, false);
	offset = from.raw - leaf.gpa.raw;
	*size = min_u64(*size, npt_level_size(leaf.level) - offset);
	bytes = frame_ptr(leaf.hpa);
sync:
	bytes += offset;
	if (as->sync)
		as->sync((void *)(uintptr_t)bytes, *size);
	return bytes;
}

/* Of a piece to be written, as much as can be read without a fault: that would need the lock. The two may overlap. */
static void copy_here(void *bytes, uint64_t size, void *context)
{
	struct copying *copying = context;
	const void *from;
	uint64_t piece;

	for (; copying->done < size; copying->done += piece) {
		piece = size - copying->done;
		from = readable(copying->as, GPA(copying->from.raw + copying->done), &piece);
		if (!from)
			return;
		memmove((char *)bytes + copying->done, from, piece);
	}
}

enum err addr_space_copy_bytes(struct addr_space *as, gpa_t to, gpa_t from, uint64_t size)
{
	struct copying copying = { as, from, 0 };
	enum err err = from.raw + size < from.raw || to.raw + size < to.raw ? ERR_NOT_FOUND : ERR_OK;
	uint64_t piece;

	while (err == ERR_OK && size > 0) {
		piece = size;
		copying.done = 0;
		err = reach_piece(as, to, &piece, NPT_RW, copy_here, &copying);
		if (err == ERR_OK && copying.done == 0)
			err = addr_space_fault_in(as, copying.from, 1, NPT_R);
		copying.from.raw += copying.done;
		to.raw += copying.done;
		size -= copying.done;
	}
	return err;
}

enum err addr_space_iter_bytes(struct addr_space *as, gpa_t gpa, uint64_t size, addr_space_chunk each, void *context)
{
	char bytes[ADDR_SPACE_CHUNK];

	if (gpa.raw + size < gpa.raw)
		return ERR_NOT_FOUND;
	while (size > 0) {
		uint64_t piece = min_u64(size, sizeof(bytes));
		char *to = bytes;
		enum err err = reach_piece(as, gpa, &piece, NPT_R, copy_out, &to);

		if (err != ERR_OK)
			return err;
		if (!each(bytes, piece, context))
			return ERR_OK;
		gpa.raw += piece;
		size -= piece;
	}
	return ERR_OK;
}

/* The first address from `at` on, `end` at most, that is not mapped to itself plus `distance`. `at` is aligned to a page. */
static uint64_t contiguous_end(const struct npt *npt, uint64_t at, uint64_t end, uint64_t distance)
{
	while (at < end) {
		const uint64_t *slot = npt_walk_cache_lookup(npt->cache, GPA(at));
		struct npt_leaf leaf;

		if (slot) {
			uint64_t stop = min_u64(end, align_down(at, BLOCK_SIZE) + BLOCK_SIZE);
			unsigned count = (unsigned)((stop - at + PAGE_SIZE - 1) / PAGE_SIZE);
			unsigned length = npt_batch_length(slot, npt_batch(npt, HPA(at + distance)), count);
			hpa_t page;

			at += length * PAGE_SIZE;
			if (length == count)
				continue;
			if (npt_page_at(npt, slot + length, &page))
				break;
		}
		if (npt_query(npt, GPA(at), &leaf) != ERR_OK || leaf.hpa.raw - leaf.gpa.raw != distance)
			break;
		at = leaf.gpa.raw + npt_level_size(leaf.level);
	}
	return min_u64(at, end);
}

/* The slow path. Called with the lock held, which it releases. */
static __attribute__((noinline)) enum err limit_slowly(struct addr_space *as, gpa_t gpa, uint64_t want, hpa_t *hpa, uint64_t *limit)
{
	uint64_t next = align_down(gpa.raw, PAGE_SIZE) + PAGE_SIZE;
	enum err err = npt_translate(&as->npt, &as->view.cache, gpa, hpa);

	if (err == ERR_OK) {
		uint64_t end = gpa.raw + min_u64(want, as->npt.end - gpa.raw);

		*limit = contiguous_end(&as->npt, next, end, hpa->raw - gpa.raw) - gpa.raw;
	}
	spin_unlock(&as->view.lock);
	return err;
}

/* The lock is taken. */
static __attribute__((noinline)) enum err limit_later(struct addr_space *as, gpa_t gpa, uint64_t want, hpa_t *hpa, uint64_t *limit)
{
	spin_lock(&as->view.lock);
	return limit_slowly(as, gpa, want, hpa, limit);
}

/* Where the walk cache has the table, and that tells by the next page what the limit is, it takes a few instructions. */
enum err addr_space_translate_and_limit(struct addr_space *as, gpa_t gpa, uint64_t want, hpa_t *hpa, uint64_t *limit)
{
	const uint64_t offset = gpa.raw & (PAGE_SIZE - 1), rest = PAGE_SIZE - offset;
	const uint64_t *slot;
	hpa_t page, next;

	if (__builtin_expect(!spin_trylock(&as->view.lock), false))
		return limit_later(as, gpa, want, hpa, limit);
	slot = npt_walk_cache_lookup(&as->view.cache, gpa);
	if (!slot || !npt_page_at(&as->npt, slot, &page))
		return limit_slowly(as, gpa, want, hpa, limit);
	if (want > rest) {
		if (is_aligned((uintptr_t)++slot, PAGE_SIZE) || !npt_page_at(&as->npt, slot, &next))
			return limit_slowly(as, gpa, want, hpa, limit);
		if (next.raw != page.raw + PAGE_SIZE)
			want = rest;
		else if (want > rest + PAGE_SIZE)
			return limit_slowly(as, gpa, want, hpa, limit);
	}
	*hpa = HPA(page.raw | offset);
	*limit = want;
	spin_unlock(&as->view.lock);
	return ERR_OK;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest's address space: areas that say what guest-physical memory is meant to be, over the nested tables that say
 * what it is now.
 *
 * An area is a range with permissions, a memory type and a backend:
 *   Linear  a fixed piece of host memory, mapped at once (hpa may lie above or below gpa);
 *   Alloc   frames of its own, zeroed; all at once (populate), or each at its first touch (lazy).
 *
 * Locking: every function takes the space's lock, except where noted; addr_space_new, addr_space_free and the set-up of a
 * space are for one caller alone. Areas never overlap. Frames of Alloc areas are owned by the space and given back when they
 * are unmapped; Linear memory is never owned. Addresses and sizes are in bytes; a range is aligned to 4 KiB and not empty, but for
 * the accessors of guest memory (read, write, iter_bytes, translate).
 */
#ifndef NESTLING_MM_ADDR_SPACE_H
#define NESTLING_MM_ADDR_SPACE_H

#include "include/err.h"
#include "include/lock.h"
#include "include/types.h"
#include "mm/area.h"
#include "mm/frame.h"
#include "mm/policy.h"
#include "npt/explain.h"
#include "npt/pages.h"

/* What a guest did, decoded by ISA code. */
struct npt_fault {
	gpa_t gpa;
	uint8_t access;     /* mask of NPT_R, NPT_W, NPT_X: all permissions that the access needs */
	bool present;       /* as the hardware reports it: the entry was present but did not permit the access */
	bool on_guest_walk; /* the access was the guest's own page-table walk */
};

enum fault_outcome {
	FAULT_HANDLED,  /* the page is mapped now: resume the guest */
	FAULT_SPURIOUS, /* the page was mapped already: flush it on this CPU, resume the guest */
	FAULT_DENIED,   /* the area does not permit it */
	FAULT_UNMAPPED, /* no area: MMIO or a wild access */
	/*
	 * The area permits it, but no frame is left, or the space's limit is reached. Nothing was changed that a guest could tell.
	 */
	FAULT_NO_MEMORY,
	FAULT_OUTCOMES
};

/* All sizes in bytes. */
struct addr_space_stats {
	uint64_t resident;      /* frames owned now, without tables */
	uint64_t resident_peak; /* the maximum of `resident` so far */
	uint64_t memory_used; /* all that the space costs the host now: `resident`, tables, areas, and what addr_space_charge added
			       */
	uint64_t memory_peak; /* the maximum of `memory_used` so far */
	uint64_t shared;      /* memory mapped now that this space does not own: copy-on-write after a fork */
	uint64_t zero_leaves[2];         /* leaves that map the zero page now, and those that map the large zero page (2 MiB) */
	uint64_t flushes;                /* flush requests issued to the CPUs */
	uint64_t flush_instructions;     /* flush instructions of the ISA that those requests took */
	uint64_t faults[FAULT_OUTCOMES]; /* by outcome, guest accessors' own included */
	uint64_t faults_by_host;         /* of those, raised by guest accessors of the hypervisor */
	/* The handled faults by what was done; the sum is faults[FAULT_HANDLED]. */
	uint64_t handled_zero;            /* the zero page was mapped */
	uint64_t handled_fresh;           /* memory was mapped where nothing was mapped */
	uint64_t handled_unzero;          /* zero-page break: memory was mapped in place of the zero page */
	uint64_t handled_copy;            /* copy-on-write break: a shared page was copied */
	uint64_t handled_reuse;           /* copy-on-write reuse: no other space used the page any more */
	uint64_t handled_tracked;         /* software set an accessed or dirty bit */
	uint64_t promoted, merged, split; /* numbers: blocks collapsed by copy, blocks collapsed in place, leaves split */
	uint64_t discarded;               /* given back by addr_space_discard so far */
	uint64_t reclaimed;               /* pages of zeros taken back so far */
};

/*
 * Flush the translations of [gpa, gpa + size) on all CPUs; size NPT_FLUSH_ALL: of the whole space. Returns how many flush
 * instructions that took or will take. Called with the space's lock held, or by addr_space_free, when nothing else uses the space.
 */
struct addr_space;
typedef unsigned (*addr_space_flush)(struct addr_space *as, gpa_t gpa, uint64_t size);

/*
 * Cache maintenance between the hypervisor's accesses to guest memory and the guest's own. `sync` is called before the hypervisor
 * reads what a guest may have written: writes of the guest that bypassed the caches become visible. `publish` is called after the
 * hypervisor has written, before the memory is mapped or the guest resumes: data accesses and instruction fetches of the guest then
 * see what was written, on every CPU that runs the space. `bytes` is a pointer to host memory, `size` in bytes.
 */
typedef void (*addr_space_sync)(void *bytes, uint64_t size);

/* A block of frames of which 64 KiB pieces are handed out: see mm/reservation.c. */
struct reservation {
	uint64_t block; /* gpa */
	hpa_t memory;   /* raw 0: there is none */
	uint32_t given; /* one bit for each piece: it was handed out */
};

/* A limit of what one or several spaces cost together: mm/limit.c. */
struct addr_space_limit {
	uint64_t max;  /* bytes */
	uint64_t used; /* atomic; bytes of it that are in use: 0 before the first space has the limit, and after the last one */
};

/* What a space costs the host besides its resident memory: mm/cost.c. */
struct addr_space_cost {
	struct addr_space_limit *limit; /* of `overhead` and resident memory together; NULL: none */
	uint64_t charged;               /* this space's part of limit->used */
	uint64_t overhead;              /* bytes in tables, areas, and everything else that is not resident; more in each view */
	uint64_t in_hand;               /* bytes of memory that a leaf is about to map, while tables for it are allocated */
	bool exceeded;                  /* the last failure for lack of memory was due to the limit, not to the host */
};

/* No instruction needs as many fresh pages as this to complete. */
#define ADDR_SPACE_RECENT       16
#define ADDR_SPACE_RECENT_FRAME BIT(0)

/*
 * What one vCPU has of a space for itself, so that its faults need no one else: a lock, a walk cache, frames. A space has one at
 * least, `view`; addr_space_add_view adds others. Cache lines are not shared between views.
 *
 * A fault takes its own view's lock. With it, entries of existing tables can be filled in, by compare-and-swap, and areas, tables
 * and everything else of the space can be read. Whoever changes those takes the locks of all views (mm/space.h).
 */
struct addr_space_view {
	struct spinlock lock;
	struct addr_space *as;
	struct frame_run run; /* frames for future faults; those before `ready` are zeroed and published */
	/*
	 * The pages that the last faults mapped, in a ring: each by its gpa, or by its frame with bit 0 set. `given` counts all
	 * such pages. Reclaim leaves them alone, so that the guest can use them first. Read after view_settle only.
	 */
	uint64_t given;
	uint64_t recent[ADDR_SPACE_RECENT];
	struct addr_space_view *next; /* the view whose lock is taken after this one's */
	/* Its part of the space's statistics. Only the sum over all views has a meaning; a single one may be "negative". */
	struct addr_space_stats stats;
	uint64_t overhead; /* its part of addr_space_cost.overhead */
	struct reservation reservation;
	struct npt_walk_cache cache;
} __attribute__((aligned(64)));

struct addr_space {
	struct addr_space_view view; /* the first one: that of vCPU 0, and of the hypervisor's own accesses */
	uint16_t id;                 /* as owner of frames; never 0 */
	struct npt npt;
	struct npt_env env;
	struct area_set areas;
	addr_space_flush flush;
	addr_space_sync sync, publish;   /* to be set before anything is mapped; NULL: hardware keeps the caches coherent */
	addr_space_sync zero;            /* so is this: clears pages and publishes them; NULL: arch_zero_pages, then publish */
	hpa_t reserve;                   /* a frame kept for a table that reclaim may need; raw 0: in use */
	bool reclaiming;                 /* reclaim is running: `reserve` may be used */
	bool zero_page_published[2];     /* publish was called for the zero page, for the large zero page */
	hpa_t zero_page;                 /* the zero page, once it is published; raw 0 before that */
	uint64_t zero_entry[NPT_RX + 1]; /* npt_page_entry of the zero page, by permissions */
	uint64_t hand;                   /* gpa where reclaim goes on */
	/*
	 * What the entry of a leaf is but for its address, where it permits to read, to write, and has the accessed and dirty bits
	 * of that: as it was met last by an accessor of guest memory. 0: none was. Of pages and of large leaves. With the first
	 * view's lock.
	 */
	uint64_t usable[2][2];
	/* The same of a shared leaf that hardware can read, without the bits that hardware sets, too. */
	uint64_t shared_leaf[2];
	bool logged;                         /* some block may be kept in 4 KiB leaves for exact dirty logging: is_logged */
	uint64_t resident_peak, memory_peak; /* as in struct addr_space_stats */
	struct addr_space_cost cost;
	enum frame_need need; /* the need for which tables are allocated now */
};

/*
 * Make an empty space of 1 << config->gpa_bits bytes. `flush` may be NULL as long as no CPU runs on it. `ops` must outlive the
 * space, `config` is copied; the structure must stay at its address until addr_space_free.
 * Errors: ERR_NO_MEMORY, ERR_INVALID (geometry).
 */
MUST_CHECK enum err addr_space_new(struct addr_space *as, const struct npt_ops *ops, const struct npt_config *config,
				   addr_space_flush flush);

/*
 * Limit what the space, all forks of it and their forks cost the host (memory_used) to limit->max bytes together. Whatever would
 * exceed the limit fails with ERR_NO_MEMORY or FAULT_NO_MEMORY, as if the host had no more memory. A new space has no limit: it may
 * use all host memory but the host's reserve (mm/frame.h). `limit` must outlive all these spaces; NULL: no limit. A space that
 * has been forked, or is a fork, keeps the limit that it has.
 * Errors: ERR_NO_MEMORY: the space costs more already; nothing was changed.
 */
MUST_CHECK enum err addr_space_set_limit(struct addr_space *as, struct addr_space_limit *limit);
/*
 * Count `bytes` that the caller has allocated for the owner of the space (such as the VM's own structure) as a cost of the space,
 * until it is freed. Errors: ERR_NO_MEMORY (the limit).
 */
MUST_CHECK enum err addr_space_charge(struct addr_space *as, uint64_t bytes);

/* The views that a space can have. */
#define ADDR_SPACE_VIEWS 16
/*
 * Add a view to the space, for a vCPU other than the first. `view` (contents undefined) must stay at its address until
 * addr_space_remove_view or addr_space_free. Errors: ERR_RANGE: the space has ADDR_SPACE_VIEWS.
 */
MUST_CHECK enum err addr_space_add_view(struct addr_space *as, struct addr_space_view *view);
/* Give back the frames of a view that was added, and forget it; its statistics stay. No fault is served by it any more. */
void addr_space_remove_view(struct addr_space_view *view);

/* Unmap everything, give back every frame and table. No CPU may run on the space any more. The structure stays the caller's. */
void addr_space_free(struct addr_space *as);

/*
 * Map [gpa, gpa + size) to host memory at `hpa` at once, by the largest leaves that fit. The memory stays the caller's and must
 * outlive the mapping. All or nothing.
 * Errors: ERR_INVALID (alignment to 4 KiB, size, prot), ERR_RANGE, ERR_EXISTS (an area is there), ERR_UNSUPPORTED
 * (prot or memory type), ERR_NO_MEMORY.
 */
MUST_CHECK enum err addr_space_map_linear(struct addr_space *as, gpa_t gpa, hpa_t hpa, uint64_t size, struct npt_attr attr);

/*
 * Make an Alloc area of zeroed memory at [gpa, gpa + size). Lazy: O(log areas), allocates no table and no data frame.
 * ALLOC_POPULATE: allocates all frames now, by the largest leaves the allocator can give; all or nothing. `prot` is a mask of
 * enum npt_prot. Errors as addr_space_map_linear.
 */
MUST_CHECK enum err addr_space_map_alloc(struct addr_space *as, gpa_t gpa, uint64_t size, unsigned prot, enum alloc_policy policy);

/*
 * Map [gpa, gpa + size), which lies in one Alloc area and has no memory yet, to the host's memory at `hpa`, copy-on-write, by the
 * largest leaves that fit. Each of the frames (frame_adopt, or allocated) gets a reference, which is dropped when the space no
 * longer maps it; it counts as `shared`. No CPU may write to it. All or nothing. Errors: ERR_INVALID, ERR_RANGE, ERR_NOT_FOUND (no
 * such area), ERR_EXISTS (there is memory), ERR_NO_MEMORY (for tables).
 */
MUST_CHECK enum err addr_space_map_shared(struct addr_space *as, gpa_t gpa, hpa_t hpa, uint64_t size);

/*
 * Remove [gpa, gpa + size) from all areas (split where needed; holes are skipped). When it returns no CPU reaches the
 * memory, and owned frames are free. Errors: ERR_INVALID, ERR_RANGE, ERR_NO_MEMORY: nothing was changed.
 */
MUST_CHECK enum err addr_space_unmap(struct addr_space *as, gpa_t gpa, uint64_t size);

/*
 * Give [gpa, gpa + size), which areas must cover without a hole, the permissions `prot`, splitting areas where needed.
 * When it returns no CPU can use a permission that was taken away.
 * Errors: ERR_INVALID, ERR_RANGE, ERR_NOT_FOUND (a hole), ERR_UNSUPPORTED, ERR_NO_MEMORY: nothing was changed.
 */
MUST_CHECK enum err addr_space_protect(struct addr_space *as, gpa_t gpa, uint64_t size, unsigned prot);

/*
 * Give the Alloc areas in [gpa, gpa + size), which must cover it without a hole, another policy, splitting areas where needed.
 * ALLOC_POPULATE backs at once every page that has no memory yet. Errors: ERR_INVALID (alignment, size, a Linear area), ERR_RANGE,
 * ERR_NOT_FOUND (a hole), ERR_NO_MEMORY: the policy is unchanged, though with ALLOC_POPULATE some pages may have been backed.
 */
MUST_CHECK enum err addr_space_set_policy(struct addr_space *as, gpa_t gpa, uint64_t size, enum alloc_policy policy);

/*
 * Back every page of [gpa, gpa + size), which Alloc areas must cover without a hole, that has no memory yet, by the largest leaves
 * that fit in the range. The policies stay. For long ranges piece by piece. Errors: as addr_space_set_policy; some pages may have
 * been backed.
 */
MUST_CHECK enum err addr_space_populate(struct addr_space *as, gpa_t gpa, uint64_t size);

/*
 * Give back the memory of [gpa, gpa + size), which Alloc areas must cover without a hole; the areas stay, and the next touch
 * finds zeros. Large leaves are split at the ends. When it returns no CPU reaches the memory, and its frames are free.
 * Errors: ERR_INVALID (alignment, size, a Linear area), ERR_RANGE, ERR_NOT_FOUND (a hole), ERR_NO_MEMORY: nothing was changed.
 */
MUST_CHECK enum err addr_space_discard(struct addr_space *as, gpa_t gpa, uint64_t size);

/* A piece of guest memory; in bytes. */
struct addr_space_range {
	gpa_t gpa;
	uint64_t size;
};

/*
 * Give back the memory of several ranges as addr_space_discard does, with one flush for all that is done in this call: as many of
 * them, from the first on, as make up some 100,000 instructions. Returns how many of the ranges are done; what is left of the next
 * one is in its place. Of a range that is not one, is not covered by Alloc areas, or cannot be split for lack of memory, the rest
 * stays as it is, and it counts as done. `*released` grows by the memory that this space does not use any more, in bytes.
 */
unsigned addr_space_discard_ranges(struct addr_space *as, struct addr_space_range *ranges, unsigned count, uint64_t *released);

/*
 * How many bytes of [gpa, gpa + size), from its beginning on, a caller should pass at once to addr_space_discard, _protect or
 * _set_policy that wants to do something else after some 100,000 instructions. All these may be called for a whole range, too, of
 * whatever length. Other vCPUs may change the space between two calls.
 */
uint64_t addr_space_piece(struct addr_space *as, gpa_t gpa, uint64_t size);

/*
 * Make `child` (storage for a new space) a copy of `parent` as it is now: the same areas; Alloc memory is shared copy-on-write,
 * Linear memory is mapped by both. The time is proportional to the number of tables. The child gets the parent's `flush`, `sync`
 * and `publish`. The first write of either side to a shared page faults. Takes the parent's lock; no other CPU may use `child` yet.
 * Errors: ERR_NO_MEMORY: `child` is no space, and must not be freed; the parent's mappings are as before, but its writes may fault
 * where they did not.
 */
MUST_CHECK enum err addr_space_fork(struct addr_space *parent, struct addr_space *child);
/*
 * The same piece by piece. When addr_space_fork_begin has succeeded, `child` is a space without areas. Each addr_space_fork_piece
 * adds so much as takes some 100,000 instructions, from `*at` on, which is 0 at first, and moves; until `*more` is false. Between
 * two pieces nobody may change the parent; nobody may use the child. Errors: ERR_NO_MEMORY: the child is to be cleared
 * (addr_space_clear_piece) and freed, as it may be after any piece.
 */
MUST_CHECK enum err addr_space_fork_begin(struct addr_space *parent, struct addr_space *child);
MUST_CHECK enum err addr_space_fork_piece(struct addr_space *parent, struct addr_space *child, gpa_t *at, bool *more);

/*
 * Test and clear the accessed bits of [gpa, gpa + size): which pages were accessed since the last call for them, or since they were
 * mapped? Fills in `bitmap`, one bit for each page, rounded up to whole words; bit 0 is the page at `gpa`. `*pages` is the number
 * of bits set. A large leaf counts as accessed as a whole. At most one flush. Errors: ERR_INVALID, ERR_RANGE.
 */
MUST_CHECK enum err addr_space_scan_accessed(struct addr_space *as, gpa_t gpa, uint64_t size, uint64_t *bitmap, uint64_t *pages);

/*
 * Test and clear the dirty bits: which pages were written, by the guest or by addr_space_write, since the last call for them? The
 * result is as that of addr_space_scan_accessed. With `split`, large leaves in the range are first split to 4 KiB leaves, so that
 * later results are exact, and the 2 MiB blocks that consist of 4 KiB leaves then are not promoted or collapsed any more. This ends
 * for a block with a call without `split`, or when all of the block is unmapped or discarded. A fork inherits it.
 * Errors: also ERR_NO_MEMORY, for the split: no dirty bit was cleared, but some leaves may have been split.
 */
MUST_CHECK enum err addr_space_dirty_log(struct addr_space *as, gpa_t gpa, uint64_t size, bool split, uint64_t *bitmap,
					 uint64_t *pages);

/* What a range is backed by now, in bytes; the rest of the range is not mapped. */
struct addr_space_survey {
	uint64_t pages;  /* 4 KiB leaves that are not shared */
	uint64_t large;  /* larger leaves that are not shared */
	uint64_t shared; /* leaves shared copy-on-write after a fork */
	uint64_t zeros;  /* leaves that map the zero page or the large zero page */
	gpa_t next;      /* where the survey stopped */
};

/*
 * Add what [gpa, gpa + size) is backed by to `survey`, stopping after `*leaves` (not 0) leaves. The number of leaves visited is
 * subtracted from `*leaves`. Changes nothing in the space.
 * Errors: ERR_INVALID, ERR_RANGE; ERR_CORRUPT as npt_walk.
 */
MUST_CHECK enum err addr_space_survey(struct addr_space *as, gpa_t gpa, uint64_t size, unsigned *leaves,
				      struct addr_space_survey *survey);

/* npt_query; npt_walk, `visit` under the lock; npt_explain; while others may change the space. */
MUST_CHECK enum err addr_space_query(struct addr_space *as, gpa_t gpa, struct npt_leaf *leaf);
MUST_CHECK enum err addr_space_walk(struct addr_space *as, gpa_t gpa, uint64_t size, npt_visitor visit, void *context);
unsigned addr_space_explain(struct addr_space *as, gpa_t gpa, struct npt_step steps[NPT_MAX_LEVELS]);

/* Bytes in nested tables now. */
uint64_t addr_space_table_bytes(struct addr_space *as);

/* Was the last failure for lack of memory due to the limit (addr_space_set_limit), not to the host? */
bool addr_space_limit_reached(struct addr_space *as);

/* An area, for callers outside mm/. */
struct addr_space_area {
	gpa_t start;
	uint64_t size; /* bytes */
	uint8_t prot;  /* enum npt_prot */
};

/* Copy the range and permissions of the area that holds `gpa` to `area`. False: there is none, and `area` is unchanged. */
bool addr_space_area_at(struct addr_space *as, gpa_t gpa, struct addr_space_area *area);

/* The host address of the byte at `gpa`, if it is mapped now. Maps nothing. Errors: ERR_NOT_FOUND, ERR_RANGE, ERR_CORRUPT. */
/* The slow path returns a value: the caller's `hpa` may stay in a register then. */
struct addr_space_translation {
	hpa_t hpa;
	enum err err;
};
struct addr_space_translation addr_space_translate_by_walk(struct addr_space *as, gpa_t gpa);
MUST_CHECK static inline __attribute__((always_inline)) enum err addr_space_translate(struct addr_space *as, gpa_t gpa, hpa_t *hpa)
{
	struct addr_space_translation found;
	bool cached;

	if (spin_trylock(&as->view.lock)) { /* whoever waits for it does so out of line, where registers cost nothing */
		cached = npt_translate_cached(&as->npt, &as->view.cache, gpa, hpa);
		spin_unlock(&as->view.lock);
		if (cached)
			return ERR_OK;
	}
	found = addr_space_translate_by_walk(as, gpa);
	if (found.err == ERR_OK)
		*hpa = found.hpa;
	return found.err;
}

/*
 * As addr_space_translate; `*limit` is how many bytes from `gpa` on are mapped to contiguous host memory, at most `want`, which is
 * not 0.
 */
MUST_CHECK enum err addr_space_translate_and_limit(struct addr_space *as, gpa_t gpa, uint64_t want, hpa_t *hpa, uint64_t *limit);

/*
 * Clear some frames ahead of future faults, for when the CPU is idle. Clears at most 64 KiB in one call. Returns true if there is
 * more to clear, false if enough frames are ready or none can be had.
 */
bool addr_space_zero_ahead(struct addr_space_view *view);
/*
 * Take back pages that hold only zeros, when the guest is idle: from `*at` on, some 100,000 instructions' work, and move `*at` past
 * that. Large leaves are left whole, and so is what dirty logging keeps an eye on. False: that was the end of the space, and `*at`
 * is 0.
 */
bool addr_space_tidy(struct addr_space *as, gpa_t *at);
/* Give back the frames that all views hold for future faults, for a guest that will make none for a while. */
void addr_space_release_held(struct addr_space *as);

/*
 * Serve a fault of the view's vCPU. Takes the view's lock, or all of the space's; may allocate data frames and tables, and may
 * reclaim memory of the space. Never sleeps, prints or calls malloc. After FAULT_SPURIOUS the caller flushes the page on this CPU.
 */
enum fault_outcome addr_space_handle_fault(struct addr_space_view *view, const struct npt_fault *fault);

/*
 * Copy between guest memory and hypervisor memory; any alignment and length, across pages, areas and leaves. Lazy memory is
 * faulted in. The guest's permissions are checked (R to read, W to write), and accessed and dirty bits are set.
 * Errors: ERR_DENIED, ERR_NOT_FOUND (no area), ERR_NO_MEMORY; bytes before the failing page have been copied.
 */
MUST_CHECK enum err addr_space_read(struct addr_space *as, gpa_t gpa, void *to, uint64_t size);
MUST_CHECK enum err addr_space_write(struct addr_space *as, gpa_t gpa, const void *from, uint64_t size);

/*
 * A word of 16 bits of guest memory, at a multiple of 2, read or written at once, as another CPU sees it: what is read after the
 * one, or was written before the other, by this CPU is not older than it. Errors as addr_space_read.
 */
MUST_CHECK enum err addr_space_load16(struct addr_space *as, gpa_t gpa, uint16_t *value);
MUST_CHECK enum err addr_space_store16(struct addr_space *as, gpa_t gpa, uint16_t value);

/*
 * Let [to, to + size) hold what [from, from + size) holds now, as if it were read and written: permissions, faults and bits are as
 * for addr_space_read and addr_space_write. But a whole page that lies alike in both is not copied if it can be mapped: `to` then
 * maps the memory that `from` does, copy-on-write, or nothing yet where that is zeros. This can be done with memory that the space
 * shares with others, at a page of a lazy area that no large leaf maps. All that is removed for it is flushed once for each 32
 * pages. Errors as addr_space_read; what was at `to` may be gone then.
 */
MUST_CHECK enum err addr_space_copy(struct addr_space *as, gpa_t to, gpa_t from, uint64_t size);
/*
 * The same without mapping what is at `from`. A whole page at `to` that is copy-on-write is not copied before it is overwritten, if
 * both are aligned to pages.
 */
MUST_CHECK enum err addr_space_store(struct addr_space *as, gpa_t to, gpa_t from, uint64_t size);
/* The same without that, either. */
MUST_CHECK enum err addr_space_copy_bytes(struct addr_space *as, gpa_t to, gpa_t from, uint64_t size);

/* Fault in [gpa, gpa + size) for `access` (NPT_R or NPT_RW), and set the accessed and dirty bits. Errors as addr_space_read. */
MUST_CHECK enum err addr_space_fault_in(struct addr_space *as, gpa_t gpa, uint64_t size, unsigned access);

/*
 * Read [gpa, gpa + size) in pieces of at most ADDR_SPACE_CHUNK bytes, in order: `each` is called with a copy, and without a lock.
 * When it returns false, the reading stops early and ERR_OK is returned. Errors as addr_space_read.
 */
#define ADDR_SPACE_CHUNK 256
typedef bool (*addr_space_chunk)(const void *bytes, uint64_t size, void *context);
MUST_CHECK enum err addr_space_iter_bytes(struct addr_space *as, gpa_t gpa, uint64_t size, addr_space_chunk each, void *context);

/* Remove every area, and with it every mapping and owned frame. The space stays usable. */
void addr_space_clear(struct addr_space *as);
/*
 * The same piece by piece, as much as takes some 100,000 instructions, for a space that nobody uses any more: from `*at` on, which
 * is 0 at first, and moves. False: nothing is left.
 */
bool addr_space_clear_piece(struct addr_space *as, gpa_t *at);

struct addr_space_stats addr_space_get_stats(struct addr_space *as);

/* Fill in the number of leaves now, by level. */
void addr_space_get_leaves(struct addr_space *as, uint64_t leaves[NPT_LEAF_LEVELS]);

/*
 * Print areas and runs of alike leaves, one line each, by log_info; at most 16 lines, the last of which says so if there
 * is more.
 */
void addr_space_dump(struct addr_space *as);

/* "handled", "spurious", ... as in the report; a static string. */
const char *fault_outcome_name(enum fault_outcome outcome);

#endif

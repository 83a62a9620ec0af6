/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest's address space: areas that say what guest-physical memory is meant to be, over the nested tables that say
 * what it is now.
 *
 * An area is a range with permissions, a memory type and a backend:
 *   Linear  a fixed piece of host memory, mapped at once (hpa may lie above or below gpa);
 *   Alloc   frames of its own, zeroed; all at once (populate), or each at its first touch (lazy).
 *
 * Locking: every function takes the space's lock, except where noted. Areas never overlap. Frames of Alloc areas are
 * owned by the space and given back when they are unmapped; Linear memory is never owned.
 */
#ifndef NESTLING_MM_ADDR_SPACE_H
#define NESTLING_MM_ADDR_SPACE_H

#include "include/err.h"
#include "include/lock.h"
#include "include/types.h"
#include "mm/area.h"
#include "mm/frame.h"
#include "mm/policy.h"
#include "npt/npt.h"

/* What a guest did, decoded by ISA code. */
struct npt_fault {
	gpa_t gpa;
	uint8_t access;     /* mask of NPT_R, NPT_W, NPT_X: all that is wanted */
	bool present;       /* as the hardware saw it: the entry was there, permission was not */
	bool on_guest_walk; /* the access was the guest's own page-table walk */
};

enum fault_outcome {
	FAULT_HANDLED,   /* memory is there now: resume */
	FAULT_SPURIOUS,  /* it was there already: flush locally, resume */
	FAULT_DENIED,    /* the area does not permit it */
	FAULT_UNMAPPED,  /* no area: MMIO or a wild access */
	FAULT_NO_MEMORY, /* the area permits it, the host has no frame left; nothing was changed */
	FAULT_OUTCOMES
};

/* All sizes in bytes. */
struct addr_space_stats {
	uint64_t resident;      /* frames owned now, tables apart */
	uint64_t resident_peak; /* the most it ever was */
	uint64_t memory_used; /* all that the space costs the host now: `resident`, tables, areas, and what addr_space_charge added
			       */
	uint64_t memory_peak; /* the most it ever was */
	uint64_t shared;      /* memory mapped now that another space owns, or nobody: copy-on-write after a fork */
	uint64_t zero_leaves[2];         /* leaves that map the zero page now, and those that map the large zero page (2 MiB) */
	uint64_t flushes;                /* flush requests issued to the CPUs */
	uint64_t flush_instructions;     /* what those took, in the ISA's own flush instructions */
	uint64_t faults[FAULT_OUTCOMES]; /* by outcome, guest accessors' own included */
	uint64_t faults_by_host;         /* of those, raised by guest accessors of the hypervisor */
	/* What the handled ones came to; they add up. */
	uint64_t handled_zero;            /* a zero page was mapped */
	uint64_t handled_fresh;           /* memory was given where nothing was */
	uint64_t handled_unzero;          /* zero-page break: memory was given in place of a zero page */
	uint64_t handled_copy;            /* copy-on-write break: a shared page was copied */
	uint64_t handled_reuse;           /* copy-on-write reuse: nobody else used the page any more */
	uint64_t handled_tracked;         /* software set an accessed or dirty bit */
	uint64_t promoted, merged, split; /* blocks collapsed by copy; in place; leaves split */
	uint64_t discarded;               /* given back by addr_space_discard, in all */
	uint64_t reclaimed;               /* taken back for want of frames, in all */
};

/*
 * How a space makes the CPUs forget; size NPT_FLUSH_ALL: everything. Returns how many flush instructions that took or will
 * take. Called with the space's lock held, or by addr_space_free, when nobody else uses the space.
 */
struct addr_space;
typedef unsigned (*addr_space_flush)(struct addr_space *as, gpa_t gpa, uint64_t size);

/*
 * What lies between our accesses to host memory and a guest's. `sync` is called before we read what a guest may have written: it
 * brings in what went past the caches. `publish` is called when we have written, before a guest gets the memory or gets on with it:
 * then its accesses and its instruction fetches find what was written, on every CPU that runs the space.
 */
typedef void (*addr_space_sync)(void *bytes, uint64_t size);

/* A block of frames of which 64 KiB pieces are handed out: see mm/reservation.c. */
struct reservation {
	uint64_t block; /* gpa */
	hpa_t memory;   /* raw 0: there is none */
	uint32_t given; /* a bit a piece */
};

#define COST_NO_LIMIT UINT64_MAX

/* What a space costs the host beside what is resident: mm/cost.c. */
struct addr_space_cost {
	uint64_t max;      /* bytes that all of it may come to; COST_NO_LIMIT: as many as the host has */
	uint64_t overhead; /* bytes in tables, areas, and all else that is not resident */
	uint64_t in_hand;  /* bytes of memory that a leaf is about to map, while tables are taken for it */
	bool exceeded;     /* memory was last missing because of `max`, not because the host had none */
};

/* More fresh pages than any one instruction can need before it completes. */
#define ADDR_SPACE_RECENT 16

struct addr_space {
	struct spinlock lock;
	uint16_t id;          /* as owner of frames; never 0 */
	struct frame_run run; /* of frames for faults to come; what is `ready` is as a guest may see it */
	/* Pages that the last faults gave, a ring by their number: not to be taken back before they are used. */
	uint64_t given;
	uint64_t recent[ADDR_SPACE_RECENT];
	struct addr_space_stats stats;
	struct npt npt;
	struct npt_env env;
	struct area_set areas;
	addr_space_flush flush;
	addr_space_sync sync, publish; /* to be set before anything is mapped; NULL: the CPU sees to it */
	hpa_t reserve;                 /* a frame kept for the table that taking memory back may need; raw 0: in use */
	bool reclaiming;               /* the reserve may be used */
	struct reservation reservation;
	bool zero_page_published[2];     /* publish has seen the zero page and the large one */
	hpa_t zero_page;                 /* the first of them, from then on; raw 0: it has not been used yet */
	uint64_t zero_entry[NPT_RX + 1]; /* by permissions, what npt_page_entry gives for it */
	uint64_t hand;                   /* gpa where taking memory back goes on */
	bool logged;                     /* there may be a block that is logged exactly: is_logged */
	struct addr_space_cost cost;
	enum frame_need need; /* that tables are taken for */
};

/*
 * Make an empty space of 1 << config->gpa_bits bytes. `flush` may be NULL as long as no CPU runs on it.
 * Errors: ERR_NO_MEMORY, ERR_INVALID (geometry).
 */
MUST_CHECK enum err addr_space_new(struct addr_space *as, const struct npt_ops *ops, const struct npt_config *config,
				   addr_space_flush flush);

/*
 * Let all that the space costs the host come to `max` bytes at most from now on: what would go beyond that is ERR_NO_MEMORY, or
 * FAULT_NO_MEMORY, as if the host had no more. Without a limit the host's reserve is what it cannot take: mm/frame.h. A fork
 * has the same limit, for itself. Errors: ERR_NO_MEMORY: it is more already; nothing was changed.
 */
MUST_CHECK enum err addr_space_set_limit(struct addr_space *as, uint64_t max);
/*
 * Let `bytes` that the owner has taken for what the space belongs to be part of what it costs, until it is freed.
 * Errors: ERR_NO_MEMORY (the limit).
 */
MUST_CHECK enum err addr_space_charge(struct addr_space *as, uint64_t bytes);

/* Unmap everything, give back every frame and table. No CPU runs on the space any more. */
void addr_space_free(struct addr_space *as);

/*
 * Map [gpa, gpa + size) to host memory at `hpa`, now, by the largest leaves that fit. All or nothing.
 * Errors: ERR_INVALID (alignment to 4 KiB, size, prot), ERR_RANGE, ERR_EXISTS (an area is there), ERR_UNSUPPORTED
 * (prot or memory type), ERR_NO_MEMORY.
 */
MUST_CHECK enum err addr_space_map_linear(struct addr_space *as, gpa_t gpa, hpa_t hpa, uint64_t size, struct npt_attr attr);

/*
 * Promise zeroed memory at [gpa, gpa + size). Lazy: O(log areas), no table or data frame. Populate: all frames now, by
 * the largest leaves the allocator can give; all or nothing. Errors as addr_space_map_linear.
 */
MUST_CHECK enum err addr_space_map_alloc(struct addr_space *as, gpa_t gpa, uint64_t size, unsigned prot, enum alloc_policy policy);

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
 * Let the Alloc areas in [gpa, gpa + size), which must cover it without a hole, have another policy from now on, splitting
 * areas where needed. ALLOC_POPULATE backs at once what is not there.
 * Errors: ERR_INVALID (alignment, size, a Linear area), ERR_RANGE, ERR_NOT_FOUND, ERR_NO_MEMORY: the policy is as before, but for
 * ALLOC_POPULATE pages may have been backed.
 */
MUST_CHECK enum err addr_space_set_policy(struct addr_space *as, gpa_t gpa, uint64_t size, enum alloc_policy policy);

/*
 * Give back the memory of [gpa, gpa + size), which Alloc areas must cover without a hole; the areas stay, and the next touch
 * finds zeros. Large leaves are split at the ends. When it returns no CPU reaches the memory, and its frames are free.
 * Errors: ERR_INVALID (alignment, size, a Linear area), ERR_RANGE, ERR_NOT_FOUND, ERR_NO_MEMORY: nothing was changed.
 */
MUST_CHECK enum err addr_space_discard(struct addr_space *as, gpa_t gpa, uint64_t size);

/*
 * Make `child` (a new space's storage) a copy of `parent` as it is now: the same areas, Alloc memory shared until either side
 * writes, Linear memory the same. In time proportional to the tables. Both flush by `parent`'s hooks. Writes of the parent
 * fault from then on where it shares. Errors: ERR_NO_MEMORY: there is no child.
 */
MUST_CHECK enum err addr_space_fork(struct addr_space *parent, struct addr_space *child);

/*
 * Which pages of [gpa, gpa + size) were accessed since this was last asked (or since they are there)? Fills in `bitmap`, of a
 * bit a page rounded up to whole words, bit 0 for the page at `gpa`, and says in `pages` how many bits it has set. A large leaf
 * counts as accessed whole. At most one flush. Errors: ERR_INVALID, ERR_RANGE.
 */
MUST_CHECK enum err addr_space_scan_accessed(struct addr_space *as, gpa_t gpa, uint64_t size, uint64_t *bitmap, uint64_t *pages);

/*
 * Which pages were written, by the guest or by addr_space_write, since this was last asked? As addr_space_scan_accessed.
 * With `split`, large leaves in the range become 4 KiB ones, so that later answers are exact; and the blocks of 2 MiB that are of
 * such leaves then, by this or before, stay so, whatever makes large leaves of alike ones else. That ends where a block is asked
 * about without `split`, or all of it is unmapped or discarded. A fork goes on with it.
 * Errors: also ERR_NO_MEMORY, for the split: nothing was asked or lost, but some leaves may have been split.
 */
MUST_CHECK enum err addr_space_dirty_log(struct addr_space *as, gpa_t gpa, uint64_t size, bool split, uint64_t *bitmap,
					 uint64_t *pages);

/* What a range is backed by now. Bytes; what they leave of the range has nothing. */
struct addr_space_survey {
	uint64_t pages;  /* by leaves of 4 KiB that are no other space's */
	uint64_t large;  /* by larger ones */
	uint64_t shared; /* memory that is written only after a copy: a fork's */
	uint64_t zeros;  /* by the zero page and the large one */
	gpa_t next;      /* where the survey has stopped */
};

/*
 * Add what [gpa, gpa + size) is backed by to `survey`, stopping after `*leaves` (not 0) leaves, from which the number that was
 * seen is taken. Changes nothing in the space.
 * Errors: ERR_INVALID, ERR_RANGE; ERR_CORRUPT as npt_walk.
 */
MUST_CHECK enum err addr_space_survey(struct addr_space *as, gpa_t gpa, uint64_t size, unsigned *leaves,
				      struct addr_space_survey *survey);

/* What an area promises. */
struct addr_space_area {
	gpa_t start;
	uint64_t size; /* bytes */
	uint8_t prot;  /* enum npt_prot */
};

/* The area around `gpa`. False: there is none. */
bool addr_space_area_at(struct addr_space *as, gpa_t gpa, struct addr_space_area *area);

/* The host address behind the byte at `gpa`, if it is backed now. Errors: ERR_NOT_FOUND, ERR_RANGE. */
MUST_CHECK enum err addr_space_translate(struct addr_space *as, gpa_t gpa, hpa_t *hpa);

/*
 * The same, and how many bytes from there on are host-contiguous and backed, at most `want` of them; `want` > 0.
 */
MUST_CHECK enum err addr_space_translate_and_limit(struct addr_space *as, gpa_t gpa, uint64_t want, hpa_t *hpa, uint64_t *limit);

/*
 * Clear some frames that no fault has asked for yet: for when the CPU has nothing better to do. Bounded; returns false when enough
 * of them are there.
 */
bool addr_space_zero_ahead(struct addr_space *as);
/* Give back the frames that are held for future faults: for a guest that makes none for a while. */
void addr_space_release_held(struct addr_space *as);

/* Serve a guest's fault. Takes a lock, a frame and table frames; never sleeps, prints or calls malloc. */
enum fault_outcome addr_space_handle_fault(struct addr_space *as, const struct npt_fault *fault);

/*
 * Copy between guest memory and ours; any alignment and length, across pages, areas and leaves, faulting lazy memory
 * in. The guest's permissions are obeyed (R to read, W to write).
 * Errors: ERR_DENIED, ERR_NOT_FOUND (no area), ERR_NO_MEMORY; bytes before the failing page have been copied.
 */
MUST_CHECK enum err addr_space_read(struct addr_space *as, gpa_t gpa, void *to, uint64_t size);
MUST_CHECK enum err addr_space_write(struct addr_space *as, gpa_t gpa, const void *from, uint64_t size);

/*
 * Call `each` for each contiguous piece of guest memory in [gpa, gpa + size), faulting it in with `access` (NPT_R or
 * NPT_RW); stops early, with ERR_OK, when it returns false. The lock is not held during the call: the pointer is good only
 * while nobody changes the range or faults on it, as when the only vCPU of the space is stopped for its exit to be served.
 * Errors as addr_space_read.
 */
typedef bool (*addr_space_chunk)(void *bytes, uint64_t size, void *context);
MUST_CHECK enum err addr_space_iter_bytes(struct addr_space *as, gpa_t gpa, uint64_t size, unsigned access, addr_space_chunk each,
					  void *context);

/* Remove every area, and with it every mapping and owned frame. The space stays usable. */
void addr_space_clear(struct addr_space *as);

struct addr_space_stats addr_space_get_stats(struct addr_space *as);

/*
 * Print areas and runs of alike leaves, one line each, by log_info; at most 24 lines, the last of which says so if there
 * is more.
 */
void addr_space_dump(struct addr_space *as);

/* "handled", "spurious", ... as in the report. */
const char *fault_outcome_name(enum fault_outcome outcome);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Nested page tables: guest-physical to host-physical, in whatever format the CPU walks.
 *
 * Levels count from the leaf up on every ISA: level 0 entries map 4 KiB, level 1 2 MiB, level 2 1 GiB; each format's
 * file says what its manual calls them. The root is at level `levels - 1`.
 *
 *         gpa   | root index | ... | 9 bits | 9 bits | 12 bits |
 *                     |                 |        |
 *     root ──────► [entry] ─► table ─► [entry] ─► [leaf] ─► 4 KiB page
 *                                         └─ or a 2 MiB / 1 GiB leaf
 *
 * Locking: the caller serialises all calls on one `struct npt` that change it. The CPUs that walk the tables need no
 * lock: an entry changes by one atomic 64-bit store. npt_find and npt_query may run beside the hardware walker.
 *
 * Invariants: a table other than the root is never empty; table frames are freed only after the flush that removes
 * them from the CPUs' paging-structure caches.
 */
#ifndef NESTLING_NPT_H
#define NESTLING_NPT_H

#include "include/err.h"
#include "include/types.h"
#include "npt/gather.h"

#define NPT_MAX_LEVELS  5u
#define NPT_LEAF_LEVELS 3u /* 4 KiB, 2 MiB, 1 GiB */
#define NPT_INDEX_BITS  9u

/* Bytes mapped by one entry of `level`. */
static inline uint64_t npt_level_size(unsigned level)
{
	return PAGE_SIZE << (NPT_INDEX_BITS * level);
}

/* Permissions, a bit mask. */
enum npt_prot {
	NPT_R = 1,
	NPT_W = 2,
	NPT_X = 4,
	NPT_RW = NPT_R | NPT_W,
	NPT_RX = NPT_R | NPT_X,
	NPT_RWX = NPT_R | NPT_W | NPT_X,
};

/*
 * Memory types. Each format maps them to what its manual offers and refuses (ERR_UNSUPPORTED) what it cannot express.
 * Where the hardware lets the nested entry decide alone (EPT's "ignore PAT"), it does.
 */
enum npt_memtype {
	NPT_WB, /* write-back: RAM */
	NPT_WT, /* write-through */
	NPT_WP, /* write-protected */
	NPT_WC, /* write-combining, Arm Normal non-cacheable */
	NPT_UC, /* uncached, Arm Device-nGnRnE, RISC-V I/O */
};

/* The largest value of permissions, and of a memory type. */
#define NPT_ATTR_MAX 7

struct npt_attr {
	uint8_t prot;    /* enum npt_prot, never 0; without NPT_W when `shared` */
	uint8_t memtype; /* enum npt_memtype */
	/*
	 * The memory is used elsewhere, too (the zero page, copy-on-write), so the leaf must not be writable. A software bit that
	 * every operation keeps: npt_protect never gives such a leaf NPT_W.
	 */
	bool shared;
};

/* The accessed and dirty bits of a leaf, a bit mask. */
enum npt_ad {
	NPT_ACCESSED = 1,
	NPT_DIRTY = 2,
};

/* What one entry is. Total over all 64-bit patterns. */
enum npt_kind {
	NPT_EMPTY,     /* nothing: a walk ends in "not present" */
	NPT_TABLE,     /* points to the next table */
	NPT_LEAF,      /* maps memory */
	NPT_MALFORMED, /* a pattern the manual reserves; the engine never writes one */
	NPT_SHARED,    /* points to a table of pages that other spaces may have, too: npt/share.h */
};

/*
 * A quick test for entries of level 0: if (entry & mask) == value, the entry maps a page that hardware can use. Some entries that
 * map a page fail the test; npt_find recognises those too.
 */
struct npt_page_format {
	uint64_t mask, value;
	uint64_t address; /* the bits that hold the page's address; shifted left by `shift`, they are the address */
	unsigned shift;
	uint64_t scale;   /* 1 << shift; this and the next are filled in by npt_new */
	uint64_t fixed;   /* all bits but the address and those that hardware sets: equal in pages with the same attributes */
	uint64_t written; /* in a new page that may be written, the bits that differ once it is accessed and dirty */
};

/* A block is what one table of pages maps: 2 MiB. */
#define NPT_BLOCK_SHIFT     (PAGE_SHIFT + NPT_INDEX_BITS)
#define NPT_WALK_CACHE_SIZE 256u

/*
 * The walk cache: where recent walks ended, so that the next walk to the same block need not begin at the root. Direct-mapped by
 * block number. A cache entry is of one of two kinds:
 *
 *   a table of pages   valid until the table is unlinked
 *   a large leaf       that maps the whole block; valid as long as the leaf is what it was, which each look-up compares, and
 *                      until the table that holds it is unlinked
 *
 * A space has one, and one more for each further CPU that is to fill in entries of its own: npt_attach. Each is used by one CPU at
 * a time. See npt/walk_cache.h.
 */
struct npt_walk_cache {
	struct npt_walk_cache *next; /* of the same space */
	uint64_t leaves;             /* number of leaves of level 0 that were filled in by way of this cache */
	uint32_t page_shift;         /* npt_page_format.shift */
	bool has_leaves;             /* large leaves may be in the cache */
	uint64_t unlinked;           /* tables of the space that have been unlinked, or become shared, since it was attached */
	/*
	 * Fresh information of a table: for accesses n with bit n set in fresh_accesses, a page of the block that is not mapped
	 * yet gets fresh_entry plus its address. 0: there is no information. Of a large leaf, fresh_entry is what makes gpa hpa if
	 * it is added. The array of bytes is in front, near enough for a load on AArch64 and RISC-V.
	 */
	uint8_t fresh_accesses[NPT_WALK_CACHE_SIZE];
	uint64_t block[NPT_WALK_CACHE_SIZE]; /* gpa >> NPT_BLOCK_SHIFT; for a large leaf, the complement of that */
	/*
	 * The table's entry for gpa 0 if the table went on down to that, so that the number of a page is its index; or the large
	 * leaf's entry.
	 */
	uintptr_t slot[NPT_WALK_CACHE_SIZE];
	uint64_t fresh_entry[NPT_WALK_CACHE_SIZE];
	union {
		uint32_t *present; /* the table's present-entry count, as env->present returns it */
		uint64_t leaf;     /* the large leaf, as it was */
	} of[NPT_WALK_CACHE_SIZE];
};
#define NPT_FRESH_THERE     BIT(0)  /* in fresh_accesses: set with any information, for there is no access 0 */
#define NPT_WALK_CACHE_NONE BIT(63) /* no number of a block, nor the complement of one */

struct npt_sharing;

/*
 * What the engine needs from its owner, who embeds this structure and gets back to itself by CONTAINER_OF.
 */
struct npt_env {
	/* Allocate 4 KiB << order zeroed bytes, aligned to their size, for a table. Errors: ERR_NO_MEMORY. */
	enum err (*alloc_table)(struct npt_env *env, unsigned order, hpa_t *table);
	/* Free a table that alloc_table returned. No CPU can reach it any more. */
	void (*free_table)(struct npt_env *env, hpa_t table, unsigned order);
	/*
	 * The present-entry count of a table (entries that are not empty): kept by the env per table frame, 0 when allocated. A
	 * whole word, since several CPUs add to it, and RISC-V has atomic instructions for no less.
	 */
	uint32_t *(*present)(struct npt_env *env, hpa_t table);
	/*
	 * Flush the translations of [gpa, gpa + size) on every CPU, and cached pointers to the tables that translate it.
	 * NPT_FLUSH_ALL as the size means the whole address space. Returns when it is done.
	 */
	void (*flush)(struct npt_env *env, gpa_t gpa, uint64_t size);
	/* Adding this to a host-physical address gives the pointer to it. */
	uint64_t phys_to_virt;
	/* The walk cache of all operations that are given no other one: all zeros, npt_new attaches it. */
	struct npt_walk_cache *cache;
	/* Tables of pages that several spaces have: npt/share.h. NULL: none are shared. */
	const struct npt_sharing *sharing;
};

/* Geometry and features, fixed when the tables are made. */
struct npt_config {
	uint8_t levels;   /* 3..5, as the format allows */
	uint8_t gpa_bits; /* width of an input address; the root is as wide as this needs */
	uint8_t hpa_bits; /* width of an output address on this machine */
	uint8_t max_leaf; /* highest level a leaf may be at: 0..2 */
	/*
	 * Hardware sets the accessed and dirty bits, and leaves start with both clear. Otherwise software sets them: leaves start
	 * accessed, and dirty if they are writable; npt_test_and_clear makes the next access fault, and npt_touch then sets the
	 * bit.
	 */
	bool hardware_ad;
	/*
	 * Large leaves are never executable, whatever their permissions are: an instruction fetch faults, and succeeds after the
	 * leaf has been split into pages. Excludes exec_only, whose large leaves would have no permission left.
	 */
	bool page_exec;
	bool exec_only;     /* execute without read is allowed (EPT: IA32_VMX_EPT_VPID_CAP bit 0) */
	bool page_memtypes; /* entries can carry a memory type (RISC-V: Svpbmt is there); true on other ISAs */
};

struct npt_ops;

struct npt {
	const struct npt_ops *ops;
	struct npt_env *env;
	struct npt_config config;
	hpa_t root;                       /* 4 KiB << root_order bytes, aligned to its size */
	uint8_t root_order;               /* 0; more for a concatenated Arm root or a RISC-V x4 root */
	uint8_t root_shift;               /* from an address to the index of its entry in the root */
	uint64_t end;                     /* first address beyond the space */
	uint64_t host_end;                /* first host-physical address beyond hpa_bits */
	uint64_t table_bytes;             /* bytes in tables now that the space pays for, the root included */
	uint64_t leaves[NPT_LEAF_LEVELS]; /* number of leaves now, by level, without those that walk caches count: npt_leaves */
	uint64_t shared_tables;           /* number of NPT_SHARED entries now */
	struct npt_page_format page;
	/*
	 * How the last two kinds of leaves that became shared with a table change, and those that are like `value` in the bits of
	 * `mask`, by npt/share.c. `free`: also while hardware sets accessed and dirty bits, or there are none. `narrows`: it takes
	 * a permission that a CPU may have in its translations. `value` 0: none.
	 */
	struct npt_change {
		uint64_t value, mask, delta;
		bool free, narrows;
	} changes[2];
	uint64_t block_bits; /* the bits in which a 2 MiB leaf of write-back memory differs from a 4 KiB leaf */
	/* Fresh leaves of level 0 without their addresses, by `shared`, memory type and permissions; 0: npt_check refuses it. */
	uint64_t fresh[2][NPT_ATTR_MAX + 1][NPT_ATTR_MAX + 1];
	struct npt_walk_cache *cache; /* env->cache, the first of all walk caches */
};

/* A leaf, decoded. */
struct npt_leaf {
	gpa_t gpa; /* first byte */
	hpa_t hpa; /* first byte */
	unsigned level;
	struct npt_attr attr;
	bool accessed, dirty;
	/* Software cleared the accessed bit, and hardware reads the entry as not present until npt_touch restores it. */
	bool access_tracked;
};

/* Where a walk ended. Valid until the tables change. */
struct npt_cursor {
	uint64_t *slot; /* the entry */
	hpa_t table;    /* the table it is in */
	uint64_t pte;   /* the entry's value when it was read */
	unsigned level;
	unsigned shared; /* not 0: other spaces may have the table, too: npt_own_table, before any of it is changed */
};

/* Called for each leaf that lies in the range. Returning false ends the walk. */
typedef bool (*npt_visitor)(const struct npt_leaf *leaf, void *context);

/* Called for each leaf that npt_clone is about to share. */
typedef void (*npt_cloned)(hpa_t hpa, unsigned level, void *context);

/* A format, and what is compiled for it: see npt/walk.h. */
struct npt_format;
struct npt_ops {
	const struct npt_format *format;
	/* npt_find by way of `cache`; at the entry of level `floor` it ends even if that is a table. */
	enum npt_kind (*find)(const struct npt *npt, struct npt_walk_cache *cache, gpa_t gpa, unsigned floor,
			      struct npt_cursor *cursor);
	/* npt_translate_by_walk. */
	enum err (*translate)(const struct npt *npt, struct npt_walk_cache *cache, gpa_t gpa, hpa_t *hpa);
	/* What the leaf `pte` of `level` around `gpa` maps. */
	void (*decode)(uint64_t pte, uint64_t gpa, unsigned level, struct npt_leaf *leaf);
	/* The same where only pages execute: npt_config.page_exec. NULL: no CPU with this format wants that. */
	const struct npt_ops *page_exec;
};

extern const struct npt_ops npt_ept;           /* Intel EPT */
extern const struct npt_ops npt_ept_page_exec; /* the same for npt_config.page_exec */
extern const struct npt_ops npt_amd;           /* AMD nested paging */
extern const struct npt_ops npt_stage2;        /* AArch64 stage 2, 4 KiB granule */
extern const struct npt_ops npt_stage2_fwb;    /* the same with FEAT_S2FWB: memory types that no guest can weaken */
extern const struct npt_ops npt_riscv_x4;      /* RISC-V Sv39x4, Sv48x4, Sv57x4 */
extern const struct npt_ops npt_riscv_host;    /* RISC-V Sv39, Sv48, Sv57 of the hypervisor itself */
extern const struct npt_ops npt_x86_host;      /* x86-64 long-mode paging of the hypervisor itself */
extern const struct npt_ops npt_el2_host;      /* AArch64 EL2 stage 1 of the hypervisor itself, 4 KiB granule */
extern const struct npt_ops npt_el20_host;     /* the same of EL2&0, which EL2 has with HCR_EL2.E2H */

/* The name a report gives the format: "ept", "npt", "stage2", "sv39x4", ... */
const char *npt_name(const struct npt *npt);

/*
 * Make an empty address space. Errors: ERR_INVALID for a geometry the format does not have, ERR_NO_MEMORY.
 * `ops` and `env` must outlive the tables; `config` is copied.
 */
MUST_CHECK enum err npt_new(struct npt *npt, const struct npt_ops *ops, const struct npt_config *config, struct npt_env *env);

/* Flush everything, then free every table. The memory that leaves map is not touched. */
void npt_free(struct npt *npt);

/* Add a walk cache, all zeros, for one more CPU; or remove it. No other CPU may use the space meanwhile. */
void npt_attach(struct npt *npt, struct npt_walk_cache *cache);
void npt_detach(struct npt *npt, struct npt_walk_cache *cache);

/* The number of leaves of `level` now. */
uint64_t npt_leaves(const struct npt *npt, unsigned level);

/*
 * Map [gpa, gpa + size) to [hpa, hpa + size) with the largest leaves that alignment and config.max_leaf allow.
 * All multiples of 4 KiB, size not 0. All or nothing.
 * Errors: ERR_INVALID (alignment, size, prot 0), ERR_RANGE (beyond gpa_bits or hpa_bits), ERR_UNSUPPORTED (attr),
 * ERR_EXISTS (some page in the range is mapped), ERR_NO_MEMORY.
 * No flush is needed: a CPU that has cached "not present" takes a spurious fault.
 */
MUST_CHECK enum err npt_map(struct npt *npt, gpa_t gpa, hpa_t hpa, uint64_t size, struct npt_attr attr);

/*
 * Remove every leaf in [gpa, gpa + size), multiples of 4 KiB, size not 0; holes are skipped. A large leaf that lies partly in the
 * range is split first.
 * Errors: ERR_INVALID, ERR_RANGE, ERR_NO_MEMORY (for the split): nothing was changed; ERR_CORRUPT: a malformed entry was
 * met and left, all leaves were dealt with.
 * The old translations may be in use until npt_gather_finish.
 */
MUST_CHECK enum err npt_unmap(struct npt *npt, gpa_t gpa, uint64_t size, struct npt_gather *gather);

/* Where npt_unmap_block found the entry of the last block; all 0: nowhere. Of use until anything else changes the tables. */
struct npt_block_place {
	uint64_t *entries; /* of the table */
	uint32_t *present;
	uint64_t region;      /* what the table maps, by number */
	uint64_t value, mask; /* the last large leaf, and the bits that others have in common with it; 0: there was none */
	uint64_t address;     /* the bits that say where its memory is */
};
/*
 * The same for the aligned 2 MiB at `gpa`, in the space; gather->leaves_gone is set. Blocks near to each other are found faster,
 * by `place` (and faster still by npt_unmap_alike, npt/block.h). Errors: ERR_EXISTS, a larger leaf maps it, and nothing was
 * changed; ERR_CORRUPT.
 */
MUST_CHECK enum err npt_unmap_block(struct npt *npt, gpa_t gpa, struct npt_block_place *place, struct npt_gather *gather);

/*
 * Give every leaf in the range the permissions `prot` (without NPT_W where it is `shared`); holes are skipped, memory types
 * and accessed and dirty bits stay, but that without hardware_ad a leaf that gains NPT_W is dirty. Splits and errors as
 * npt_unmap, and ERR_UNSUPPORTED for a prot the format cannot express. Widening needs no flush (a spurious fault at
 * worst); narrowing is gathered.
 */
MUST_CHECK enum err npt_protect(struct npt *npt, gpa_t gpa, uint64_t size, unsigned prot, struct npt_gather *gather);

/*
 * Split the leaf that maps `gpa` until the leaf around `gpa` is at `level` or below. Only the part around `gpa` is split that far:
 * of a 1 GiB leaf split to level 0, the other 511 parts stay leaves of 2 MiB. Translations stay the same; all attributes are
 * inherited. Flushes by itself where the format needs break-before-make. Errors: ERR_NOT_FOUND (no leaf there), ERR_RANGE,
 * ERR_NO_MEMORY (all tables are taken before the first entry changes): nothing was changed.
 */
MUST_CHECK enum err npt_split(struct npt *npt, gpa_t gpa, unsigned level);

/*
 * Split so that no leaf, and no shared table, lies across either end of [gpa, gpa + size). What npt_unmap and npt_protect do first;
 * by itself it makes sure that npt_unmap cannot fail on any part of the range that ends where another area does. Errors:
 * ERR_INVALID, ERR_RANGE, ERR_NO_MEMORY: nothing was changed.
 */
MUST_CHECK enum err npt_split_at_boundaries(struct npt *npt, gpa_t gpa, uint64_t size);

/* Of the entry that npt_find found for `gpa`: where the first one from it on that is not empty begins, or where their table ends.
 */
uint64_t npt_empty_end(const struct npt *npt, const struct npt_cursor *cursor, gpa_t gpa);

/*
 * Walk to the entry that translates `gpa`, which must be inside the space. NPT_LEAF: npt_decode decodes it; NPT_EMPTY: npt_map_at
 * can fill it in without another walk. Inserts the table into the walk cache.
 */
static inline enum npt_kind npt_find(const struct npt *npt, gpa_t gpa, struct npt_cursor *cursor)
{
	return npt->ops->find(npt, npt->cache, gpa, 0, cursor);
}
/* The same by way of another walk cache than npt->cache. */
static inline enum npt_kind npt_find_by(const struct npt *npt, struct npt_walk_cache *cache, gpa_t gpa, struct npt_cursor *cursor)
{
	return npt->ops->find(npt, cache, gpa, 0, cursor);
}

/*
 * Map one leaf of `level` at `gpa` (aligned to it), going on from where npt_find ended with NPT_EMPTY.
 * The same errors as npt_map; all or nothing.
 */
MUST_CHECK enum err npt_map_at(struct npt *npt, const struct npt_cursor *cursor, gpa_t gpa, unsigned level, hpa_t hpa,
			       struct npt_attr attr);

/*
 * As npt_map_at for a 4 KiB or 2 MiB leaf of write-back memory at the level where the walk ended; `entry` is npt_page_entry of its
 * attributes. `hpa` is within hpa_bits; 2 MiB only if config.max_leaf permits it. Cannot fail.
 */
void npt_fill_at(struct npt *npt, const struct npt_cursor *cursor, hpa_t hpa, uint64_t entry);

/*
 * The same while other CPUs fill in entries, too, at an entry whose value was 0. False: nothing was changed, the entry is not empty
 * any more.
 */
bool npt_try_fill_at(struct npt *npt, const struct npt_cursor *cursor, hpa_t hpa, uint64_t entry);

/*
 * The same for a page where its table is missing: `table`, a frame of zeros that npt_env.alloc_table might have returned, is linked
 * to the entry of level 1 where the walk ended, with the page in it. The caller counts the leaf in cache->leaves. False: nothing
 * was changed but `table`.
 */
bool npt_try_extend(struct npt *npt, struct npt_walk_cache *cache, const struct npt_cursor *cursor, gpa_t gpa, hpa_t table,
		    hpa_t hpa, uint64_t entry);

/*
 * The two halves of npt_replace for a CPU that has not locked out those that fill in entries. npt_take_out makes the leaf `pte` at
 * `slot` one that hardware reads as not present (access-tracked), and that is not empty, so that nobody fills it in; then the
 * caller flushes it; then npt_put_in stores the new entry, of attributes and memory as for npt_fill_at. False: the leaf was not
 * `pte` any more, nothing was changed.
 */
bool npt_take_out(const struct npt *npt, uint64_t *slot, uint64_t pte);
void npt_put_in(const struct npt *npt, uint64_t *slot, unsigned level, hpa_t hpa, uint64_t entry);

/* Decode the leaf at which npt_find ended for `gpa`. */
void npt_decode(const struct npt *npt, const struct npt_cursor *cursor, gpa_t gpa, struct npt_leaf *leaf);

/*
 * Add the permissions `prot` (with NPT_W, `shared` is cleared) and the accessed and dirty bits `ad_bits` to the leaf at which
 * npt_find ended. An access-tracked leaf is restored, so that hardware can use it again. This only widens, so no flush is needed: a
 * CPU with an older translation takes a spurious fault. NPT_W without hardware_ad implies NPT_DIRTY.
 */
void npt_touch(struct npt *npt, const struct npt_cursor *cursor, unsigned prot, unsigned ad_bits);

/*
 * Let the leaf at which npt_find ended for `gpa` map `hpa` (aligned to its size) with `attr` and `ad_bits` instead. When it
 * returns no CPU uses the old translation: flushes by itself, before the new entry is there, so that two CPUs never use different
 * memory at the same time. `attr` and `hpa` are such as
 * npt_map accepts.
 */
void npt_replace(struct npt *npt, const struct npt_cursor *cursor, gpa_t gpa, hpa_t hpa, struct npt_attr attr, unsigned ad_bits);
/*
 * The same for `count` pages from `slot` on, the entry for `gpa`, all of which are leaves in one table, with one flush: they map
 * what lies side by side from `hpa` on. The first one becomes accessed and dirty, the others keep what they have of that.
 */
#define NPT_REPLACE_MAX 16u
void npt_replace_pages(struct npt *npt, gpa_t gpa, uint64_t *slot, unsigned count, hpa_t hpa, struct npt_attr attr);

/*
 * Replace the table that the entry of `level` around `gpa` points to, a table of leaves one level below, by one leaf that maps
 * `hpa` with `attr`. First the table is unlinked and flushed, so that nothing is mapped there and no CPU uses the old leaves. Then
 * `move` (may be NULL) is called for each old leaf that does not map its place in the new memory already, to copy its contents; its
 * return value is ignored. The new leaf has an accessed or dirty bit if any old leaf had it. The old leaves' memory stays the
 * caller's; the table is freed. Errors: ERR_NOT_FOUND (no such table, or it leads to further tables or anything malformed),
 * ERR_INVALID (alignment, level above config.max_leaf), ERR_UNSUPPORTED, ERR_RANGE: nothing was changed. Never takes memory.
 */
MUST_CHECK enum err npt_collapse(struct npt *npt, gpa_t gpa, unsigned level, hpa_t hpa, struct npt_attr attr, npt_visitor move,
				 void *context);

/*
 * If the table below the entry of `level` around `gpa` is full of leaves with the same attributes over contiguous, aligned
 * host memory, put one leaf in its place (npt_collapse onto the same memory). The check is cheap when the answer is no.
 * False: nothing was changed.
 */
bool npt_collapse_in_place(struct npt *npt, gpa_t gpa, unsigned level);

/*
 * Copy the leaves of `npt` in the range to `child`, a space of the same format and geometry with nothing mapped in the range. With
 * `share`, the leaves of both lose NPT_W and become `shared`. The child's leaves have the parent's accessed and dirty bits.
 * `cloned` is called for each leaf before the child can reach it. What was narrowed in `npt` is gathered. No leaf may cross an end
 * of the range (npt_split_at_boundaries). Each table is visited once. Errors: ERR_INVALID, ERR_RANGE, ERR_EXISTS, ERR_NO_MEMORY:
 * `child` has the leaves that `cloned` was called for, which the caller must unmap, and leaves of `npt` may be `shared` although no
 * other space has them; ERR_CORRUPT as npt_unmap.
 */
MUST_CHECK enum err npt_clone(struct npt *npt, struct npt *child, gpa_t gpa, uint64_t size, bool share, struct npt_gather *gather,
			      npt_cloned cloned, void *context);

/*
 * Test and clear `bit` in every leaf in the range. For each leaf that had it, set the bits in `bitmap` (NULL: not wanted) of its 4
 * KiB pages in the range; bit 0 is the page at `gpa`; no bit of the bitmap is cleared. A leaf that lies only partly in the range is
 * reported, and keeps the bit. No bit that hardware sets meanwhile is lost. The flush after which later accesses set the bit again
 * is gathered. Without hardware_ad, clearing NPT_ACCESSED makes an access-tracked entry, and clearing NPT_DIRTY clears NPT_W.
 * Errors: ERR_INVALID, ERR_RANGE, ERR_NO_MEMORY (npt_own_tables): nothing was changed; ERR_CORRUPT as npt_unmap.
 */
MUST_CHECK enum err npt_test_and_clear(struct npt *npt, gpa_t gpa, uint64_t size, enum npt_ad bit, uint64_t *bitmap,
				       struct npt_gather *gather);

/* The leaf that maps `gpa`. Errors: ERR_NOT_FOUND, ERR_RANGE, ERR_CORRUPT. */
MUST_CHECK enum err npt_query(const struct npt *npt, gpa_t gpa, struct npt_leaf *leaf);

/* The entry of a fresh leaf of level 0 with `attr`, without the address of its page; 0: there is none, npt_check returns why. */
static inline uint64_t npt_page_entry(const struct npt *npt, struct npt_attr attr)
{
	return (attr.prot | attr.memtype) <= NPT_ATTR_MAX ? npt->fresh[attr.shared][attr.memtype][attr.prot] : 0;
}

/* The host address of the byte at `gpa`, by a walk, which inserts where it ended into `cache`. Errors as npt_query. */
MUST_CHECK static inline enum err npt_translate_by_walk(const struct npt *npt, struct npt_walk_cache *cache, gpa_t gpa, hpa_t *hpa)
{
	return npt->ops->translate(npt, cache, gpa, hpa);
}

/* Visit the leaves in the range in ascending order. Errors: ERR_INVALID, ERR_RANGE, ERR_CORRUPT. */
MUST_CHECK enum err npt_walk(const struct npt *npt, gpa_t gpa, uint64_t size, npt_visitor visit, void *context);

/* Can the format express `attr`? Errors: ERR_INVALID (prot 0), ERR_UNSUPPORTED. */
MUST_CHECK enum err npt_check(const struct npt *npt, struct npt_attr attr);

#endif

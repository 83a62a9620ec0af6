/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Software page walkers, one per nested format, that behave as the manuals say the hardware does. They are what the
 * tests believe: nothing in them comes from npt/, neither code nor names nor constants.
 *
 * Levels count from the leaf up, 0 for 4 KiB, as in the tests that call them; each walker converts to its manual's.
 */
#ifndef NESTLING_TESTS_HOST_ORACLE_H
#define NESTLING_TESTS_HOST_ORACLE_H

#include <stdbool.h>
#include <stdint.h>

#define ORACLE_MAX_DEPTH 5

/* Accesses and permissions, a bit mask. */
enum { ORACLE_R = 1, ORACLE_W = 2, ORACLE_X = 4 };

enum oracle_type {
	ORACLE_WB,
	ORACLE_WT,
	ORACLE_WP,
	ORACLE_WC,
	ORACLE_UC,
	ORACLE_OTHER, /* legal, but none of the above */
};

/* What the CPU has been told, and what it can do. */
struct oracle_machine {
	uint64_t root;
	unsigned levels;
	unsigned gpa_bits, hpa_bits;
	unsigned max_leaf; /* the largest pages the CPU has */
	bool hardware_ad;  /* hardware keeps accessed and dirty */
	bool exec_only;    /* EPT only */
	bool svpbmt;       /* RISC-V only */
	bool fwb;          /* Arm stage 2: HCR_EL2.FWB */
	/* One's own map rather than a nested one. x86: with SMEP, SMAP and WP on; RISC-V: S-mode with SUM clear. */
	bool supervisor;
	uint64_t pat; /* x86: IA32_PAT of the host; EL2: MAIR_EL2 */

	/* Memory, eight bytes at a time; `set` ORs bits in, atomically. */
	uint64_t (*load)(void *memory, uint64_t hpa);
	void (*set)(void *memory, uint64_t hpa, uint64_t bits);
	void *memory;
};

enum oracle_kind {
	ORACLE_EMPTY, /* not present */
	ORACLE_TABLE,
	ORACLE_LEAF,
	ORACLE_MALFORMED, /* the hardware refuses it: misconfiguration, reserved bit, address size */
};

/* One entry by itself. */
struct oracle_entry {
	enum oracle_kind kind;
	uint64_t addr;
	unsigned prot; /* of a leaf, or what a table leaves of what is below it */
	enum oracle_type type;
	bool accessed, dirty;
	bool ipat;      /* EPT: the guest's PAT is ignored */
	unsigned share; /* Arm: the SH field */
	/* Software ought to have left some bit clear that this hardware ignores, or does not use as set. */
	bool odd;
};

enum oracle_status {
	ORACLE_OK,
	ORACLE_NOT_PRESENT,
	ORACLE_DENIED,  /* present, but the permissions do not allow the access */
	ORACLE_REFUSED, /* a malformed entry on the way */
};

/* A walk. Everything but status is meaningful when the walk reached a leaf. */
struct oracle_walk {
	enum oracle_status status;
	unsigned level; /* where the walk ended */
	uint64_t hpa;   /* of the very byte */
	unsigned prot;  /* of all entries together */
	struct oracle_entry leaf;
	bool odd; /* any entry on the way was */
	unsigned depth;
	uint64_t slots[ORACLE_MAX_DEPTH]; /* where the entries are, root first */
	uint64_t ptes[ORACLE_MAX_DEPTH];
};

struct oracle {
	const char *name;
	/* Index bits of the root table. */
	unsigned (*root_bits)(const struct oracle_machine *m);
	void (*decode)(const struct oracle_machine *m, uint64_t pte, unsigned level, struct oracle_entry *entry);
	/*
	 * Walk for `access` (a mask; 0 asks only what is there). With `update` accessed and dirty are set as the
	 * hardware would for an access that succeeds.
	 */
	void (*walk)(const struct oracle_machine *m, uint64_t gpa, unsigned access, bool update, struct oracle_walk *walk);
};

extern const struct oracle oracle_ept, oracle_amd, oracle_stage2, oracle_el2, oracle_el20, oracle_riscv;

#endif

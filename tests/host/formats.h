/* SPDX-License-Identifier: BSD-2-Clause */
/* The formats and geometries that the shared suite runs over, and what each can express. */
#ifndef NESTLING_TESTS_HOST_FORMATS_H
#define NESTLING_TESTS_HOST_FORMATS_H

#include "npt/npt.h"
#include "tests/host/host.h"
#include "tests/host/oracle.h"

struct format_case {
	const char *name;
	const struct npt_ops *ops;
	const struct oracle *oracle;
	const char *report_name; /* npt_name's answer */
	struct npt_config config;
	unsigned root_order;
	unsigned types; /* mask of 1 << enum npt_memtype */
	bool exec_only; /* X alone is expressible */
	bool break_before_make;
	bool supervisor;
	bool fwb;
	bool keeps_dirty;   /* a leaf remembers a write when the permission to write is taken */
	unsigned dirty_bit; /* what hardware sets for a write, besides accessed */
	unsigned accessed_bit;
	uint64_t valid;         /* the bits without which hardware reads an entry as "not present" */
	unsigned tracked_bit;   /* set in a leaf that is access-tracked, */
	unsigned tracked_shift; /* which keeps `valid` so much higher; 0: it is set in every leaf */
	unsigned shared_bit;
	uint64_t tables_at;     /* where the tables' memory is in the machine */
	uint64_t address;       /* the field of an entry that locates a table */
	unsigned address_shift; /* from an address to that field */
};

/* The leaf that an access-tracked one stands for; false when `pte` is no such entry. */
bool format_untracked(const struct format_case *format, uint64_t pte, uint64_t *shown);

extern const struct format_case formats[];
extern const size_t format_count;

/* The machine that this geometry describes, without memory. */
struct oracle_machine format_machine(const struct format_case *format);

static inline bool format_has_type(const struct format_case *format, unsigned type)
{
	return format->types >> type & 1;
}

/* Can the format express these permissions? Written down here again, on purpose. */
static inline bool format_has_prot(const struct format_case *format, unsigned prot)
{
	return prot == NPT_R || prot == NPT_RW || prot == NPT_RX || prot == NPT_RWX || (prot == NPT_X && format->exec_only);
}

struct format_test {
	const char *name;
	CMUnitTestFunction test;
};

/* Run each test once per format; the test's state is a struct fixture (tests/host/fixture.h). */
int format_suite(const char *name, const struct format_test *tests, size_t count);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* A walk with each of its steps, for people: the debugger and the post-mortem print it. */
#ifndef NESTLING_NPT_EXPLAIN_H
#define NESTLING_NPT_EXPLAIN_H

#include "npt/npt.h"

/* One step of a walk: the table and the entry in it. */
struct npt_step {
	unsigned level, index;
	hpa_t table;
	uint64_t pte;
	enum npt_kind kind;
	struct npt_leaf leaf; /* NPT_LEAF */
};

/* The walk of `gpa` step by step, the root's first. Returns how many there are: 0 for an address beyond the space. */
unsigned npt_explain(const struct npt *npt, gpa_t gpa, struct npt_step steps[NPT_MAX_LEVELS]);

#endif

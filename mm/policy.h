/* SPDX-License-Identifier: BSD-2-Clause */
/* The policies by which an Alloc area gets its frames, and their names. */
#ifndef NESTLING_MM_POLICY_H
#define NESTLING_MM_POLICY_H

#include "include/abi.h"
#include "include/err.h"
#include "include/types.h"

/*
 * With a lazy policy, a page that is only read maps the zero page, read-only; the first write gives it memory (zero-page break).
 * A policy for large leaves falls back to smaller ones when there is no contiguous memory.
 */
#define ALLOC_POLICY_ENUM(KIND, NAME, name) ALLOC_##KIND,
enum alloc_policy { ALLOC_POLICY_LIST(ALLOC_POLICY_ENUM) ALLOC_POLICIES };
#undef ALLOC_POLICY_ENUM

/* By enum alloc_policy: "4k", "populate", in options, reports and wherever else; tools/debugger reads it, too. */
extern const char *const alloc_policy_names[ALLOC_POLICIES];

/* All names, in a text: " 4k 64k ...". */
#define ALLOC_POLICY_WORD(KIND, NAME, name) " " name
#define ALLOC_POLICY_NAMES                  ALLOC_POLICY_LIST(ALLOC_POLICY_WORD)

/* Look up a policy by the name that options use. Errors: ERR_NOT_FOUND. */
MUST_CHECK enum err alloc_policy_parse(const char *name, enum alloc_policy *policy);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* The policies by which an Alloc area gets its frames, and what they are called. */
#ifndef NESTLING_MM_POLICY_H
#define NESTLING_MM_POLICY_H

#include "include/abi.h"
#include "include/err.h"
#include "include/types.h"

/*
 * A lazy area maps the shared zero page, read-only, where it is only read, and gives a page memory of its own at the first
 * write. No policy fails where a smaller leaf can be had.
 */
#define ALLOC_POLICY_ENUM(KIND, NAME, name) ALLOC_##KIND,
enum alloc_policy { ALLOC_POLICY_LIST(ALLOC_POLICY_ENUM) ALLOC_POLICIES };
#undef ALLOC_POLICY_ENUM

/* By enum alloc_policy: "4k", "populate", in options, reports and wherever else; tools/debugger reads it, too. */
extern const char *const alloc_policy_names[ALLOC_POLICIES];

/* All names, in a text: " 4k 64k ...". */
#define ALLOC_POLICY_WORD(KIND, NAME, name) " " name
#define ALLOC_POLICY_NAMES                  ALLOC_POLICY_LIST(ALLOC_POLICY_WORD)

/* A policy by its name on the command line; ERR_NOT_FOUND when there is none of that name. */
MUST_CHECK enum err alloc_policy_parse(const char *name, enum alloc_policy *policy);

#endif

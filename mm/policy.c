/* SPDX-License-Identifier: BSD-2-Clause */
/* The policies' names. */
#include "mm/policy.h"

#include <string.h>

#define ROW(KIND, NAME, name) [ALLOC_##KIND] = name,
const char *const alloc_policy_names[ALLOC_POLICIES] = { ALLOC_POLICY_LIST(ROW) };
#undef ROW

enum err alloc_policy_parse(const char *name, enum alloc_policy *policy)
{
	for (size_t i = 0; i < ALLOC_POLICIES; i++) {
		if (strcmp(name, alloc_policy_names[i]) == 0) {
			*policy = (enum alloc_policy)i;
			return ERR_OK;
		}
	}
	return ERR_NOT_FOUND;
}

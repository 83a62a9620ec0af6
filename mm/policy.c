/* SPDX-License-Identifier: BSD-2-Clause */
/* The policies' names. */
#include "mm/policy.h"

#include <string.h>

#define ROW(KIND, NAME, word, words) [ALLOC_##KIND] = { .name = word, .text = words },
const struct alloc_policy_name alloc_policies[ALLOC_POLICIES] = { ALLOC_POLICY_LIST(ROW) };
#undef ROW

enum err alloc_policy_parse(const char *name, enum alloc_policy *policy)
{
	for (size_t i = 0; i < ALLOC_POLICIES; i++) {
		if (strcmp(name, alloc_policies[i].name) == 0) {
			*policy = (enum alloc_policy)i;
			return ERR_OK;
		}
	}
	return ERR_NOT_FOUND;
}

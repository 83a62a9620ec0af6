/* SPDX-License-Identifier: BSD-2-Clause */
/* nestling.cfg. Input: the file. Refused with one line, or options that keep to their rules. */
#include "boot/config.h"

#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

/* Names as in vmm/vm.c, which needs a whole ISA to be linked. */
enum err alloc_policy_parse(const char *name, enum alloc_policy *policy)
{
	static const char *const names[ALLOC_POLICIES] = { "4k", "64k", "2m", "auto", "populate" };

	for (unsigned i = 0; i < ALLOC_POLICIES; i++) {
		if (strcmp(name, names[i]) == 0) {
			*policy = (enum alloc_policy)i;
			return ERR_OK;
		}
	}
	return ERR_NOT_FOUND;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_copy(data, size);
	struct vm_options options;
	char why[200];
	enum err err;

	config_defaults(&options);
	err = config_parse(&options, text, size, why, sizeof(why));
	free(text);
	if (err != ERR_OK) {
		fuzz_check_reason(why, sizeof(why));
		CHECK(strncmp(why, CONFIG_FILE ":", strlen(CONFIG_FILE ":")) == 0, "%s", why);
		return 0;
	}
	CHECK(options.ram > 0 && is_aligned(options.ram, PAGE_SIZE), "ram %#jx", (uintmax_t)options.ram);
	CHECK(options.policy < ALLOC_POLICIES, "policy %d", (int)options.policy);
	CHECK(memchr(options.demo, '\0', sizeof(options.demo)) && options.demo[0], "demo");
	CHECK(memchr(options.guest, '\0', sizeof(options.guest)), "guest");
	return 0;
}

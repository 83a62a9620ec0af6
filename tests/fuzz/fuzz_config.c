/* SPDX-License-Identifier: BSD-2-Clause */
/* nestling.cfg. Input: the file. Refused with one line, or options that keep to their rules. */
#include "boot/config.h"

#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

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

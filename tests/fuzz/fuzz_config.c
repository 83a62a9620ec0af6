/* SPDX-License-Identifier: BSD-2-Clause */
/* nestling.cfg. Input: the file. Refused with one line, or options that keep to their rules. */
#include "boot/config.h"

#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

static void check_vm(const struct vm_options *vm)
{
	CHECK(vm->ram > 0 && is_aligned(vm->ram, PAGE_SIZE), "ram %#jx", (uintmax_t)vm->ram);
	CHECK(vm->policy < ALLOC_POLICIES, "policy %d", (int)vm->policy);
	CHECK(vm->vcpus > 0 && vm->vcpus <= VCPU_MAX, "vcpus %u", vm->vcpus);
	CHECK(memchr(vm->name, '\0', sizeof(vm->name)) && vm->name[0], "name");
	CHECK(memchr(vm->after, '\0', sizeof(vm->after)), "after");
	CHECK(memchr(vm->demo, '\0', sizeof(vm->demo)) && vm->demo[0], "demo");
	CHECK(memchr(vm->guest, '\0', sizeof(vm->guest)), "guest");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_copy(data, size);
	unsigned room = config_room(text, size);
	struct machine_vm *vms = calloc(room, sizeof(*vms));
	struct config config;
	char why[400];
	enum err err;

	CHECK(vms, "no memory");
	config_defaults(&config, vms);
	err = config_parse(&config, text, size, why, sizeof(why));
	free(text);
	if (err != ERR_OK) {
		fuzz_check_reason(why, sizeof(why));
		CHECK(strncmp(why, CONFIG_FILE ":", strlen(CONFIG_FILE ":")) == 0, "%s", why);
	} else {
		CHECK(config.machine.count > 0 && config.machine.count <= room, "%u VMs", config.machine.count);
		CHECK(config.machine.slice >= 1000 && config.machine.slice <= 1000000, "slice %ju",
		      (uintmax_t)config.machine.slice);
		for (unsigned i = 0; i < config.machine.count; i++)
			check_vm(&vms[i].options);
	}
	free(vms);
	return 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* The firmware's own account of its CPUs. */
#include "boot/mp_services.h"

#include <efi.h>
#include <efilib.h>
#include <string.h>

#include "tests/host/host.h"

enum { BOOT = 1, ENABLED = 2, HEALTHY = 4 };

/* EFI_PROCESSOR_INFORMATION, without what later versions add. */
struct information {
	UINT64 id;
	UINT32 status, location[3];
};

struct services {
	EFI_STATUS(EFIAPI *get_count)(struct services *this, UINTN *count, UINTN *enabled);
	EFI_STATUS(EFIAPI *get_information)(struct services *this, UINTN number, struct information *information);
};

static const struct information *cpus_there;
static UINTN said, there;
static bool has_protocol;

static EFI_STATUS EFIAPI get_count(struct services *this, UINTN *count, UINTN *enabled)
{
	(void)this;
	*count = said;
	*enabled = 0;
	return said == 0 ? EFI_DEVICE_ERROR : EFI_SUCCESS;
}

static EFI_STATUS EFIAPI get_information(struct services *this, UINTN number, struct information *information)
{
	(void)this;
	if (number >= there)
		return EFI_NOT_FOUND;
	*information = cpus_there[number];
	return EFI_SUCCESS;
}

EFI_STATUS LibLocateProtocol(EFI_GUID *guid, VOID **interface)
{
	static const EFI_GUID known = { 0x3fdda605, 0xa76e, 0x4f46, { 0xad, 0x29, 0x12, 0xf4, 0x53, 0x1b, 0x3d, 0x08 } };
	static struct services services = { get_count, get_information };

	if (!has_protocol || memcmp(guid, &known, sizeof(known)) != 0)
		return EFI_NOT_FOUND;
	*interface = &services;
	return EFI_SUCCESS;
}

/* What is found beside the CPU that asks, whose id is 2. */
static bool check(UINTN count, const uint64_t *ids, unsigned found)
{
	uint64_t kept[8];
	struct cpu_ids list = { kept, ARRAY_LEN(kept), 0 };
	bool is_said;

	said = count;
	cpu_ids_add(&list, 2);
	is_said = mp_services_find(&list);
	CHECK_EQ(list.count, found);
	for (unsigned i = 0; i < found; i++)
		CHECK(kept[i] == ids[i], "CPU %u: %#jx", i, (uintmax_t)kept[i]);
	return is_said;
}

static void cpus_are_those_that_can_be_used(void **state)
{
	static const struct information cpus[] = {
		{ 0, ENABLED | HEALTHY, { 0 } },        { 1, HEALTHY, { 0 } },
		{ 2, BOOT | ENABLED | HEALTHY, { 0 } }, { 3, ENABLED, { 0 } },
		{ 0x12345, ENABLED | HEALTHY, { 0 } },
	};

	(void)state;
	has_protocol = true;
	cpus_there = cpus;
	there = ARRAY_LEN(cpus);
	assert_true(check(there, (const uint64_t[]){ 2, 0, 0x12345 }, 3));
	/* It claims to have more than it has. */
	assert_true(check(UINT64_MAX, (const uint64_t[]){ 2, 0, 0x12345 }, 3));
}

static void a_firmware_may_say_nothing(void **state)
{
	(void)state;
	has_protocol = false;
	assert_false(check(1, (const uint64_t[]){ 2 }, 1));
	has_protocol = true;
	assert_false(check(0, (const uint64_t[]){ 2 }, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cpus_are_those_that_can_be_used),
		cmocka_unit_test(a_firmware_may_say_nothing),
	};

	return cmocka_run_group_tests_name("mp_services", tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* The id of a VM's generation: where it is written, when not, and how a fork's kernel is told. */
#include "vmm/generation.h"

#include <string.h>

#include "drivers/random.h"
#include "tests/host/host_vm.h"

static struct ram ram;
static struct vm *vm;
static uint8_t next;
static unsigned rises, falls;

void random_bytes(void *bytes, size_t size)
{
	memset(bytes, next++, size);
}

static void set_line(struct device_table *devices, unsigned line, bool level)
{
	assert_ptr_equal(devices, &vm->devices);
	CHECK_EQ(line, GUEST_GENERATION_LINE);
	rises += level;
	falls += !level;
	CHECK_EQ(rises, falls + level);
}

static int setup(void **state)
{
	(void)state;
	vm = host_vm_new(&ram, 0, MIB(2));
	spin_init(&vm->devices.lock, LOCK_DEVICES);
	vm->devices.set_line = set_line;
	next = 1;
	rises = falls = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	host_vm_free(&ram, vm);
	return 0;
}

static uint8_t id_is(void)
{
	uint8_t page[PAGE_SIZE];

	CHECK_ERR(addr_space_read(&vm->as, GPA(GUEST_GENERATION_PAGE), page, sizeof(page)), ERR_OK);
	for (unsigned i = 0; i < sizeof(page); i++)
		assert_int_equal(page[i], i < GENERATION_SIZE ? page[0] : 0);
	return page[0];
}

static void each_has_an_id_of_its_own(void **state)
{
	(void)state;
	generation_expect(vm);
	CHECK_ERR(generation_renew(vm), ERR_OK);
	CHECK_EQ(id_is(), 1);
	CHECK_ERR(generation_renew(vm), ERR_OK);
	CHECK_EQ(id_is(), 2);
	generation_tell(vm);
	CHECK_EQ(rises, 1);
	CHECK_EQ(falls, 1);
}

/* All of the RAM of a program that is no kernel is its own. */
static void who_knows_of_none_has_none(void **state)
{
	(void)state;
	assert_false(generation_is_there(vm));
	CHECK_ERR(generation_renew(vm), ERR_OK);
	generation_tell(vm);
	CHECK_EQ(rises, 0);
	CHECK_EQ(addr_space_get_stats(&vm->as).resident, 0);
}

/* One that has forbidden itself to write there is forked all the same; without memory there is no fork. */
static void a_page_that_is_not_written(void **state)
{
	static struct addr_space_limit limit; /* until the space is freed */

	(void)state;
	generation_expect(vm);
	CHECK_ERR(generation_renew(vm), ERR_OK);
	CHECK_ERR(addr_space_protect(&vm->as, GPA(GUEST_GENERATION_PAGE), PAGE_SIZE, NPT_R), ERR_OK);
	CHECK_ERR(generation_renew(vm), ERR_OK);
	CHECK_EQ(id_is(), 1);
	CHECK_ERR(addr_space_protect(&vm->as, GPA(GUEST_GENERATION_PAGE), PAGE_SIZE, NPT_RWX), ERR_OK);
	CHECK_ERR(addr_space_discard(&vm->as, GPA(GUEST_GENERATION_PAGE), PAGE_SIZE), ERR_OK);
	limit.max = addr_space_get_stats(&vm->as).memory_used;
	CHECK_ERR(addr_space_set_limit(&vm->as, &limit), ERR_OK);
	CHECK_ERR(generation_renew(vm), ERR_NO_MEMORY);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_has_an_id_of_its_own),
		TEST(who_knows_of_none_has_none),
		TEST(a_page_that_is_not_written),
	};

	return cmocka_run_group_tests_name("generation", tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* The checker of the order of locks, which is in all host tests: it lets pass what docs/locks.md permits, and nothing else. */
#include "include/lock.h"

#include <string.h>

#include "mm/space.h"
#include "tests/host/formats.h"
#include "tests/host/lock_order.h"
#include "tests/host/ram.h"

#define RAM_AT   0x400000000
#define RAM_SIZE MIB(8)

static struct spinlock ranked(enum lock_rank rank)
{
	return (struct spinlock)SPINLOCK(rank);
}

/* Taking `second` with `first` held dies, and the line names both. */
static void expect_death(struct spinlock *first, const char *first_name, struct spinlock *second, const char *second_name)
{
	spin_lock(first);
	EXPECT_PANIC(spin_lock(second));
	CHECK(strncmp(host_panic_line, "lock order: ", 12) == 0 && strstr(host_panic_line, first_name) &&
		      strstr(host_panic_line, second_name),
	      "\"%s\"", host_panic_line);
	CHECK(second == first || second->held == 0, "it was taken");
	first->held = 0;
}

static void outer_before_inner(void **state)
{
	(void)state;
	for (unsigned outer = LOCK_NO_RANK + 1; outer < LOCK_RANKS; outer++)
		for (unsigned inner = outer + 1; inner < LOCK_RANKS; inner++) {
			struct spinlock a = ranked(outer), b = ranked(inner);

			spin_lock(&a);
			spin_lock(&b);
			spin_unlock(&a); /* in any order */
			spin_unlock(&b);
			expect_death(&b, "", &a, "");
		}
}

static void both_are_named(void **state)
{
	struct spinlock frames = ranked(LOCK_FRAMES), view = ranked(LOCK_VIEW), vm = ranked(LOCK_VM), other_vm = ranked(LOCK_VM);

	(void)state;
	expect_death(&frames, "of the frames", &view, "of a view");
	expect_death(&vm, "of a VM (0) is held", &other_vm, "of a VM (0) is wanted"); /* none of one rank comes first */
	expect_death(&vm, "of a VM (0) is held", &vm, "of a VM (0) is wanted");       /* he would wait for himself */
}

/* As timed_take does; and what is taken afterwards comes after both. */
static void a_try_is_no_wait(void **state)
{
	struct spinlock queue = ranked(LOCK_QUEUE), vm = ranked(LOCK_VM), view = ranked(LOCK_VIEW), frames = ranked(LOCK_FRAMES);

	(void)state;
	spin_lock(&queue);
	assert_true(spin_trylock(&vm));
	assert_false(spin_trylock(&vm));
	spin_lock(&frames);
	spin_unlock(&frames);
	spin_unlock(&queue);
	spin_lock(&view);
	spin_unlock(&view);
	spin_unlock(&vm);
	assert_true(spin_trylock(&frames));
	EXPECT_PANIC(spin_lock(&vm));
}

static void what_is_not_held_is_not_let_go(void **state)
{
	struct spinlock lock = ranked(LOCK_VM), none = { .held = 0 };

	(void)state;
	EXPECT_PANIC(spin_unlock(&lock));
	EXPECT_PANIC(spin_lock(&none));
	CHECK(strstr(host_panic_line, "without a rank"), "\"%s\"", host_panic_line);
}

/* In the order of the list, also when one has gone and another one has come; not the other way round. */
static void views_by_their_list(void **state)
{
	static struct addr_space as;
	static struct addr_space_view views[3];
	struct ram ram;
	const struct format_case *format = &formats[0];

	(void)state;
	ram_open(&ram, RAM_AT, RAM_SIZE, true);
	CHECK_ERR(addr_space_new(&as, format->ops, &format->config, NULL), ERR_OK);
	for (unsigned i = 0; i < ARRAY_LEN(views); i++)
		CHECK_ERR(addr_space_add_view(&as, &views[i]), ERR_OK);
	addr_space_remove_view(&views[1]);
	CHECK_ERR(addr_space_add_view(&as, &views[1]), ERR_OK);
	space_lock(&as);
	space_unlock(&as);
	expect_death(&views[0].lock, "(1) is held", &as.view.lock, "(0) is wanted");
	expect_death(&views[1].lock, "of a view", &views[2].lock, "of a view"); /* that was added last now */
	for (unsigned i = 0; i < ARRAY_LEN(views); i++)
		addr_space_remove_view(&views[i]);
	addr_space_free(&as);
	ram_close(&ram);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(outer_before_inner),  cmocka_unit_test(both_are_named),
		cmocka_unit_test(a_try_is_no_wait),    cmocka_unit_test(what_is_not_held_is_not_let_go),
		cmocka_unit_test(views_by_their_list),
	};

	return cmocka_run_group_tests_name("lock_order", tests, NULL, NULL);
}

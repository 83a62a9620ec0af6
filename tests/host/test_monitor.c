/* SPDX-License-Identifier: BSD-2-Clause */
/* The monitor: what is typed behind Ctrl-] is for it, all else for a VM. */
#include "vmm/monitor.h"

#include <stdio.h>
#include <string.h>

#include "drivers/serial.h"
#include "include/arch/cpu.h"
#include "tests/host/host.h"
#include "vmm/fork.h"
#include "vmm/keyboard.h"
#include "vmm/picture.h"
#include "vmm/sched.h"
#include "vmm/shootdown.h"
#include "vmm/stop.h"
#include "vmm/vms.h"

static struct {
	const char *text;
	size_t size, read;
} typed;

static char written[8192];
static char heard[3][64]; /* by VM, what it got */
static struct vm vms[3];
static void (*errand)(void);
static unsigned pauses_refused, kicks, forks;
static uint64_t now;

/* --- What it stands on ------------------------------------------------------------------------------------------------- */

bool serial_takes_input(void)
{
	return true;
}

bool serial_read(uint8_t *byte)
{
	if (typed.read == typed.size)
		return false;
	*byte = (uint8_t)typed.text[typed.read++];
	return true;
}

uint64_t arch_clock_frequency(void)
{
	return 1000000;
}

bool device_type(struct device_table *table, uint8_t byte)
{
	char *text = heard[CONTAINER_OF(table, struct vm, devices) - vms];
	size_t length = strlen(text);

	if (length == sizeof(heard[0]) - 1)
		return false;
	text[length] = (char)byte;
	return true;
}

bool device_listens(struct device_table *table)
{
	(void)table;
	return false;
}

void sched_call(void (*what)(void))
{
	assert_null(errand);
	errand = what;
}

uint64_t sched_vm_time(const struct vm *vm)
{
	return 1234567 + vm->number;
}

bool sched_pause(struct vm *vm)
{
	if (pauses_refused > 0) {
		pauses_refused--;
		return false;
	}
	vm->stopper = VM_PAUSER;
	return true;
}

void sched_go_on(struct vm *vm)
{
	if (vm_is_paused(vm))
		vm->stopper = NULL;
}

/* It is done when somebody has looked a few times. */
static void fork_later(struct vcpu *vcpu)
{
	(void)vcpu;
}

bool fork_ask(struct vm *vm, unsigned count)
{
	if (pauses_refused > 0) {
		pauses_refused--;
		return false;
	}
	CHECK_EQ(count, 1);
	vm->errand = fork_later;
	forks++;
	return true;
}

void sched_end(struct vm *vm, enum vm_outcome outcome)
{
	vm_end(vm, outcome, 0);
}

void shootdown_kick(struct vm *vm)
{
	(void)vm;
	kicks++;
}

struct addr_space_stats addr_space_get_stats(struct addr_space *as)
{
	(void)as;
	return (struct addr_space_stats){ .memory_used = KIB(12) };
}

static unsigned asked;

void balloon_ask(struct balloon *balloon)
{
	(void)balloon;
	asked++;
}

void map_print(struct vm *vm)
{
	log_info("map of %s", vm->options.name);
}

/* --- What is checked ---------------------------------------------------------------------------------------------------- */

static void keep(const char *bytes, size_t size)
{
	size_t used = strlen(written);

	assert_true(used + size < sizeof(written));
	memcpy(written + used, bytes, size);
	written[used + size] = '\0';
}

/* As long as there is anything to do; a bounded number of rounds, as quit goes on until nothing runs. */
static void let_it_work(void)
{
	for (unsigned i = 0; i < 50; i++) {
		void (*what)(void) = errand;

		now += KEYBOARD_INTERVAL;
		errand = NULL;
		if (what)
			what();
		keyboard_poll(now);
	}
}

static void type_bytes(const char *text, size_t size)
{
	written[0] = '\0';
	host_log_clear();
	typed.text = text;
	typed.size = size;
	typed.read = 0;
	let_it_work();
	CHECK_EQ(typed.read, size);
}

static void type(const char *text)
{
	type_bytes(text, strlen(text));
}

/* By the monitor's line, or as a line of the log. */
static void is_written(const char *text)
{
	bool found = strstr(written, text) != NULL;

	for (unsigned i = 0; i < host_log_lines(); i++)
		found = found || strstr(host_log_line(i), text);
	CHECK(found, "\"%s\" is not in \"%s\" nor in the log", text, written);
}

static int setup(void **state)
{
	static const char *const names[] = { "web", "db", "web.1" };

	(void)state;
	memset(vms, 0, sizeof(vms));
	memset(heard, 0, sizeof(heard));
	errand = NULL;
	kicks = pauses_refused = forks = 0;
	console_set_sink(keep);
	for (unsigned i = 0; i < ARRAY_LEN(vms); i++) {
		vms[i].number = i;
		vms[i].active = i;
		vms[i].options.ram = MIB(64);
		strcpy(vms[i].options.name, names[i == 1]);
		strcpy(vms[i].console.name, names[i]);
		vms_add(&vms[i]);
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	type("\r");
	errand = NULL;
	for (unsigned i = 0; i < ARRAY_LEN(vms); i++)
		vms_remove(&vms[i]);
	return 0;
}

static void what_is_typed_before_and_behind_is_the_vms(void **state)
{
	(void)state;
	type("ab\x1dlist\r\rcd");
	assert_string_equal(heard[0], "abcd");
	is_written("monitor: > list\n");
	is_written("monitor:   0 web          waits  12 KiB of 64 MiB, 1.234 s, has the keyboard");
	is_written("monitor:   1 db           runs   12 KiB of 64 MiB, 1.234 s");
	is_written("monitor:   2 web.1        runs   ");
	is_written("monitor: > (closed)\n");
}

static void what_the_guest_says_is_free_is_listed(void **state)
{
	(void)state;
	asked = 0;
	vms[1].balloon.told = true;
	vms[1].balloon.statistic[BALLOON_FREE] = MIB(19);
	type("\x1dlist\r\r");
	is_written("monitor:   1 db           runs   12 KiB of 64 MiB, 19 MiB free there, 1.234 s");
	is_written("monitor:   2 web.1        runs   12 KiB of 64 MiB, 1.234 s");
	CHECK_EQ(asked, 3);
	vms[1].balloon.told = false;
}

static void twice_types_one(void **state)
{
	(void)state;
	type("a\x1d\x1d"
	     "b\x1dhelp\n\x1d\n\x1d\x1d");
	assert_string_equal(heard[0], "a\x1d"
				      "b\x1d");
}

static void lines_can_be_mended(void **state)
{
	(void)state;
	type("\x1dmap dx\x7f"
	     "b\r");
	is_written("map of db");
	type("nonsense\x15map 0\r\n");
	is_written("map of web");
	/* More than there is room for is cut, not taken for more lines. */
	type("map 01234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890\r");
	is_written("there is no VM");
	type("\x1b[A\x01\xff"
	     "map\r");
	is_written("monitor: \"[Amap\" is no command: help lists them");
}

static void commands_have_beginnings(void **state)
{
	(void)state;
	type("\x1dp db\r");
	assert_true(vm_is_paused(&vms[1]));
	type("li\r");
	is_written(" db           paused ");
	type("go db\r");
	assert_false(vm_is_paused(&vms[1]));
	type("g db\r");
	is_written("is not paused");
	pauses_refused = 3;
	type("pause 1\r");
	assert_true(vm_is_paused(&vms[1]));
	type("frob\r");
	is_written("monitor: \"frob\" is no command: help lists them");
	type("pause db now\r");
	is_written("monitor: pause: there is too much behind it");
	type("list db\r");
	is_written("monitor: list: there is too much behind it");
	type("pause nobody\r");
	is_written("monitor: there is no VM \"nobody\": list shows them");
	CHECK_EQ(vms[0].outcome, VM_RUNNING);
	type("e 2\r");
	CHECK_EQ(vms[2].outcome, VM_EXITED);
	CHECK_EQ(kicks, 1);
	assert_string_equal(heard[0], "");
}

/* Numbers come first: so each VM can be named, whatever the names are. */
static void numbers_are_names(void **state)
{
	(void)state;
	strcpy(vms[0].console.name, "1");
	strcpy(vms[1].console.name, "0");
	strcpy(vms[2].console.name, "77");
	type("\x1dp 1\r");
	assert_true(!vm_is_paused(&vms[0]) && vm_is_paused(&vms[1]));
	type("p 0\r");
	assert_true(vm_is_paused(&vms[0]));
	type("p 77\r");
	assert_true(vm_is_paused(&vms[2]));
	type("p 4294967296\r");
	is_written("there is no VM \"4294967296\"");
}

/* What is ordered of one whose guest has asked for a reboot is done when it is back. */
static void a_vm_reboots(void **state)
{
	(void)state;
	vms[1].outcome = VM_RESET;
	type("\x1dpause db\r");
	assert_non_null(errand);
	assert_false(vm_is_paused(&vms[1]));
	vms_remove(&vms[1]);
	let_it_work();
	assert_non_null(errand);
	vms[1].outcome = VM_RUNNING;
	let_it_work();
	assert_false(vm_is_paused(&vms[1]));
	vms_add(&vms[1]);
	let_it_work();
	assert_true(vm_is_paused(&vms[1]));
	vms[1].outcome = VM_RESET;
	type("list\r");
	is_written("monitor:   1 db           reboots");
	is_written("monitor:   2 web.1        runs");
	vms[1].outcome = VM_RUNNING;
}

/* The first test: VMs are still being loaded when this is typed. */
static void orders_wait_for_all_vms(void **state)
{
	(void)state;
	type("\x1dpause db\r");
	assert_non_null(errand);
	assert_false(vm_is_paused(&vms[1]));
	vms_complete();
	let_it_work();
	assert_true(vm_is_paused(&vms[1]));
}

/* What was typed for one is never read by another that somebody chose. */
static void the_keyboard_moves(void **state)
{
	(void)state;
	memset(heard[0], 'x', sizeof(heard[0]) - 1); /* it does not read */
	type("secret\x1dswitch db\rhello");
	is_written("keyboard: 6 bytes that had been typed for another VM are dropped");
	is_written("monitor: the keyboard is db's");
	assert_string_equal(heard[1], "hello");
}

/* The next order is not looked at before it is done. */
static void a_vm_is_forked(void **state)
{
	(void)state;
	pauses_refused = 3;
	type("\x1d"
	     "fork db\r");
	CHECK_EQ(forks, 1);
	let_it_work();
	assert_non_null(errand);
	vms[1].errand = NULL;
	let_it_work();
	assert_null(errand);
	pauses_refused = 5000;
	for (unsigned i = 0; i < 40; i++)
		let_it_work();
	type("f db\r");
	for (unsigned i = 0; i < 40; i++)
		let_it_work();
	is_written("monitor: it does not stop");
	/* It ends meanwhile. */
	pauses_refused = 0;
	type("f 2\r");
	CHECK_EQ(forks, 2);
	vms_remove(&vms[2]);
	let_it_work();
	assert_null(errand);
	vms_add(&vms[2]);
	type("f nobody\r");
	is_written("monitor: there is no VM \"nobody\": list shows them");
}

static void quit_ends_all(void **state)
{
	(void)state;
	vms[1].stopper = VM_PAUSER;
	type("\x1dquit\r");
	for (unsigned i = 0; i < ARRAY_LEN(vms); i++)
		CHECK_EQ(vms[i].outcome, VM_EXITED);
	assert_false(vm_is_paused(&vms[1]));
	/* One that comes only now ends, too. */
	vms[1].outcome = VM_RUNNING;
	let_it_work();
	CHECK_EQ(vms[1].outcome, VM_EXITED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(orders_wait_for_all_vms),
		TEST(what_is_typed_before_and_behind_is_the_vms),
		TEST(what_the_guest_says_is_free_is_listed),
		TEST(twice_types_one),
		TEST(lines_can_be_mended),
		TEST(commands_have_beginnings),
		TEST(numbers_are_names),
		TEST(a_vm_reboots),
		TEST(the_keyboard_moves),
		TEST(a_vm_is_forked),
		/* It never closes again. */
		cmocka_unit_test_setup(quit_ends_all, setup),
	};

	monitor_start();
	return cmocka_run_group_tests_name("monitor", tests, NULL, NULL);
}

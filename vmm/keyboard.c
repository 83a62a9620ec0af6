/* SPDX-License-Identifier: BSD-2-Clause */
/* From the machine's console to the VM that has the keyboard. */
#include "vmm/keyboard.h"

#include "drivers/serial.h"
#include "include/arch/cpu.h"
#include "include/lock.h"
#include "include/log.h"
#include "vmm/vms.h"

/* Bytes that are read at a time: a port that never runs out of them must not hold a CPU. */
#define READ_MOST 64

uint64_t keyboard_due = NEVER;

static struct spinlock lock = SPINLOCK(LOCK_KEYBOARD); /* of the port's input, and of what follows */
static struct {
	uint8_t byte[KEYBOARD_ROOM];
	unsigned first, count;
} kept;

static struct {
	uint8_t byte;
	bool waits; /* KEYBOARD_LATER */
} late;

/* Constant from before the first look on. */
static keyboard_filter filter;
static uint64_t interval; /* KEYBOARD_INTERVAL, of arch_clock */

/* Of the VM that has the keyboard: what its console had of a line, for how many looks; the last VM that has read what was typed. */
static struct {
	const struct vm *reader;
	unsigned had, looks;
} quiet;

#define QUIET_LOOKS 10

static uint32_t watched; /* atomic: a CPU sleeps until keyboard_due at most */

void keyboard_open(keyboard_filter the_filter)
{
	filter = the_filter;
	interval = KEYBOARD_INTERVAL * arch_clock_frequency() / 1000000;
	if (serial_takes_input())
		__atomic_store_n(&keyboard_due, 0, __ATOMIC_RELEASE);
}

/* The next byte: the one that had to wait, or one from the port. */
static bool next_byte(uint8_t *byte)
{
	*byte = late.byte;
	return late.waits || serial_read(byte);
}

/* True: it is done with. */
static bool file(uint8_t byte)
{
	enum keyboard_filtered filtered = filter(byte);

	if (filtered == KEYBOARD_PASSED)
		kept.byte[(kept.first + kept.count++) % KEYBOARD_ROOM] = byte;
	late.waits = filtered == KEYBOARD_LATER;
	late.byte = byte;
	return !late.waits;
}

static void read_port(void)
{
	uint8_t byte;

	for (unsigned i = 0; i < READ_MOST && kept.count < KEYBOARD_ROOM && next_byte(&byte); i++)
		if (!file(byte))
			break;
}

/* True: the VM has taken some, and there are more. */
static bool offer(struct vm *vm)
{
	unsigned before = kept.count;

	while (kept.count > 0 && device_type(&vm->devices, kept.byte[kept.first])) {
		kept.first = (kept.first + 1) % KEYBOARD_ROOM;
		kept.count--;
		quiet.reader = vm;
	}
	return kept.count > 0 && kept.count < before;
}

/*
 * A VM whose lines are kept whole may wait for what is to be typed behind one of them. It is shown when nothing more has come to it
 * since the last look, if the VM reads what is typed; else it takes longer, so that one that has no other business than to print
 * is not interrupted in the middle of a line.
 */
static void show_unfinished(struct vm *vm)
{
	unsigned have = __atomic_load_n(&vm->console.kept, __ATOMIC_RELAXED);

	quiet.looks = have == quiet.had ? quiet.looks + 1 : 0;
	quiet.had = have;
	if (quiet.looks >= (quiet.reader == vm || device_listens(&vm->devices) ? 1 : QUIET_LOOKS))
		console_stream_flush(&vm->console);
}

/* Nearly always nothing has been typed, and of a VM by itself no line is kept. A VM that reads gets the rest sooner. */
void keyboard_look(uint64_t now)
{
	uint64_t next = interval;
	struct vm *vm;

	if (!spin_trylock(&lock))
		return;
	read_port();
	vm = kept.count > 0 || vms_are_several() ? vms_get_typed() : NULL;
	if (vm) {
		if (offer(vm))
			next = interval / 10;
		show_unfinished(vm);
		vms_put();
	}
	__atomic_store_n(&keyboard_due, now + next, __ATOMIC_RELAXED);
	spin_unlock(&lock);
}

void keyboard_forget(void)
{
	spin_lock(&lock);
	if (kept.count > 0)
		log_info("keyboard: %u byte%s that had been typed for another VM %s dropped", kept.count,
			 kept.count == 1 ? "" : "s", kept.count == 1 ? "is" : "are");
	kept.count = 0;
	spin_unlock(&lock);
}

uint64_t keyboard_watch(void)
{
	if (!keyboard_is_open() || __atomic_exchange_n(&watched, 1, __ATOMIC_RELAXED))
		return NEVER;
	return __atomic_load_n(&keyboard_due, __ATOMIC_RELAXED);
}

void keyboard_unwatch(uint64_t until)
{
	if (until != NEVER)
		__atomic_store_n(&watched, 0, __ATOMIC_RELAXED);
}

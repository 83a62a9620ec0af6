/* SPDX-License-Identifier: BSD-2-Clause */
/* The commands of the monitor. */
#include "vmm/monitor_calls.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "include/arch/cpu.h"
#include "include/log.h"
#include "vmm/fork.h"
#include "vmm/keyboard.h"
#include "vmm/picture.h"
#include "vmm/sched.h"
#include "vmm/shootdown.h"
#include "vmm/stop.h"
#include "vmm/text.h"
#include "vmm/vms.h"

#define LIST_PIECE 8 /* VMs that are listed at a time */

/* Of the line in hand: its second word, and how far a list has come. */
static struct {
	char vm[CONSOLE_NAME_ROOM];
	unsigned next;
	unsigned tries;
	bool asked; /* of the VM `next`, and it is waited for */
	enum monitor_result none;
} call;

static const char *name_of(const struct vm *vm)
{
	return vm->console.name[0] != '\0' ? vm->console.name : vm->options.name;
}

/* Its guest has asked for a reboot, and the VM is not back yet. */
static bool reboots(const struct vm *vm)
{
	return vm->absent || __atomic_load_n(&vm->outcome, __ATOMIC_RELAXED) == VM_RESET;
}

/* The VM of this number, or else of this name. It is to be put. */
static struct vm *find_vm(const char *name)
{
	char *end;
	unsigned long number = strtoul(name, &end, 10);
	struct vm *vm = *end == '\0' && number <= UINT_MAX ? vms_get_any((unsigned)number) : NULL;
	unsigned next = 0;

	if (vm && vm->number == number)
		return vm;
	if (vm)
		vms_put();
	while ((vm = vms_get_any(next)) && strcmp(name_of(vm), name) != 0) {
		next = vm->number + 1;
		vms_put();
	}
	return vm;
}

/*
 * The VM of this number or name; an empty one is that which has the keyboard. It is to be put. NULL: `call.none` is what becomes
 * of the order. There is no such VM, and a line has been logged; or it is being made anew, and the order waits for it.
 */
static struct vm *get(const char *name)
{
	struct vm *vm = name[0] == '\0' ? vms_get_typed_any() : find_vm(name);

	call.none = vm ? MONITOR_AGAIN : MONITOR_DONE;
	if (!vm)
		log_info("monitor: there is no VM \"%s\": list shows them", name);
	if (!vm || !reboots(vm))
		return vm;
	vms_put();
	return NULL;
}

static const char *state_of(const struct vm *vm)
{
	if (!vm_is_running(vm))
		return "ends";
	if (vm_is_paused(vm))
		return "paused";
	return __atomic_load_n(&vm->active, __ATOMIC_RELAXED) > __atomic_load_n(&vm->resting, __ATOMIC_RELAXED) ? "runs" : "waits";
}

/* What the guest's balloon driver has said last is free there, into `text`; the next list will have what is now. */
static const char *free_text(struct vm *vm, char text[2 * TEXT_SIZE_ROOM])
{
	char bytes[TEXT_SIZE_ROOM];
	uint64_t free;

	text[0] = '\0';
	if (balloon_statistic(&vm->balloon, BALLOON_FREE, &free))
		snprintf(text, 2 * TEXT_SIZE_ROOM, ", %s free there", text_size(bytes, free));
	balloon_ask(&vm->balloon);
	return text;
}

static void list_one(struct vm *vm, bool typed)
{
	char used[TEXT_SIZE_ROOM], ram[TEXT_SIZE_ROOM], free[2 * TEXT_SIZE_ROOM];
	uint64_t us = sched_vm_time(vm);

	log_info("monitor: %3u %-12s %-6s %s of %s%s, %lu.%03lu s%s", vm->number, name_of(vm), state_of(vm),
		 text_size(used, addr_space_get_stats(&vm->as).memory_used), text_size(ram, vm->options.ram), free_text(vm, free),
		 us / 1000000, us / 1000 % 1000, typed ? ", has the keyboard" : "");
}

static enum monitor_result call_list(void)
{
	for (unsigned i = 0; i < LIST_PIECE; i++) {
		struct vm *vm = vms_get_any(call.next);

		if (!vm)
			return MONITOR_DONE;
		call.next = vm->number + 1;
		if (reboots(vm))
			log_info("monitor: %3u %-12s reboots", vm->number, name_of(vm));
		else
			list_one(vm, vms_is_typed(vm));
		vms_put();
	}
	return MONITOR_AGAIN;
}

static enum monitor_result call_switch(void)
{
	struct vm *vm = get(call.vm);

	if (!vm)
		return call.none;
	vms_put();
	keyboard_forget(); /* while it is still the other one's; its lock comes before that of the list */
	vm = get(call.vm);
	if (!vm)
		return call.none;
	vms_choose(vm);
	log_info("monitor: the keyboard is %s's", name_of(vm));
	vms_put();
	return MONITOR_CLOSE;
}

/* Another one may be stopping it: so it is tried for a while. */
#define STOP_TRIES 1000

static enum monitor_result call_pause(void)
{
	struct vm *vm = get(call.vm);
	bool paused = vm && sched_pause(vm);

	if (!vm)
		return call.none;
	vms_put();
	if (!paused && call.tries++ < STOP_TRIES)
		return MONITOR_AGAIN;
	log_info("monitor: it %s", paused ? "is paused" : "does not stop");
	return MONITOR_DONE;
}

static enum monitor_result call_go(void)
{
	struct vm *vm = get(call.vm);

	if (!vm)
		return call.none;
	log_info("monitor: it %s", vm_is_paused(vm) ? "goes on" : "is not paused");
	sched_go_on(vm);
	vms_put();
	return MONITOR_DONE;
}

static void end(struct vm *vm)
{
	sched_end(vm, VM_EXITED);
	sched_go_on(vm);
	shootdown_kick(vm);
}

static enum monitor_result call_end(void)
{
	struct vm *vm = get(call.vm);

	if (!vm)
		return call.none;
	log_vm_info(vm, "ended by the monitor");
	end(vm);
	vms_put();
	return MONITOR_DONE;
}

/* Until it is done, or the VM is gone. */
static enum monitor_result wait_for_fork(void)
{
	struct vm *vm = vms_get(call.next);
	bool waits = vm && vm->number == call.next && fork_is_asked(vm);

	if (vm)
		vms_put();
	return waits ? MONITOR_AGAIN : MONITOR_DONE;
}

static enum monitor_result call_fork(void)
{
	struct vm *vm;

	if (call.asked)
		return wait_for_fork();
	vm = get(call.vm);
	if (!vm)
		return call.none;
	call.next = vm->number;
	call.asked = fork_ask(vm, 1);
	vms_put();
	if (call.asked || call.tries++ < STOP_TRIES)
		return MONITOR_AGAIN;
	log_info("monitor: it does not stop");
	return MONITOR_DONE;
}

static enum monitor_result call_map(void)
{
	struct vm *vm = get(call.vm);

	if (!vm)
		return call.none;
	map_print(vm);
	vms_put();
	return MONITOR_DONE;
}

/* Until none is left: some may be about to start, or to be made anew. */
static enum monitor_result call_quit(void)
{
	if (call.next == 0)
		log_info("monitor: all VMs end");
	for (struct vm *vm = vms_get(0); vm; vm = vms_get(call.next)) {
		call.next = vm->number + 1;
		end(vm);
		vms_put();
	}
	call.next = 1;
	return MONITOR_AGAIN;
}

static enum monitor_result call_help(void);

static const struct command {
	const char *name;
	enum monitor_result (*call)(void);
	bool no_vm; /* it takes none */
	const char *what;
} commands[] = {
	{ "list", call_list, true, "the VMs, with state, memory of what was promised, and CPU time" },
	{ "switch", call_switch, false, "VM  give it the keyboard" },
	{ "pause", call_pause, false, "[VM]  stop it" },
	{ "go", call_go, false, "[VM]  let it go on" },
	{ "end", call_end, false, "[VM]  end it" },
	{ "fork", call_fork, false, "[VM]  make another one that is as it is now" },
	{ "map", call_map, false, "[VM]  show its memory" },
	{ "quit", call_quit, true, "end all VMs" },
	{ "help", call_help, true, "these; an empty line closes the monitor, Ctrl-] twice types one" },
};

static enum monitor_result call_help(void)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		log_info("monitor: %s %s", commands[i].name, commands[i].what);
	return MONITOR_DONE;
}

static const struct command *find(const char *word)
{
	const struct command *found = NULL;

	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		if (strncmp(word, commands[i].name, strlen(word)) != 0)
			continue;
		if (found)
			return NULL;
		found = &commands[i];
	}
	return found;
}

/* The next word of the line, of which what does not fit is cut. */
static const char *next_word(const char *line, char *word, size_t room)
{
	size_t length;

	line += strspn(line, " ");
	length = strcspn(line, " ");
	snprintf(word, room, "%.*s", (int)length, line);
	return line + length;
}

enum monitor_result monitor_call(const char *line)
{
	static bool goes_on;
	const struct command *command;
	char word[16], more[2];
	enum monitor_result result = MONITOR_DONE;

	if (!vms_are_complete()) /* what is ordered may be typed before there is whom it is for */
		return MONITOR_AGAIN;
	if (!goes_on)
		memset(&call, 0, sizeof(call));
	line = next_word(line, word, sizeof(word));
	line = next_word(line, call.vm, sizeof(call.vm));
	next_word(line, more, sizeof(more));
	command = find(word);
	if (!command)
		log_info("monitor: \"%s\" is no command: help lists them", word);
	else if (more[0] != '\0' || (command->no_vm && call.vm[0] != '\0'))
		log_info("monitor: %s: there is too much behind it", command->name);
	else
		result = command->call();
	goes_on = result == MONITOR_AGAIN;
	return result;
}

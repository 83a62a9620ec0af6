/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is typed on the machine's console goes to one VM: vmm/vms.h says to which. Each CPU looks for it at the end of a slice and
 * between two vCPUs, as often as KEYBOARD_INTERVAL asks for; of CPUs that sleep, one wakes for it.
 *
 * Nothing is lost or comes out of turn: what the VM has no room for is kept and offered again later, and when there is no room
 * for more of that, the rest stays in the port, whose other end has to wait.
 */
#ifndef NESTLING_VMM_KEYBOARD_H
#define NESTLING_VMM_KEYBOARD_H

#include <stdbool.h>
#include <stdint.h>

#define KEYBOARD_INTERVAL 10000 /* microseconds from one look to the next */
#define KEYBOARD_ROOM     4096  /* bytes that are kept for a VM that does not read them */

/* What is done with a byte that has been typed: the VM's; nobody else's; or nothing yet, and nothing behind it. */
enum keyboard_filtered { KEYBOARD_PASSED, KEYBOARD_TAKEN, KEYBOARD_LATER };

/* Asked about each byte, with the keyboard's lock held. */
typedef enum keyboard_filtered (*keyboard_filter)(uint8_t byte);

/* What the VM has not taken yet is forgotten: another one has got the keyboard. */
void keyboard_forget(void);

/* Look from now on, if the console is a port that can be read. The timers of the CPUs run. */
void keyboard_open(keyboard_filter filter);

/* When to look again, of arch_clock; NEVER: there is no keyboard. Atomic. */
extern uint64_t keyboard_due;

static inline bool keyboard_is_open(void)
{
	return __atomic_load_n(&keyboard_due, __ATOMIC_RELAXED) != UINT64_MAX;
}

/* Look at the port, and give a VM what it has room for. Returns at once where another CPU is doing so. With no lock held. */
void keyboard_look(uint64_t now);

/* Is it time? */
static inline bool keyboard_is_due(uint64_t now)
{
	return __builtin_expect(now >= __atomic_load_n(&keyboard_due, __ATOMIC_RELAXED), false);
}

/* Look, if it is time. */
static inline void keyboard_poll(uint64_t now)
{
	if (keyboard_is_due(now))
		keyboard_look(now);
}

/*
 * Around the sleep of a CPU: when it has to wake to look; NEVER: another one does, or there is no keyboard. What was returned goes
 * to keyboard_unwatch.
 */
uint64_t keyboard_watch(void);
void keyboard_unwatch(uint64_t until);

#endif

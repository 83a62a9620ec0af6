/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Drives the virtio console: prints by it, in buffers as they come, and answers each line that is typed. "fork" forks it, both
 * sides of which print; "end" ends it.
 */
#include "tests/guests/check.h"
#include "tests/guests/virtio.h"

enum { RECEIVE, TRANSMIT, QUEUES };

#define BUFFERS 4
#define ROOM    16

static struct queue queue[QUEUES];
static char buffer[BUFFERS][ROOM];
static uint16_t received;

static void offer(unsigned index)
{
	queue[RECEIVE].descriptor[index] = (struct descriptor){ (uintptr_t)buffer[index], ROOM, WRITE, 0 };
	virtio_offer(CONSOLE, &queue[RECEIVE], RECEIVE, (uint16_t)index);
}

static void begin(void)
{
	virtio_begin(CONSOLE, queue, QUEUES, MODERN);
	CHECK(*virtio_at(CONSOLE, STATUS) == DRIVER_OK);
}

/* As two buffers, so that one ends anywhere. */
static void print(const char *text)
{
	size_t size = strlen(text), half = size / 2;

	queue[TRANSMIT].descriptor[0] = (struct descriptor){ (uintptr_t)text, (uint32_t)half, NEXT, 1 };
	queue[TRANSMIT].descriptor[1] = (struct descriptor){ (uintptr_t)text + half, (uint32_t)(size - half), 0, 0 };
	virtio_offer(CONSOLE, &queue[TRANSMIT], TRANSMIT, 0);
	CHECK(*(volatile uint16_t *)&queue[TRANSMIT].used.idx == queue[TRANSMIT].available.idx);
}

static char typed[400]; /* what has come and was not read yet */

/* Wait for what is typed, and add it. */
static void receive(void)
{
	size_t have = strlen(typed);
	unsigned index;
	uint32_t size;

	while (__atomic_load_n(&queue[RECEIVE].used.idx, __ATOMIC_ACQUIRE) == received)
		;
	index = queue[RECEIVE].used.ring[received % SIZE].id;
	size = queue[RECEIVE].used.ring[received++ % SIZE].length;
	CHECK(index < BUFFERS && size > 0 && size <= ROOM && have + size < sizeof(typed));
	if (check_failures)
		rt_exit(1);
	memcpy(typed + have, buffer[index], size);
	typed[have + size] = '\0';
	offer(index);
}

/* With its end. */
static void read_line(char *line)
{
	char *end;

	while (!(end = strchr(typed, '\n')))
		receive();
	memcpy(line, typed, (size_t)(end + 1 - typed));
	line[end + 1 - typed] = '\0';
	memmove(typed, end + 1, strlen(end + 1) + 1);
}

/* A buffer that is none stops it, and a reset has it go on. What is typed meanwhile is there afterwards. */
static void what_makes_no_sense_stops_it(void)
{
	queue[TRANSMIT].descriptor[0] = (struct descriptor){ ram_end(), 64, 0, 0 };
	virtio_offer(CONSOLE, &queue[TRANSMIT], TRANSMIT, 0);
	CHECK(*virtio_at(CONSOLE, STATUS) & NEEDS_RESET);
	begin();
	/* Nothing of what it may write is printed. */
	queue[TRANSMIT].descriptor[0] = (struct descriptor){ (uintptr_t) "FAILED\n", 7, WRITE, 0 };
	virtio_offer(CONSOLE, &queue[TRANSMIT], TRANSMIT, 0);
	CHECK(*(volatile uint16_t *)&queue[TRANSMIT].used.idx == 1);
}

static bool fork_is_parent(void)
{
	uint64_t child = rt_fork();

	CHECK(!rt_is_error(child));
	print(child == 0 ? "virtio_console: child prints\r\n" : "virtio_console: parent prints\r\n");
	if (child == 0)
		rt_exit((uint64_t)check_failures);
	rt_vm_wait(child);
	return true;
}

int guest_main(void)
{
	char line[sizeof(typed)] = "", answer[sizeof(typed) + 50];

	begin();
	what_makes_no_sense_stops_it();
	begin();
	for (unsigned i = 0; i < BUFFERS; i++)
		offer(i);
	print("virtio_console: ready\r\n");
	while (strcmp(line, "end\n") != 0) {
		read_line(line);
		strcpy(answer, "virtio_console: it says ");
		strcat(answer, line);
		print(answer);
		if (strcmp(line, "fork\n") == 0)
			CHECK(fork_is_parent());
	}
	return check_status("virtio_console");
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program of a Linux guest's that has its machine copied, for bench/linux --fork: the profiler counts what is executed from the
 * request, a write to the control page (docs/guest-abi.md), to the instruction behind it. Its argument is that page's address. It
 * prints the copy's number, which is 0 in the copy itself, and by how many KiB the host's free memory has become less.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "isa.h"

enum { PHASE_FORK = 200, PHASE_FORKED = 201 }; /* bench/linux has these numbers, too */
enum { CALL = 0x8 / 4, RESULT = 0x10 / 4, HOST_FREE = (0x200 + 8 * 9) / 4, CALL_FORK = 7 };

int main(int argc, char **argv)
{
	int memory = open("/dev/mem", O_RDWR | O_SYNC);
	off_t at = argc > 1 ? strtol(argv[1], NULL, 0) : 0;
	volatile uint32_t *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, memory, at);
	uint32_t before, now;

	if (page == MAP_FAILED)
		return 1;
	before = page[HOST_FREE];
	mark(PHASE_FORK);
	page[CALL] = CALL_FORK;
	mark(PHASE_FORKED);
	now = page[HOST_FREE];
	printf("forked: %u, %d KiB\n", page[RESULT], (int)(before - now));
	return 0;
}
